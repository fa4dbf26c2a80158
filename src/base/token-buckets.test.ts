import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBuckets } from './token-buckets.ts'

const taken = (buckets: TokenBuckets, key: string, perMinute: number, nowMs: number, tries: number): number =>
  Array.from({ length: tries }, () => buckets.take(key, perMinute, nowMs)).filter(Boolean).length

test('a minute brings as many as it says, in one go or one by one', () => {
  const buckets = new TokenBuckets()
  assert.equal(taken(buckets, 'a', 6, 0, 10), 6)
  assert.equal(taken(buckets, 'a', 6, 9_999, 10), 0)
  assert.equal(taken(buckets, 'a', 6, 10_000, 10), 1)
  assert.equal(taken(buckets, 'a', 6, 3_600_000, 10), 6, 'what is not used does not add up')
  assert.equal(taken(buckets, 'b', 6, 3_600_000, 10), 6, 'each key has its own')
})

test('who is asked too often does not wait longer for asking', () => {
  const buckets = new TokenBuckets()
  taken(buckets, 'a', 1, 0, 1)
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) assert(!buckets.take('a', 1, nowMs))
  assert(buckets.take('a', 1, 60_001))
})

test('0 is no limit, a clock that goes back gives nothing, and what was not used comes back', () => {
  const buckets = new TokenBuckets()
  assert.equal(taken(buckets, 'a', 0, 0, 100), 100)
  assert.equal(taken(buckets, 'a', 1, 50_000, 2), 1)
  assert(!buckets.has('a', 1, 0))
  buckets.giveBack('a')
  assert(buckets.has('a', 1, 50_000))
})

test('the number of keys is bounded: the one seen longest ago is forgotten', () => {
  const buckets = new TokenBuckets(2)
  for (const key of ['a', 'b', 'a', 'c']) buckets.take(key, 2, 0)
  assert(!buckets.has('a', 2, 0), 'touched again')
  assert.equal(taken(buckets, 'b', 2, 0, 3), 2, 'forgotten')
})
