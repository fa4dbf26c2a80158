/**
 * Runs test files as `node --test` does, each in a process of its own, and says at the end which took longest: whoever adds
 * tests sees what they cost. `node tools/run-tests.ts --timeout MS FILE…`
 */
import path from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'

/** Test files that run at once. */
const CONCURRENCY = 2
const SHOWN = 15
/** Below this a file is not worth a look. */
const SHOWN_MIN_MS = 5_000

const { values, positionals: files } = parseArgs({ options: { timeout: { type: 'string' } }, allowPositionals: true })
const spentMs = new Map<string, number>()
const spend = ({ file, nesting, details }: Spent): void => {
  if (nesting === 0 && file !== undefined) spentMs.set(file, (spentMs.get(file) ?? 0) + details.duration_ms)
}
const tests = run({ files, concurrency: CONCURRENCY, timeout: Number(values.timeout) })
tests.on('test:pass', spend)
tests.on('test:fail', (failed) => {
  spend(failed)
  process.exitCode = 1
})
const report = tests.compose(new spec())
report.pipe(process.stdout)
await finished(report)

const slowest = [...spentMs].filter(([, ms]) => ms >= SHOWN_MIN_MS).toSorted(([, one], [, other]) => other - one)
if (slowest.length > 0) process.stdout.write('slowest files, the time of their tests:\n')
for (const [file, ms] of slowest.slice(0, SHOWN))
  process.stdout.write(`${(ms / 1000).toFixed(1).padStart(6)} s  ${path.relative(process.cwd(), file)}\n`)

interface Spent {
  readonly file?: string | undefined
  readonly nesting: number
  readonly details: { readonly duration_ms: number }
}
