/** What several nodes on one PostgreSQL do to each other, and what its loss does to them. */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'kysely'
import { describeOnPostgres } from '../../../test/support/postgres-store.ts'
import type { PostgresServer } from '../../../test/support/postgres.ts'
import { addAccount, findAccount, listAccounts } from '../accounts.ts'
import { FRAME_BYTES } from '../bytes/sealing.ts'
import { address, type Opened, putBytes, queueItem } from '../conformance/fixture.ts'
import { migrateStore, type Store } from '../database.ts'
import { SCHEMA_VERSION } from '../migrations/list.ts'
import { endLeases, leaseBatches } from '../leases.ts'
import { enqueue, listQueue, nextDueMs, releaseItems } from '../queue.ts'
import { addTrace, traceOf } from '../trace.ts'
import { eventually } from '../../../test/support/eventually.ts'

const LEASE_MS = 60_000

describeOnPostgres('PostgreSQL', ({ server, open }) => {
  test('who migrates at the same time as others waits for them', async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'sealpost-node-'))
    t.after(() => rm(dir, { recursive: true }))
    const empty = await server().newDatabase()
    const migrated = await Promise.all([1, 2, 3].map(() => migrateStore({ dir, url: empty })))
    assert.deepEqual(
      migrated.map(({ from }) => from).toSorted((a, b) => a - b),
      [0, SCHEMA_VERSION, SCHEMA_VERSION],
    )
  })
  newColumns(open, server)
  leases(open)
  newsAndClock(open)
  again(open)
  values(open)
  loss(open, server)
})

/** Decision 0071: what a newer program adds is nothing to the one that runs. */
function newColumns(open: OpenStore, server: () => PostgresServer): void {
  test('a table that gets a column while statements on it are prepared', async (t) => {
    const opened = await open(t)
    const url = await server().newDatabase()
    const store = await opened.again({ url, migrate: true })
    t.after(() => store.close())
    const ann = address('ann@abc.com')
    const use = () =>
      store.commit(async (tx) => {
        const bytesId = await putBytes(store, tx)
        const ids = await enqueue(tx, [queueItem(bytesId, ann)])
        await addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'x', detail: '' })
        await addAccount(tx, { address: ann, passwordHash: 'x', nowMs: 1 })
        return [await findAccount(tx, ann), await findAccount(store.db, ann), await nextDueMs(store.db), ids].length
      })
    await use()
    for (const table of ['accounts', 'queue', 'bytes', 'trace', 'mailbox'])
      await server().query(url, `ALTER TABLE ${table} ADD COLUMN new_column text`)
    assert.equal(await use(), 4)
    assert.equal((await findAccount(store.db, ann))?.address, ann)
  })
}

type OpenStore = (t: TestContext) => Promise<Opened>

/** A node of its own: with its own folder. */
async function nodeOf(t: TestContext, { again }: Opened): Promise<Store> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-node-'))
  const store = await again({ dir })
  t.after(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })
  return store
}

async function queue({ store }: Opened, count: number): Promise<void> {
  await store.commit(async (tx) => {
    const bytesId = await putBytes(store, tx)
    await enqueue(
      tx,
      Array.from({ length: count }, (_, at) => queueItem(bytesId, `u${at}@domain${at}.example`)),
    )
  })
}

async function lease(store: Store, nowMs: number, limit: number): Promise<string[]> {
  const options = { nowMs, leaseMs: LEASE_MS, limit, node: store.node }
  const batches = await store.commit((tx) => leaseBatches(tx, options))
  return batches.flatMap(({ items }) => items.map(({ recipient }) => recipient))
}

function leases(open: OpenStore): void {
  test('three nodes that lease at once get each mail once, and do not wait for each other', async (t) => {
    const opened = await open(t)
    const nodes = [opened.store, await nodeOf(t, opened), await nodeOf(t, opened)]
    await queue(opened, 300)
    const got = await Promise.all(
      nodes.map(async (node) => {
        const mine: string[] = []
        for (let rounds = 0; rounds < 60 && mine.length < 300; rounds++)
          mine.push(...(await lease(node, opened.clock.now, 8)))
        return mine
      }),
    )
    assert.equal(got.flat().length, 300)
    assert.equal(new Set(got.flat()).size, 300)
    assert.ok(got.every((mine) => mine.length > 0))
  })

  test('a node that starts again ends its own leases; those of a dead one run out', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const other = await nodeOf(t, opened)
    assert.notEqual(store.node, other.node)
    await queue(opened, 2)
    const [mine] = await lease(store, clock.now, 1)
    const [others] = await lease(other, clock.now, 1)
    await using again = await opened.again()
    assert.equal(again.node, store.node)
    await again.commit((tx) => endLeases(tx, again.node))
    assert.deepEqual(await lease(again, clock.now, 9), [mine])
    clock.now += LEASE_MS
    assert.ok((await lease(again, clock.now, 9)).includes(others ?? ''))
  })
}

function newsAndClock(open: OpenStore): void {
  test('mail that one node queues wakes another at once', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const other = await nodeOf(t, opened)
    let heard = 0
    other.onQueued(() => heard++)
    await queue(opened, 1)
    await eventually(async () => assert.equal(heard, 1))
    const [row] = await listQueue(store.db)
    await store.commit((tx) => releaseItems(tx, [row?.id ?? 0], clock.now))
    await eventually(async () => assert.equal(heard, 2))
    await store.commit((tx) => addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'e', detail: '' }))
    await wait(50)
    assert.equal(heard, 2, 'what is no mail wakes nobody')
  })

  test("the time is the database's, whatever this machine thinks", async (t) => {
    const opened = await open(t)
    t.mock.method(Date, 'now', () => 0)
    const node = await opened.again({ clock: undefined as never })
    t.after(() => node.close())
    const { rows } = await sql<{
      ms: number
    }>`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`.execute(node.db)
    assert.ok(Math.abs(node.clock.nowMs() - (rows[0]?.ms ?? 0)) < 1_000)
  })

  test('house is kept by one at a time', async (t) => {
    const opened = await open(t)
    const other = await nodeOf(t, opened)
    const done: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = opened.store.unlessBusy('a', async () => {
      done.push('first')
      await gate.promise
    })
    await eventually(async () => assert.deepEqual(done, ['first']))
    await other.unlessBusy('a', async () => void done.push('never'))
    await other.unlessBusy('b', async () => void done.push('other'))
    gate.resolve()
    await first
    await other.unlessBusy('a', async () => void done.push('next'))
    assert.deepEqual(done, ['first', 'other', 'next'])
  })

  test('two nodes that add the same at once: both are answered, and it is there once', async (t) => {
    const opened = await open(t)
    const other = await nodeOf(t, opened)
    const row = { key: 'k', until_ms: 1, size_bytes: 0, encoded: Buffer.of() }
    const add = (store: Store): Promise<string> =>
      store.commit(async (tx) => {
        const known = await tx.selectFrom('validation_data').select('key').execute()
        if (known.length > 0) return 'seen'
        await sql`select pg_sleep(0.1)`.execute(tx)
        await tx.insertInto('validation_data').values(row).execute()
        return 'added'
      })
    const done = await Promise.all([add(opened.store), add(other)])
    assert.deepEqual(done.toSorted(), ['added', 'seen'])
  })
}

function again(open: OpenStore): void {
  const cases: readonly [code: string, timesMet: number, outcome: 'fulfilled' | 'rejected', why: string][] = [
    ['40001', 3, 'fulfilled', 'what met another transaction three times is done again'],
    ['40P01', 3, 'fulfilled', 'so is what was a deadlock'],
    ['40001', 99, 'rejected', 'but not for ever'],
    ['22012', 3, 'rejected', 'what is wrong by itself is not'],
  ]
  for (const [code, timesMet, outcome, why] of cases)
    test(why, async (t) => {
      const { store } = await open(t)
      let runs = 0
      const work = store.commit(async (tx) => {
        if (runs++ < timesMet)
          await sql`do ${sql.raw(`$$ begin raise exception 'met' using errcode = '${code}'; end $$`)}`.execute(tx)
      })
      const [result] = await Promise.allSettled([work])
      assert.equal(result.status, outcome)
    })
}

function values(open: OpenStore): void {
  test('NUL in what a stranger wrote does not keep a mail out', async (t) => {
    const { store } = await open(t)
    await store.commit((tx) => addTrace(tx, { atMs: 1, messageId: '<a\0b@x>', event: 'e', detail: '\0' }))
    const [entry] = await store.db.selectFrom('trace').selectAll().execute()
    assert.deepEqual([entry?.message_id, entry?.detail], ['<a\uFFFDb@x>', '\uFFFD'])
  })

  test('a Message-ID as long as one may be, of characters as large as they may be, is found again', async (t) => {
    const { store } = await open(t)
    const characters = Array.from({ length: 998 }, () => String.fromCharCode(0x4e00 + randomInt(0x5000)))
    const messageId = characters.join('')
    await store.commit((tx) => addTrace(tx, { atMs: 1, messageId, event: 'e', detail: '' }))
    assert.equal((await traceOf(store.db, messageId)).length, 1)
  })

  test('a number that cannot be held exactly is not rounded', async (t) => {
    const { store } = await open(t)
    await assert.rejects(sql`select 9007199254740993::bigint`.execute(store.db), /9007199254740993/)
  })

  test('a statement that failed and was swallowed does not let a commit be taken for one', async (t) => {
    const { store } = await open(t)
    const swallowed = store.commit(async (tx) => {
      await addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'lost', detail: '' })
      await sql`select 1 / 0`.execute(tx).catch(() => undefined)
    })
    await assert.rejects(swallowed)
    await store.commit((tx) => addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'kept', detail: '' }))
    assert.deepEqual(
      (await traceOf(store.db, '<1@x>')).map(({ event }) => event),
      ['kept'],
    )
  })
}

function loss(open: OpenStore, server: () => PostgresServer): void {
  test('a connection lost in the middle of a transaction loses all of it, and the next one works', async (t) => {
    const { store } = await open(t)
    const cut = store.commit(async (tx) => {
      await addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'before', detail: '' })
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx).catch(() => undefined)
      await addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'after', detail: '' })
    })
    await assert.rejects(cut)
    await store.commit((tx) => addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'next', detail: '' }))
    assert.deepEqual(
      (await traceOf(store.db, '<1@x>')).map(({ event }) => event),
      ['next'],
    )
  })

  test('the tables of a server are not touched unasked: what to do is said', async (t) => {
    const opened = await open(t)
    const url = await server().newDatabase()
    await assert.rejects(opened.again({ url, migrate: false }), /empty: run "sealpost migrate"/)
    assert.deepEqual(await migrateStore({ dir: opened.dir, url }), { from: 0, to: SCHEMA_VERSION })
    const store = await opened.again({ url, migrate: false })
    await store.close()
    await server().query(url, 'DELETE FROM schema_version WHERE version > 3')
    await assert.rejects(opened.again({ url, migrate: false }), /at schema version 3.*run "sealpost migrate"/)
  })

  test('large bytes whose commit may have happened are kept while a row speaks of them', async (t) => {
    const { store } = await open(t)
    const plain = randomBytes(20 * FRAME_BYTES)
    const finished = await store.bytes.seal(plain)
    const id = await store.commit((tx) => store.bytes.insert(tx, finished))
    await store.bytes.discard(finished)
    assert.ok(plain.equals(await store.bytes.read(id)))
  })

  test('kill -9 of the server under load: what was answered is there, and nobody has to start anything again', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const promised: string[] = []
    let failed = 0
    const ended = new AbortController()
    t.after(() => ended.abort())
    const client = async (name: number): Promise<void> => {
      for (let at = 0; !ended.signal.aborted; at++) {
        const event = `${name}-${at}`
        try {
          await store.commit((tx) => addTrace(tx, { atMs: 1, messageId: '<1@x>', event, detail: '' }))
          promised.push(event)
        } catch {
          failed++
          await wait(20)
        }
      }
    }
    const clients = Array.from({ length: 8 }, (_, name) => client(name))
    for (let kill = 0; kill < 3; kill++) {
      const before = promised.length
      await eventually(async () => assert.ok(promised.length > before + 100))
      await server().kill()
      await server().start()
    }
    const before = promised.length
    await eventually(async () => assert.ok(promised.length > before + 100))
    ended.abort()
    await Promise.all(clients)
    const kept = new Set((await traceOf(store.db, '<1@x>')).map(({ event }) => event))
    assert.ok(failed > 0)
    assert.deepEqual(
      promised.filter((event) => !kept.has(event)),
      [],
    )
    const other = await opened.again()
    await other.commit((tx) => addAccount(tx, { address: address('z@abc.com'), passwordHash: 'x', nowMs: 1 }))
    await other.close()
    await eventually(async () => assert.ok((await store.changes.of('accounts')) > 0))
    assert.equal((await listAccounts(store.db)).length, 1)
  })
}
