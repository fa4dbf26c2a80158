import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { copyStore } from './backup.ts'
import { releaseBytes } from './bytes/release.ts'
import { INLINE_MAX_BYTES } from './bytes/bytes-writer.ts'
import { openSqliteStore } from './conformance/fixture.ts'
import { openStore, type Store } from './database.ts'
import { parseManifest } from './manifest.ts'
import type { BytesId } from './schema.ts'

const LARGE = Buffer.alloc(INLINE_MAX_BYTES * 2, 'x')

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []))
}

async function add(store: Store): Promise<BytesId> {
  const finished = await store.bytes.seal(LARGE)
  return store.commit((tx) => store.bytes.insert(tx, finished))
}

test('the copy is of one moment: what came since the first look is in it, and what goes while it is copied', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  const first = await add(store)
  const ids = [first]
  const raced: Store = {
    ...store,
    async commit(work) {
      ids.push(await add(store))
      const done = await store.commit(work)
      await store.commit((tx) => releaseBytes(tx, ids))
      await store.commit(async () => undefined)
      return done
    },
  }
  const to = join(dir, 'copy')
  await mkdir(to)
  const { files, missing } = await copyStore(raced, {
    dataDir: dir,
    to,
    note: async () => undefined,
    progress: () => undefined,
  })
  assert.deepEqual(missing, [])
  assert.deepEqual(
    files.map(({ name }) => name.split('/')[0]),
    ['sealpost.db', 'bytes', 'bytes'],
  )
  assert.deepEqual(await filesIn(join(dir, 'bytes')), [], 'gone from the store by now')
  await using copy = await openStore({ dir: to, masterKey, clock })
  for (const id of ids) assert.deepEqual(Buffer.from(await copy.bytes.read(id)), LARGE)
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith('.backup')),
    [],
  )
})

test('a manifest is whole or none', () => {
  const head = '{"format":1,"createdMs":1,"masterKeyId":"a","rows":{}}'
  const file = (name: string) => `{"name":"${name}","sizeBytes":1,"sha256":"${'0'.repeat(64)}"}`
  const parse = (...lines: string[]) => parseManifest(lines.join('\n'))
  assert.ok(parse(head, file('sealpost.db'), '{"end":1}').ok)
  for (const lines of [
    [head, file('sealpost.db')],
    [head, file('../sealpost.db'), '{"end":1}'],
    [head, '{"name":"sealpost.db"}', '{"end":1}'],
    ['{"format":2}', '{"end":0}'],
  ])
    assert.equal(parse(...lines).ok, false)
})
