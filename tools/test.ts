/**
 * `npm test`: everything that CI runs. The steps of check, then everything under test/, each fuzz target for a few
 * seconds, and a smoke run of the benchmarks. Goes on after a failure, so that one run tells all; the last line is the total.
 */
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { requireNode, ROOT, runStep, type Step, type StepResult } from './step.ts'
import { checkSteps, testStep } from './steps.ts'

const FUZZ_SECONDS = 3
/** A test file under test/ starts servers and real clients, and moves large mails. */
const TEST_TIMEOUT_MS = 300_000
/** A step that takes longer hangs; on a quiet machine all of them together take some twelve minutes. */
const TEST_LIMIT_MS = 40 * 60_000
const FUZZ_LIMIT_MS = 6 * 60_000
const BENCH_LIMIT_MS = 4 * 60_000

requireNode()
const results: { step: Step; result: StepResult }[] = []
for (const step of [...checkSteps(), ...slowSteps()]) results.push({ step, result: await runStep(step) })
const total = results.map(({ result }) => result).reduce(addUp, { passed: 0, failed: 0, skipped: 0 })
for (const { step, result } of results) if (!result.ok) process.stdout.write(`FAILED: ${step.name}\n`)
if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped: each says above what it lacks\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
process.exitCode = total.failed === 0 ? 0 : 1

function slowSteps(): Step[] {
  const tests: Step[] = [{ ...testStep('test', ['test/**/*.test.ts'], TEST_TIMEOUT_MS, TEST_LIMIT_MS), live: true }]
  const fuzz: Step = {
    name: 'fuzz',
    script: 'tools/fuzz.ts',
    args: ['--seconds', `${FUZZ_SECONDS}`],
    limitMs: FUZZ_LIMIT_MS,
    live: true,
  }
  if (globSync('fuzz/*.fuzz.ts', { cwd: ROOT }).length > 0) tests.push(fuzz)
  if (existsSync(path.join(ROOT, 'bench/bench.ts')))
    tests.push({ name: 'bench', script: 'bench/bench.ts', args: ['--smoke'], limitMs: BENCH_LIMIT_MS, live: true })
  return tests
}

/** A test run counts its tests, and fails at least once when it failed; any other step counts as one. */
function addUp(sum: { passed: number; failed: number; skipped: number }, { ok, counts }: StepResult): typeof sum {
  if (counts === undefined) return { ...sum, passed: sum.passed + (ok ? 1 : 0), failed: sum.failed + (ok ? 0 : 1) }
  return {
    passed: sum.passed + counts.passed,
    failed: sum.failed + (ok ? counts.failed : Math.max(1, counts.failed)),
    skipped: sum.skipped + counts.skipped,
  }
}
