import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createMasterKey, loadMasterKey, MASTER_KEY_FILE, MASTER_KEY_VARIABLE } from './master-key.ts'

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-master-'))
  t.after(() => rm(dir, { recursive: true }))
  return dir
}

test('made once, for nobody else to read, and loaded again', async (t) => {
  const dir = await folder(t)
  const made = await createMasterKey(dir)
  const path = join(dir, MASTER_KEY_FILE)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  const loaded = await loadMasterKey(dir, {})
  assert.ok(loaded.ok)
  assert.equal(loaded.value.id, made.id)
  assert.ok(loaded.value.key.equals(made.key))
  const bytes = Buffer.from((await readFile(path, 'utf8')).trim(), 'hex')
  assert.equal(made.id, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
  await assert.rejects(createMasterKey(dir), /EEXIST/)
})

test('the environment comes before the file', async (t) => {
  const dir = await folder(t)
  await createMasterKey(dir)
  const given = 'aB'.repeat(32)
  const loaded = await loadMasterKey(dir, { [MASTER_KEY_VARIABLE]: given })
  assert.ok(loaded.ok)
  assert.equal(loaded.value.key.export().toString('hex'), given.toLowerCase())
})

for (const mode of [0o640, 0o604, 0o620, 0o666])
  test(`refused when others can get at it: mode ${mode.toString(8)}`, async (t) => {
    const dir = await folder(t)
    await createMasterKey(dir)
    await chmod(join(dir, MASTER_KEY_FILE), mode)
    const loaded = await loadMasterKey(dir, {})
    assert.ok(!loaded.ok && loaded.error.includes('chmod 600'))
  })

const wrong: readonly [text: string, why: string][] = [
  ['', 'empty'],
  ['ab'.repeat(31), 'too short'],
  ['ab'.repeat(33), 'too long'],
  ['xy'.repeat(32), 'not hex'],
]
for (const [text, why] of wrong)
  test(`refused: ${why}`, async (t) => {
    const dir = await folder(t)
    await writeFile(join(dir, MASTER_KEY_FILE), text, { mode: 0o600 })
    for (const environment of [{}, { [MASTER_KEY_VARIABLE]: text }]) {
      const loaded = await loadMasterKey(dir, environment)
      assert.ok(!loaded.ok && loaded.error.includes('64 hex digits'))
      assert.ok(text === '' || !loaded.error.includes(text), 'the key is not said aloud')
    }
  })

test('no file: says what to do', async (t) => {
  const loaded = await loadMasterKey(await folder(t), {})
  assert.ok(!loaded.ok && loaded.error.includes('sealpost init'))
})
