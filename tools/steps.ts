/** The steps of `npm run check`, in order: cheap and likely to fail first. */
import { globSync } from 'node:fs'
import path from 'node:path'
import { ROOT, type Step } from './step.ts'

const UNIT_TIMEOUT_MS = 30_000
/** Processes that share the unit tests: those have no state between them, and most of a process's time goes into loading. */
const UNIT_SHARES = 2
/** A step of check that takes longer hangs. */
const CHECK_LIMIT_MS = 3 * 60_000
/** All unit tests together: a minute or two on a quiet machine. */
const UNIT_LIMIT_MS = 8 * 60_000

export function checkSteps(): Step[] {
  const limitMs = CHECK_LIMIT_MS
  return [
    {
      name: 'format',
      script: bin('prettier/bin/prettier.cjs'),
      args: ['--check', '--cache', '--log-level', 'warn', '.'],
      limitMs,
    },
    { name: 'types', script: bin('typescript/bin/tsc'), args: ['--noEmit'], limitMs },
    { name: 'lint', script: bin('oxlint/bin/oxlint'), args: ['--type-aware', '--max-warnings', '0'], limitMs },
    { name: 'tidy', script: 'tools/tidy.ts', args: [], limitMs },
    { name: 'knip', script: bin('knip/bin/knip.js'), args: ['--no-progress', '--no-config-hints'], limitMs },
    ...unitSteps(),
  ]
}

function unitSteps(): Step[] {
  const all = testStep('unit', ['src/**/*.test.ts', 'tools/**/*.test.ts'], UNIT_TIMEOUT_MS, UNIT_LIMIT_MS)
  return Array.from({ length: UNIT_SHARES }, (_, index) => {
    const share = `${index + 1}/${UNIT_SHARES}`
    return { ...all, name: `unit ${share}`, args: ['--share', share, ...all.args] }
  })
}

/** A run of node's test runner, in the order of the globs; no file at all is a failure, not a success. */
export function testStep(name: string, globs: readonly string[], timeoutMs: number, limitMs: number): Step {
  const files = [...new Set(globs.flatMap((glob) => globSync(glob, { cwd: ROOT }).toSorted()))]
  if (files.length === 0) throw new Error(`${name}: no test file matches ${globs.join(' ')}`)
  const args = ['--timeout', String(timeoutMs), ...files]
  return { name, script: 'tools/run-tests.ts', args, limitMs }
}

const bin = (script: string): string => path.join('node_modules', script)
