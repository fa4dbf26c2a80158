import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from './pace.ts'

test('too slow is who sends less than the least in any stretch of time, unless we made them wait', () => {
  const pace = new Pace(1_000)
  assert(!pace.tooSlow(1_100, 100))
  assert(pace.tooSlow(1_199, 100))
  pace.madeWait()
  assert(!pace.tooSlow(1_199, 100), 'we waited')
  assert(pace.tooSlow(1_200, 100), 'and now no more')
  assert(!pace.tooSlow(2_000, 100))
})
