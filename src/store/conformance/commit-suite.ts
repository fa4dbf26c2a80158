/** Group commit, changes noticed across stores. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { EVENT_CHANNEL } from '../../base/events.ts'
import { addAccount, listAccounts } from '../accounts.ts'
import type { Store } from '../database.ts'
import { addToMailbox } from '../mailboxes.ts'
import { enqueue, listQueue } from '../queue.ts'
import type { BytesId } from '../schema.ts'
import { addTrace, traceOf } from '../trace.ts'
import { address, queueItem, START_MS, type Open } from './fixture.ts'
import { eventually } from '../../../test/support/eventually.ts'

const note = (store: Store, event: string) =>
  store.commit((tx) => addTrace(tx, { atMs: START_MS, messageId: '<1@x>', event, detail: '' }))

const events = async (store: Store): Promise<string[]> => (await traceOf(store.db, '<1@x>')).map(({ event }) => event)

export function commitSuite(open: Open): void {
  throwingSuite(open)

  test('commit: returns what the work returned, and reads its own writes before others do', async (t) => {
    const { store } = await open(t)
    const seen = await store.commit(async (tx) => {
      await addTrace(tx, { atMs: 1, messageId: '<1@x>', event: 'mine', detail: '' })
      return { mine: (await traceOf(tx, '<1@x>')).length, others: (await traceOf(store.db, '<1@x>')).length }
    })
    assert.deepEqual(seen, { mine: 1, others: 0 })
    assert.deepEqual(await events(store), ['mine'])
  })

  test('commit: a thousand at once, in order', async (t) => {
    const { store } = await open(t)
    const names = Array.from({ length: 1_000 }, (_, at) => String(at))
    await Promise.all(names.map((name) => note(store, name)))
    assert.deepEqual(await events(store), names)
  })

  test('commit: what many write at once is what each has written', async (t) => {
    const { store } = await open(t)
    const mails = await Promise.all(
      Array.from({ length: 75 }, async (_, at) => ({ at, sealed: await store.bytes.seal(Buffer.from(`mail ${at}`)) })),
    )
    const queued = await Promise.all(
      mails.map(({ at, sealed }) =>
        store.commit(async (tx) => {
          const bytesId = await store.bytes.insert(tx, sealed)
          const items = [queueItem(bytesId, `u${at}@abc.com`), queueItem(bytesId, `v${at}@abc.com`)]
          return { ids: await enqueue(tx, items), bytesId }
        }),
      ),
    )
    const rows = new Map((await listQueue(store.db)).map((row) => [row.id, row]))
    assert.equal(rows.size, 150)
    for (const [at, { ids, bytesId }] of queued.entries()) {
      assert.deepEqual(
        ids.map((id) => [rows.get(id)?.recipient, rows.get(id)?.bytesId]),
        [`u${at}@abc.com`, `v${at}@abc.com`].map((recipient) => [recipient, bytesId]),
      )
      assert.equal(Buffer.from(await store.bytes.read(bytesId)).toString(), `mail ${at}`)
    }
  })

  test('commit: a row for older bytes beside one for new bytes: both are written', async (t) => {
    const { store } = await open(t)
    const [first, second] = [await store.bytes.seal(Buffer.from('old')), await store.bytes.seal(Buffer.from('new'))]
    const older = await store.commit((tx) => store.bytes.insert(tx, first))
    const said: unknown[] = []
    const listen = (event: unknown): unknown => said.push(event)
    subscribe(EVENT_CHANNEL, listen)
    t.after(() => unsubscribe(EVENT_CHANNEL, listen))
    await Promise.all([
      store.commit((tx) => enqueue(tx, [queueItem(older, 'u@abc.com')])),
      store.commit(async (tx) => enqueue(tx, [queueItem(await store.bytes.insert(tx, second), 'v@abc.com')])),
    ])
    const read = async (id: BytesId): Promise<string> => Buffer.from(await store.bytes.read(id)).toString()
    assert.deepEqual(said, [], 'the first time')
    const rows = await listQueue(store.db)
    assert.equal(rows.length, 2)
    for (const { recipient, bytesId } of rows)
      assert.equal(await read(bytesId), recipient === 'u@abc.com' ? 'old' : 'new')
  })

  test('commit: close finishes what waits and refuses what comes later', async (t) => {
    const { store, again } = await open(t)
    const second = await again()
    const last = note(second, 'last')
    await second.close()
    await last
    await assert.rejects(note(second, 'too late'), /closed/)
    assert.deepEqual(await events(store), ['last'])
  })

  test('commit: two processes share one database, and caches notice', async (t) => {
    const { store, again } = await open(t)
    await using other = await again()
    const before = await store.changes.of('accounts')
    await Promise.all([note(store, 'a'), note(other, 'b'), note(store, 'c'), note(other, 'd')])
    assert.equal((await events(store)).length, 4)
    assert.equal(await store.changes.of('accounts'), before)
    await other.commit((tx) => addAccount(tx, { address: address('a@abc.com'), passwordHash: 'x', nowMs: 1 }))
    await eventually(async () => assert.equal(await store.changes.of('accounts'), before + 1))
    assert.equal(await store.changes.of('certificates'), 0)
  })

  test('commit: nothing is written outside a transaction', async (t) => {
    const { store } = await open(t)
    await assert.rejects(store.db.insertInto('changes').values({ noun: 'x', count: 1 }).execute(), /readonly|read-only/)
  })
}

function throwingSuite(open: Open): void {
  test('commit: a row that refers to nothing fails its own work alone', async (t) => {
    const { store } = await open(t)
    const item = { accountId: 99, bytesId: 99 as BytesId, sizeBytes: 1, receivedMs: START_MS }
    const wrong = store.commit((tx) => addToMailbox(tx, item))
    const results = await Promise.allSettled([note(store, 'a'), wrong, note(store, 'c')])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(await events(store), ['a', 'c'])
  })

  test('commit: one that throws is undone alone', async (t) => {
    const { store } = await open(t)
    const boom = new Error('boom')
    const results = await Promise.allSettled([
      note(store, 'a'),
      store.commit(async (tx) => {
        await addTrace(tx, { atMs: START_MS, messageId: '<1@x>', event: 'undone', detail: '' })
        throw boom
      }),
      note(store, 'c'),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.equal(results[1]?.status === 'rejected' && results[1].reason, boom)
    assert.deepEqual(await events(store), ['a', 'c'])
  })

  test('commit: what ran before one that throws runs again, and is answered once', async (t) => {
    const { store } = await open(t)
    const runs = { a: 0, c: 0 }
    const count = (name: 'a' | 'c') =>
      store.commit(async (tx) => {
        await addTrace(tx, { atMs: START_MS, messageId: '<1@x>', event: name, detail: '' })
        return ++runs[name]
      })
    const before = store.commits.works
    const boom = store.commit(() => Promise.reject(new Error('boom')))
    const [a, c] = await Promise.all([count('a'), count('c'), assert.rejects(boom, /boom/)])
    assert.deepEqual([a, c, runs], [1, 1, { a: 1, c: 1 }])
    const [again] = await Promise.all([
      count('a'),
      assert.rejects(store.commit(() => Promise.reject(new Error('boom')))),
    ])
    assert.deepEqual([again, runs.a], [3, 3])
    assert.deepEqual([await events(store), store.commits.works - before], [['a', 'c', 'a'], 3])
  })

  test('commit: a constraint that fails in the middle hurts nobody else', async (t) => {
    const { store } = await open(t)
    const add = (text: string) =>
      store.commit((tx) => addAccount(tx, { address: address(text), passwordHash: 'x', nowMs: START_MS }))
    const results = await Promise.allSettled([
      add('a@abc.com'),
      store.commit((tx) => tx.deleteFrom('data_keys').where('id', '=', 1).execute()),
      store.commit((tx) =>
        tx
          .insertInto('mailbox')
          .values({
            account_id: 99,
            uidl: 'u',
            size_bytes: 1,
            received_ms: 1,
            bytes_id: 1 as never,
            evidence_bytes_id: null,
          })
          .execute(),
      ),
      add('b@abc.com'),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    )
    assert.equal((await listAccounts(store.db)).length, 2)
  })
}
