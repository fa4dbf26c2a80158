import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { countsOf, runStep, runSteps } from './step.ts'

const closing = (mark: string): string =>
  ['tests 9', 'suites 0', 'pass 4', 'fail 2', 'cancelled 1', 'skipped 1', 'todo 1', 'duration_ms 12.5']
    .map((line) => `${mark} ${line}\n`)
    .join('')

const cases: readonly [output: string, expected: unknown, why: string][] = [
  [`✔ x\n${closing('ℹ')}`, { passed: 4, failed: 3, skipped: 2 }, 'the spec reporter'],
  [`ok 1\n${closing('#')}`, { passed: 4, failed: 3, skipped: 2 }, 'the TAP reporter'],
  [
    `${closing('ℹ')}✖ failing tests:\n${'at x\n'.repeat(9999)}`,
    { passed: 4, failed: 3, skipped: 2 },
    'long failures after',
  ],
  [
    `${closing('ℹ').replaceAll(/\d/g, '0')}${closing('ℹ')}`,
    { passed: 4, failed: 3, skipped: 2 },
    'a runner in a runner',
  ],
  ['Found 0 warnings\n', undefined, 'no test run'],
  ['', undefined, 'nothing at all'],
]
for (const [output, expected, why] of cases)
  test(`closing counts: ${why}`, () => assert.deepEqual(countsOf(output), expected))

test('a step that hangs is ended, with the processes it started', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'step-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const script = path.join(folder, 'hang.ts')
  const beats = path.join(folder, 'beats')
  const beat = `while :; do echo x >> '${beats}'; sleep 0.02; done`
  writeFileSync(script, `import { spawn } from 'node:child_process'\nspawn('sh', ['-c', ${JSON.stringify(beat)}])\n`)
  const { ok, output } = await runStep({ name: 'hang', script, args: [], limitMs: 1_500 })
  assert.equal(ok, false)
  assert.match(output, /hang was ended after 1\.5 s/)
  const { size } = statSync(beats)
  assert.ok(size > 0)
  await sleep(200)
  assert.equal(statSync(beats).size, size)
})

test('a step that succeeds, and one that fails', async () => {
  const passed = await runStep({ name: 'good', script: '-e', args: ['process.stdout.write("fine")'], limitMs: 20_000 })
  assert.deepEqual([passed.ok, passed.output], [true, 'fine'])
  const failed = await runStep({ name: 'bad', script: '-e', args: ['process.exit(3)'], limitMs: 20_000 })
  assert.equal(failed.ok, false)
})

test('steps side by side: after a failure nothing more begins, unless all is to be known', async () => {
  const step = (name: string, code: string) => ({ name, script: '-e', args: [code], limitMs: 20_000 })
  const steps = [step('bad', 'process.exit(3)'), step('slow', 'setTimeout(() => {}, 1000)'), step('late', '')]
  const ran = async (goOn: boolean): Promise<readonly string[]> =>
    (await runSteps(steps, { goOn })).map((result) => result.step.name).toSorted()
  assert.deepEqual(await ran(false), ['bad', 'slow'])
  assert.deepEqual(await ran(true), ['bad', 'late', 'slow'])
})
