/**
 * `npm test`: everything that CI runs. Everything under test/, which waits a good part of its time, and beside it the steps
 * of check, each fuzz target for a few seconds, and a smoke run of the benchmarks. Goes on after a failure, so that one run
 * tells all; the last line is the total.
 */
import { requireNode, runStep, runSteps, type Step, type StepResult } from './step.ts'
import { checkSteps, testStep } from './steps.ts'

const FUZZ_SECONDS = 3
/** A test file under test/ starts servers and real clients, and moves large mails. */
const TEST_TIMEOUT_MS = 300_000
/** Those with the longest files first: what is left in the end is short, and no core waits for a long one. */
const TESTS = ['crash', 'packaging', 'faults', 'e2e', 'interop', '**'].map((folder) => `test/${folder}/*.test.ts`)
/** A step that takes longer hangs; on a quiet machine all of them together take some ten minutes. */
const TEST_LIMIT_MS = 40 * 60_000
const FUZZ_LIMIT_MS = 6 * 60_000
const BENCH_LIMIT_MS = 4 * 60_000
const BESIDES: readonly Step[] = [
  { name: 'fuzz', script: 'tools/fuzz.ts', args: ['--seconds', String(FUZZ_SECONDS)], limitMs: FUZZ_LIMIT_MS },
  { name: 'bench', script: 'bench/bench.ts', args: ['--smoke'], limitMs: BENCH_LIMIT_MS },
]

requireNode()
const tests = { ...testStep('test', TESTS, TEST_TIMEOUT_MS, TEST_LIMIT_MS), live: true }
const results = (
  await Promise.all([runStep(tests), runSteps([...checkSteps(), ...BESIDES], { goOn: true, atOnce: 1 })])
).flat()
const total = results.reduce(addUp, { passed: 0, failed: 0, skipped: 0 })
for (const { step, ok } of results) if (!ok) process.stdout.write(`FAILED: ${step.name}\n`)
if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped: each says above what it lacks\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
process.exitCode = total.failed === 0 ? 0 : 1

/** A test run counts its tests, and fails at least once when it failed; any other step counts as one. */
function addUp(sum: { passed: number; failed: number; skipped: number }, { ok, counts }: StepResult): typeof sum {
  if (counts === undefined) return { ...sum, passed: sum.passed + (ok ? 1 : 0), failed: sum.failed + (ok ? 0 : 1) }
  return {
    passed: sum.passed + counts.passed,
    failed: sum.failed + (ok ? counts.failed : Math.max(1, counts.failed)),
    skipped: sum.skipped + counts.skipped,
  }
}
