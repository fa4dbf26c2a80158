/** The steps of `npm run check`, in order: cheap and likely to fail first. */
import { globSync } from 'node:fs'
import path from 'node:path'
import { ROOT, type Step } from './step.ts'

/** Test files that run at once; each is a process of its own. */
const TEST_CONCURRENCY = 2
const UNIT_TIMEOUT_MS = 60_000

export function checkSteps(): Step[] {
  return [
    {
      name: 'format',
      script: bin('prettier/bin/prettier.cjs'),
      args: ['--check', '--cache', '--log-level', 'warn', '.'],
    },
    { name: 'types', script: bin('typescript/bin/tsc'), args: ['--noEmit'] },
    { name: 'lint', script: bin('oxlint/bin/oxlint'), args: ['--type-aware', '--max-warnings', '0'] },
    { name: 'tidy', script: 'tools/tidy.ts', args: [] },
    { name: 'knip', script: bin('knip/bin/knip.js'), args: ['--no-progress'] },
    testStep('unit', ['src/**/*.test.ts', 'tools/**/*.test.ts'], UNIT_TIMEOUT_MS),
  ]
}

/** A run of node's test runner; no file at all is a failure, not a success. */
export function testStep(name: string, globs: readonly string[], timeoutMs: number): Step {
  const files = globs.flatMap((glob) => globSync(glob, { cwd: ROOT }).toSorted())
  if (files.length === 0) throw new Error(`${name}: no test file matches ${globs.join(' ')}`)
  const args = [
    `--test-concurrency=${TEST_CONCURRENCY}`,
    `--test-timeout=${timeoutMs}`,
    '--test-reporter=spec',
    ...files,
  ]
  return { name, script: '--test', args }
}

const bin = (script: string): string => path.join('node_modules', script)
