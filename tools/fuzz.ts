/**
 * `node tools/fuzz.ts [name …] [--seconds 10] [--seed 1]`: feeds each fuzz/<name>.fuzz.ts with mutated seeds. Such a file
 * exports `target(bytes)`, which throws when a property is broken, and `seeds()`. What failed is kept in
 * fuzz/corpus/<name>/ and fed first from then on.
 */
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fuzz, type FuzzOutcome } from './fuzz/target.ts'
import { requireNode, ROOT } from './step.ts'

requireNode()
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
})
const names = globSync('fuzz/*.fuzz.ts', { cwd: ROOT })
  .map((file) => path.basename(file, '.fuzz.ts'))
  .filter((name) => positionals.length === 0 || positionals.includes(name))
  .toSorted()
if (names.length === 0) {
  process.stderr.write('no such fuzz target\n')
  process.exit(2)
}
const waiting = [...names]
let failures = 0
await Promise.all(Array.from({ length: availableParallelism() }, fuzzSome))
process.stdout.write(`${names.length - failures} targets passed, ${failures} failed\n`)
process.exitCode = failures === 0 ? 0 : 1

async function fuzzSome(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const outcome = await fuzz({
      file: path.join(ROOT, 'fuzz', `${name}.fuzz.ts`),
      corpusFolder: path.join(ROOT, 'fuzz/corpus', name),
      seconds: Number(values.seconds),
      seed: Number(values.seed),
    })
    if (outcome.kind === 'failed') failures++
    process.stdout.write(`${name.padEnd(20)} ${describe(outcome)}\n`)
  }
}

function describe(outcome: FuzzOutcome): string {
  switch (outcome.kind) {
    case 'passed': {
      const rate = Math.round(outcome.executions / outcome.seconds)
      return `${rate.toLocaleString('en')} execs/s, ${outcome.executions.toLocaleString('en')} in all, ${outcome.known} known inputs`
    }
    case 'failed':
      return `FAILED on ${path.relative(ROOT, outcome.savedAs)}\n${outcome.why}`
  }
}
