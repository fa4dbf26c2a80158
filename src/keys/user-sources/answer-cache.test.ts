import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerCache } from './answer-cache.ts'

function cache(entriesMax = 10) {
  const clock = { now: 0, nowMs: () => clock.now }
  let asked = 0
  const answers = new AnswerCache<number>({ clock, entriesMax, keepMs: (value) => (value < 0 ? 10 : 100) })
  const get = (key: string, value = 1) =>
    answers.get(key, async () => {
      asked++
      if (Number.isNaN(value)) throw new Error('nobody answers')
      return value
    })
  return { get, clock, asked: () => asked }
}

test('an answer is given again as long as it is kept; some are kept for less time', async () => {
  const { get, clock, asked } = cache()
  await get('a')
  await get('b', -1)
  clock.now = 50
  await Promise.all([get('a'), get('b', -1)])
  assert.equal(asked(), 3)
  clock.now = 100
  await get('a')
  assert.equal(asked(), 4)
})

test('many who ask at once ask once, and all hear of a failure, which is not kept', async () => {
  const { get, asked } = cache()
  const all = await Promise.allSettled([get('a', NaN), get('a', NaN), get('a', NaN)])
  assert.deepEqual([asked(), ...all.map(({ status }) => status)], [1, 'rejected', 'rejected', 'rejected'])
  assert.equal(await get('a', 7), 7)
})

test('no more entries than there may be: the oldest is asked for again', async () => {
  const { get, asked } = cache(2)
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await get(key)
  assert.equal(asked(), 4)
})
