import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INPUT_MAX_BYTES, mutate } from './mutate.ts'
import { Random } from './random.ts'

const seeds = ['From: a@b.example\r\n\r\nbody', '\x30\x82\x01\x0a\x02\x01\x01'].map((text) =>
  Buffer.from(text, 'latin1'),
)

function some(seed: number, count: number): string[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => Buffer.from(mutate(seeds, random)).toString('hex'))
}

test('one seed number, one series of inputs', () => {
  assert.deepEqual(some(7, 200), some(7, 200))
  assert.notDeepEqual(some(7, 200), some(8, 200))
})

test('inputs differ from each other and from the seeds, and stay within the limit', () => {
  const made = some(1, 5_000)
  assert.ok(new Set(made).size > 4_000)
  assert.ok(made.every((input) => input.length <= 2 * INPUT_MAX_BYTES))
  assert.ok(
    made.some((input) => input.length > 2 * 1024),
    'some are much longer than the seeds',
  )
  assert.deepEqual(
    seeds.map((seed) => seed.toString('latin1').length),
    [25, 7],
    'the seeds themselves are not touched',
  )
})

test('no seeds at all is a start, too', () => {
  assert.ok(mutate([], new Random(1)) instanceof Uint8Array)
})
