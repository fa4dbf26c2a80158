/**
 * Runs test files, each in a process of its own, and says at the end which took longest: whoever adds tests sees what they
 * cost. `--share 1/2`: only this share of the files, and those in one process, which loads what they have in common once.
 * `node tools/run-tests.ts --timeout MS [--share I/N] FILE…`
 */
import path from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'

/** Test files that run at once on a machine with two cores: each of them waits for its servers a third of its time. */
const CONCURRENCY = 3
const SHOWN = 15
/** Below this a file is not worth a look. */
const SHOWN_MIN_MS = 5_000

const { values, positionals: files } = parseArgs({
  options: { timeout: { type: 'string' }, share: { type: 'string' } },
  allowPositionals: true,
})
const spentMs = new Map<string, number>()
const spend = ({ file, nesting, details }: Spent): void => {
  if (nesting === 0 && file !== undefined) spentMs.set(file, (spentMs.get(file) ?? 0) + details.duration_ms)
}
const [index, total] = values.share?.split('/').map(Number) ?? []
const tests = run({
  files: files.map((file) => path.resolve(file)),
  timeout: Number(values.timeout),
  ...(index === undefined || total === undefined
    ? { concurrency: CONCURRENCY }
    : { isolation: 'none', shard: { index, total } }),
})
let failed = false
tests.on('test:pass', spend)
tests.on('test:fail', (test) => {
  spend(test)
  failed = true
})
const report = tests.compose(new spec())
report.pipe(process.stdout)
await finished(report)
if (failed) process.exitCode = 1

const slowest = [...spentMs].filter(([, ms]) => ms >= SHOWN_MIN_MS).toSorted(([, one], [, other]) => other - one)
if (slowest.length > 0) process.stdout.write('slowest files, the time of their tests:\n')
for (const [file, ms] of slowest.slice(0, SHOWN))
  process.stdout.write(`${(ms / 1000).toFixed(1).padStart(6)} s  ${path.relative(process.cwd(), file)}\n`)

interface Spent {
  readonly file?: string | undefined
  readonly nesting: number
  readonly details: { readonly duration_ms: number }
}
