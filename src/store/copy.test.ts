/** From SQLite to PostgreSQL: everything, once, compared; broken off, it goes on. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { needsPostgres, type PostgresServer, startPostgres } from '../../test/support/postgres.ts'
import { addAccount, listAccounts } from './accounts.ts'
import { addAnchorRow, listAnchorRows } from './anchors.ts'
import { FRAME_BYTES } from './bytes/sealing.ts'
import { COPIED, NOT_COPIED, type StoreCopy } from './copy.ts'
import { address, type Opened, openSqliteStore, queueItem, START_MS } from './conformance/fixture.ts'
import { copyStoreTo } from './database.ts'
import { addToMailbox, listMailbox } from './mailboxes.ts'
import { leaseBatches } from './leases.ts'
import { enqueue, listQueue } from './queue.ts'
import { addTrace, traceOf } from './trace.ts'

const LARGE = randomBytes(20 * FRAME_BYTES)
const SMALL = randomBytes(5_000)
const TRACES = 1_200

describe('store copy', needsPostgres(), () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())

  test('every table is either copied or known not to be', async (t) => {
    const { store } = await openSqliteStore(t)
    const tables = await store.db.introspection.getTables()
    assert.deepEqual(tables.map(({ name }) => name).toSorted(), [...COPIED, ...NOT_COPIED].toSorted())
  })

  test('all of it is there, and goes on from there', async (t) => {
    const opened = await openSqliteStore(t)
    await fill(opened)
    const url = await server.newDatabase()
    const rows = await copyTo(opened, url)
    assert.deepEqual([rows['accounts'], rows['bytes'], rows['trace'], rows['queue']], [1, 2, TRACES, 1])
    const copy = await opened.again({ url })
    t.after(() => copy.close())
    const [account] = await listAccounts(copy.db)
    const [large] = await listMailbox(copy.db, account?.id ?? 0)
    const [queued] = await listQueue(copy.db)
    assert.ok(large !== undefined && queued !== undefined)
    assert.ok(LARGE.equals(await copy.bytes.read(large.bytesId)))
    assert.ok(SMALL.equals(await copy.bytes.read(queued.bytesId)))
    assert.equal((await traceOf(copy.db, '<1@x>')).length, TRACES)
    assert.equal((await listAnchorRows(copy.db)).length, 1)
    const options = { nowMs: START_MS, leaseMs: 1, limit: 9, node: '' }
    assert.equal((await copy.commit((tx) => leaseBatches(tx, options))).length, 1, 'what was leased is free')
    const bob = await copy.commit((tx) =>
      addAccount(tx, { address: address('b@abc.com'), passwordHash: 'x', nowMs: 1 }),
    )
    assert.ok(bob !== 'taken' && bob.id > (account?.id ?? 0))
    await assert.rejects(copyTo(opened, url), /finished already/)
  })

  test('broken off, it goes on where it was', async (t) => {
    const opened = await openSqliteStore(t)
    await fill(opened)
    const url = await server.newDatabase()
    const breakOff = (what: string, share: number): void => {
      if (what === 'trace' && share < 1) throw new Error('the plug was pulled')
    }
    await assert.rejects(copyTo(opened, url, breakOff), /plug/)
    const [before] = await server.query(url, 'SELECT count(*)::int AS rows FROM trace')
    assert.ok(Number(before?.['rows']) > 0 && Number(before?.['rows']) < TRACES, 'in the middle')
    assert.equal((await copyTo(opened, url))['trace'], TRACES)
  })

  test('what is not the same is said, and so is a database in use', async (t) => {
    const opened = await openSqliteStore(t)
    await fill(opened)
    const url = await server.newDatabase()
    const breakOff = (what: string): void => {
      if (what === 'comparing data_keys') throw new Error('the plug was pulled')
    }
    await assert.rejects(copyTo(opened, url, breakOff), /plug/)
    await server.query(url, 'UPDATE pieces SET sealed = set_byte(sealed, 100, 255 - get_byte(sealed, 100))')
    await assert.rejects(copyTo(opened, url), /bytes is not the same/)
    const other = await openSqliteStore(t)
    await assert.rejects(copyTo(other, url), /in use/)
  })
})

const copyTo = ({ dir }: Opened, url: string, progress: StoreCopy['progress'] = () => undefined) =>
  copyStoreTo(url, { dir, actor: 'test', progress })

async function fill({ store }: Opened): Promise<void> {
  const [large, small] = [await store.bytes.seal(LARGE), await store.bytes.seal(SMALL)]
  await store.commit(async (tx) => {
    const account = await addAccount(tx, { address: address('a@abc.com'), passwordHash: 'x', nowMs: 1 })
    assert.ok(account !== 'taken')
    const bytesId = await store.bytes.insert(tx, large)
    await addToMailbox(tx, { accountId: account.id, bytesId, sizeBytes: LARGE.length, receivedMs: 1 })
    const leased = { leasedUntilMs: START_MS + 60_000, leasedBy: 'elsewhere' }
    await enqueue(tx, [queueItem(await store.bytes.insert(tx, small), 'b@nec.co.us', leased)])
    await addAnchorRow(tx, { fingerprint: 'f', standard: 'smime', encoded: Buffer.of(1), source: 'admin', addedMs: 1 })
    const entry = { atMs: START_MS, messageId: '<1@x>', event: 'e\0', detail: '' }
    await addTrace(
      tx,
      Array.from({ length: TRACES }, () => entry),
    )
  })
}
