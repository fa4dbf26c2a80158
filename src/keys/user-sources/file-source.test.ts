import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { address } from '../../store/conformance/fixture.ts'
import { Passwords } from '../password.ts'
import { FileSource } from './file-source.ts'
import { SourceDown } from './user-source.ts'

const [AZUMA, SUZUKI] = [address('t-azuma@abc.example'), address('u-suzuki@abc.example')]

async function source(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-users-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'users')
  const clock = { now: 0, nowMs: () => clock.now }
  const passwords = new Passwords()
  const write = async (text: string): Promise<void> => {
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
    clock.now += 1_000
  }
  return { users: new FileSource({ file, passwords, clock }), passwords, clock, write, file }
}

test('found and proven, by an alias too', async (t) => {
  const { users, passwords, write } = await source(t)
  await write(`${AZUMA}:${await passwords.hash('right')}:sales@abc.example\n`)
  const sales = address('SALES@abc.example')
  assert.deepEqual(await users.find(sales), { address: AZUMA })
  assert.deepEqual(await users.verify(sales, 'right'), { kind: 'right', user: { address: AZUMA } })
  assert.deepEqual(await users.verify(AZUMA, 'wrong'), { kind: 'wrong' })
  assert.deepEqual(await users.verify(AZUMA, ''), { kind: 'wrong' })
  assert.deepEqual(await users.verify(SUZUKI, 'right'), { kind: 'nobody' })
})

test('read again when it has changed; a broken or missing file changes nothing', async (t) => {
  const { users, passwords, clock, write, file } = await source(t)
  const hash = await passwords.hash('right')
  await assert.rejects(users.find(AZUMA), SourceDown)
  await write(`${AZUMA}:${hash}\n`)
  assert.deepEqual(await users.find(AZUMA), { address: AZUMA })
  assert.equal(await users.find(SUZUKI), undefined)
  await write(`${SUZUKI}:${hash}\n`)
  assert.equal(await users.find(AZUMA), undefined)
  assert.deepEqual(await users.find(SUZUKI), { address: SUZUKI })
  for (const broken of ['', `${SUZUKI}:${hash}\n${AZUMA}:plain\n`]) {
    await write(broken)
    assert.deepEqual(await users.find(SUZUKI), { address: SUZUKI })
  }
  await rm(file)
  clock.now += 1_000
  assert.deepEqual(await users.find(SUZUKI), { address: SUZUKI })
  await write(`${AZUMA}:${hash}\n`)
  assert.equal(await users.find(SUZUKI), undefined)
})
