/** What only SQLite can do wrong: locks between processes, a full disk, file modes, kill -9. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'kysely'
import { address, openSqliteStore, START_MS } from '../conformance/fixture.ts'
import { addAccount, findAccount } from '../accounts.ts'
import { DATABASE_FILE, openStore, type Store } from '../database.ts'
import { MIGRATIONS, SCHEMA_VERSION } from '../migrations/list.ts'
import { addPrivateKeyRow, privateKeyRowsOf } from '../private-key-rows.ts'
import { addTrace, traceOf } from '../trace.ts'

const note = (store: Store, detail = '') =>
  store.commit((tx) => addTrace(tx, { atMs: START_MS, messageId: '<1@x>', event: 'e', detail }))

test('nobody else can read the files', async (t) => {
  const { store, dir } = await openSqliteStore(t)
  await note(store)
  const names = (await readdir(dir)).filter((name) => name.startsWith(DATABASE_FILE))
  assert.ok(names.length >= 2, 'database and WAL')
  for (const name of names) assert.equal((await stat(join(dir, name))).mode & 0o077, 0, name)
})

test('references are enforced, and a checkpoint syncs', async (t) => {
  const { store } = await openSqliteStore(t)
  const pragma = async (name: string) =>
    store.commit(
      async (tx) =>
        Object.values((await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(tx)).rows[0] ?? {})[0],
    )
  assert.equal(await pragma('journal_mode'), 'wal')
  assert.equal(await pragma('synchronous'), 1)
  assert.equal(await pragma('foreign_keys'), 1)
})

/** Every sync of a file goes through `instead` until the test ends. */
async function replaceSync(t: TestContext, instead: (original: () => Promise<void>) => Promise<void>): Promise<void> {
  const handle = await open('/dev/null')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const original = prototype.datasync
  prototype.datasync = function (this: FileHandle) {
    return instead(() => original.call(this))
  }
  t.after(() => (prototype.datasync = original))
}

test('a commit is answered when the log has been synced, and not before', async (t) => {
  const { store } = await openSqliteStore(t)
  const synced = Promise.withResolvers<void>()
  await replaceSync(t, async (original) => {
    await synced.promise
    await original()
  })
  const commit = note(store)
  assert.equal(await Promise.race([commit.then(() => 'answered'), wait(50, 'waits')]), 'waits')
  synced.resolve()
  await commit
})

test('a log that cannot be synced goes into the database file, or the commit fails until it can', async (t) => {
  const { store, dir } = await openSqliteStore(t)
  let broken = true
  let syncs = 0
  await replaceSync(t, async (original) => {
    syncs++
    if (broken) throw new Error('EIO')
    await original()
  })
  await note(store, 'one')
  assert.equal((await stat(join(dir, `${DATABASE_FILE}-wal`))).size, 0)
  broken = false
  await note(store, 'two')
  assert.equal(syncs, 2)

  broken = true
  const reading = new DatabaseSync(join(dir, DATABASE_FILE))
  reading.exec('BEGIN; SELECT * FROM trace')
  const third = note(store, 'three')
  assert.equal(await Promise.race([third.then(() => 'answered'), wait(50, 'waits')]), 'waits')
  reading.close()
  await third
  assert.deepEqual(
    (await traceOf(store.db, '<1@x>')).map(({ detail }) => detail),
    ['one', 'two', 'three'],
  )
})

test('a lock of another process is waited for, and this process goes on meanwhile', async (t) => {
  const { store, dir } = await openSqliteStore(t)
  const other = new DatabaseSync(join(dir, DATABASE_FILE))
  other.exec('BEGIN IMMEDIATE')
  const commit = note(store)
  let turns = 0
  for (; turns < 10; turns++) await wait(5)
  assert.equal((await traceOf(store.db, '<1@x>')).length, 0)
  other.exec('COMMIT')
  other.close()
  await commit
  assert.equal((await traceOf(store.db, '<1@x>')).length, 1)
})

test('who reads sees nothing of a transaction that runs, whichever connection reads', async (t) => {
  const { store } = await openSqliteStore(t)
  const one = address('a@abc.com')
  const seen = await store.commit(async (tx) => {
    await addAccount(tx, { address: one, passwordHash: 'x', nowMs: 1 })
    return [await findAccount(tx, one), await findAccount(store.db, one)].map((account) => account !== undefined)
  })
  assert.deepEqual(seen, [true, false])
  assert.ok(await findAccount(store.db, one))
})

test('a database of a newer program is refused, unless it says that this one can use it', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  const brought = (usableSince: number | null): Promise<unknown> =>
    store.commit((tx) => {
      const newer = { version: SCHEMA_VERSION + 2, applied_ms: 1, usable_since: usableSince }
      return tx.replaceInto('schema_version').values(newer).execute()
    })
  for (const usableSince of [null, SCHEMA_VERSION + 1]) {
    await brought(usableSince)
    await assert.rejects(openStore({ dir, masterKey, clock }), /newer Sealpost/)
  }
  await brought(SCHEMA_VERSION)
  await using again = await openStore({ dir, masterKey, clock })
  await note(again)
})

test('every migration since then can be used by the program before it', () => {
  const said = MIGRATIONS.filter(({ version }) => version > 12)
  assert.deepEqual(
    said.filter(({ version, usableSince = version }) => usableSince >= version),
    [],
  )
})

test('opened again, nothing is migrated twice', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  clock.now += 1
  await using again = await openStore({ dir, masterKey, clock })
  const versions = await again.db.selectFrom('schema_version').selectAll().execute()
  assert.deepEqual(
    versions.map((row) => [row.version, row.applied_ms]),
    Array.from({ length: SCHEMA_VERSION }, (_, index) => [index + 1, START_MS]),
  )
  await note(store)
})

/** What the migrations since then have made. */
const TO_VERSION_4 = [
  'drop table account_entries',
  'alter table schema_version drop column usable_since',
  'drop index private_keys_by_fingerprint',
  'drop index accounts_by_wkd_name',
  'alter table accounts drop column wkd_name',
  'drop table pieces',
  'alter table queue drop column leased_by',
  'alter table accounts drop column source',
  'drop table tls_results',
  'alter table bytes drop column front',
  'drop table dkim_keys',
  'alter table private_keys drop column sealed_revocation',
  'delete from schema_version where version > 4',
]

test('a database of an earlier version keeps its keys', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  const row = {
    owner: 'a@abc.com',
    ownerKey: 'a@abc.com',
    purpose: 'mail',
    standard: 'smime',
    fingerprint: 'f',
  } as const
  const bytes = Uint8Array.of(1)
  const key = { certificate: bytes, chain: [], dataKeyId: store.dataKeys.current().id, sealed: bytes, createdMs: 1 }
  await store.commit(async (tx) => {
    await addPrivateKeyRow(tx, { ...row, ...key, sealedRevocation: null })
    for (const undo of TO_VERSION_4) await sql.raw(undo).execute(tx)
  })
  await using again = await openStore({ dir, masterKey, clock })
  const [kept] = await privateKeyRowsOf(again.db, 'mail', 'a@abc.com')
  assert.deepEqual([kept?.fingerprint, kept?.sealedRevocation], ['f', null])
})

test('a full disk fails what does not fit, and nothing that was promised', async (t) => {
  const { store } = await openSqliteStore(t)
  await note(store, 'before')
  const limit = (pages: number) =>
    store.commit((tx) => sql`pragma max_page_count = ${sql.raw(String(pages))}`.execute(tx))
  await limit(1) // SQLite takes it as "no more than now"
  const results = await Promise.allSettled([
    store.commit((tx) => addAccount(tx, { address: address('a@abc.com'), passwordHash: 'x', nowMs: 1 })),
    note(store, 'x'.repeat(1_000_000)),
    note(store, 'small'),
  ])
  assert.equal(results[1]?.status, 'rejected')
  const kept = (await traceOf(store.db, '<1@x>')).map(({ detail }) => detail)
  assert.equal(kept.includes('small'), results[2]?.status === 'fulfilled')
  const accounts = await store.db.selectFrom('accounts').select('id').execute()
  assert.equal(accounts.length === 1, results[0]?.status === 'fulfilled')
  await limit(1_000_000)
  await note(store, 'after')
  assert.ok((await traceOf(store.db, '<1@x>')).some(({ detail }) => detail === 'after'))
})

/** Commits in groups for ever, and says which are done. */
const CHILD = `
import { createSecretKey } from 'node:crypto'
const { openStore } = await import(process.argv[1])
const { addTrace } = await import(process.argv[2])
const masterKey = { id: '0', key: createSecretKey(Buffer.alloc(32)) }
const store = await openStore({ dir: process.argv[3], masterKey, clock: { nowMs: () => 0 } })
for (let at = 0; ; at += 3)
  await Promise.all([0, 1, 2].map(async (part) => {
    const detail = String(at + part)
    await store.commit((tx) => addTrace(tx, { atMs: 0, messageId: '<1@x>', event: 'e', detail }))
    process.stdout.write(detail + '\\n')
  }))
`

test('kill -9: everything that was said to be committed is there', async (t) => {
  const { dir } = await openSqliteStore(t)
  const folder = join(dir, 'child')
  const modules = ['../database.ts', '../trace.ts'].map((path) => new URL(path, import.meta.url).href)
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, ...modules, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    said += String(chunk)
    if (said.split('\n').length > 50) break
  }
  child.kill('SIGKILL')
  await once(child, 'close').catch(() => undefined)
  const masterKey = { id: '0', key: createSecretKey(Buffer.alloc(32)) }
  await using store = await openStore({ dir: folder, masterKey, clock: { nowMs: () => 0 } })
  const kept = new Set((await traceOf(store.db, '<1@x>')).map(({ detail }) => detail))
  const promised = said.split('\n').slice(0, -1)
  assert.ok(promised.length >= 50)
  assert.deepEqual(
    promised.filter((detail) => !kept.has(detail)),
    [],
  )
})
