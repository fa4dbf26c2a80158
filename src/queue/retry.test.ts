import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextStep, RETRY_SCHEDULE, type NextStep, type Waiting } from './retry.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const cases: readonly [waiting: Partial<Waiting>, nowMs: number, step: NextStep, why: string][] = [
  [{}, 0, retry(5 * MINUTE), 'the first retry comes soon'],
  [{ attempts: 1 }, 5 * MINUTE, retry(15 * MINUTE), 'each pause is twice the last'],
  [{ attempts: 6 }, 1 * HOUR, retry(5 * HOUR), 'no pause is longer than the longest'],
  [{ attempts: 1_000_000 }, 1 * HOUR, retry(5 * HOUR), 'any number of attempts'],
  [{ attempts: 9 }, 4 * HOUR, retry(8 * HOUR, true), 'told after four hours'],
  [{ attempts: 9, delayToldMs: 4 * HOUR }, 8 * HOUR, retry(12 * HOUR), 'told once'],
  [{ attempts: 40, delayToldMs: 1 }, 5 * DAY - HOUR, retry(5 * DAY), 'the last attempt is at the end'],
  [{ attempts: 41, delayToldMs: 1 }, 5 * DAY, { kind: 'give-up' }, 'RFC 5321 §4.5.4.1: given up'],
  [{ attempts: 0 }, 6 * DAY, { kind: 'give-up' }, 'given up after a long standstill, but tried before that'],
]
for (const [waiting, nowMs, step, why] of cases)
  test(why, () => {
    const item = { queuedMs: 0, attempts: 0, delayToldMs: null, ...waiting }
    assert.deepEqual(nextStep(item, nowMs, RETRY_SCHEDULE, 0), step)
  })

test('jitter only shortens, by a tenth at most', () => {
  const item = { queuedMs: 0, attempts: 0, delayToldMs: null }
  const step = nextStep(item, 0, RETRY_SCHEDULE, 0.999_999)
  assert.ok(step.kind === 'retry' && step.atMs > 4.4 * MINUTE && step.atMs <= 5 * MINUTE)
})

test('a whole life: attempts until the end, one notice of delay', () => {
  let [nowMs, attempts, told] = [0, 0, 0]
  let delayToldMs: number | null = null
  for (;;) {
    const step = nextStep({ queuedMs: 0, attempts, delayToldMs }, nowMs, RETRY_SCHEDULE, 0.5)
    if (step.kind === 'give-up') break
    assert.ok(step.atMs > nowMs)
    if (step.tellDelay) {
      told++
      delayToldMs = nowMs
    }
    nowMs = step.atMs
    attempts++
  }
  assert.equal(told, 1)
  assert.equal(nowMs, 5 * DAY)
  assert.ok(attempts > 30 && attempts < 60, `${attempts} attempts`)
})

function retry(atMs: number, tellDelay = false): NextStep {
  return { kind: 'retry', atMs, tellDelay }
}
