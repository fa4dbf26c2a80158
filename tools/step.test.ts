import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countsOf } from './step.ts'

const closing = (mark: string): string =>
  ['tests 9', 'suites 0', 'pass 4', 'fail 2', 'cancelled 1', 'skipped 1', 'todo 1', 'duration_ms 12.5']
    .map((line) => `${mark} ${line}\n`)
    .join('')

const cases: readonly [output: string, expected: unknown, why: string][] = [
  [`✔ x\n${closing('ℹ')}`, { passed: 4, failed: 3, skipped: 2 }, 'the spec reporter'],
  [`ok 1\n${closing('#')}`, { passed: 4, failed: 3, skipped: 2 }, 'the TAP reporter'],
  ['Found 0 warnings\n', undefined, 'no test run'],
  ['', undefined, 'nothing at all'],
]
for (const [output, expected, why] of cases)
  test(`closing counts: ${why}`, () => assert.deepEqual(countsOf(output), expected))
