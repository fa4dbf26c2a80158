import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Domain } from '../../message/address.ts'
import { INLINE_MAX_BYTES } from '../bytes/bytes-writer.ts'
import { BytesMissing } from '../bytes/sealing.ts'
import { enqueueFor } from '../hand-over.ts'
import { endLeases, endLostLeases, lastLeasedBy, leaseBatches, renewLease } from '../leases.ts'
import {
  BATCH_RECIPIENTS_MAX,
  endWaitsOfWrongClock,
  enqueue,
  holdItems,
  listQueue,
  nextDueMs,
  releaseItems,
  removeItems,
  postponeDomain,
  retryItems,
  type NewQueueItem,
  type QueueBatch,
} from '../queue.ts'
import type { BytesId } from '../schema.ts'
import { address, putBytes, queueItem, START_MS, type Open, type Opened } from './fixture.ts'

const LEASE_MS = 60_000

export function queueSuite(open: Open): void {
  leasing(open)
  whose(open)
  wrongClock(open)
  settling(open)
  handingOver(open)
}

/** Queues one message for some recipients and returns its bytes and the new ids. */
async function queued(
  { store }: Opened,
  recipients: readonly string[],
  more: Partial<NewQueueItem> = {},
): Promise<{ bytesId: BytesId; ids: number[] }> {
  const finished = store.bytes.seal(Buffer.from(recipients.join()))
  return store.commit(async (tx) => {
    const bytesId = await putBytes(store, tx, finished)
    const ids = await enqueue(
      tx,
      recipients.map((recipient) => queueItem(bytesId, recipient, more)),
    )
    return { bytesId, ids }
  })
}

function lease({ store, clock }: Opened, limit = 100, excludeDomains: string[] = []): Promise<QueueBatch[]> {
  const options = { nowMs: clock.now, leaseMs: LEASE_MS, limit, node: 'here', excludeDomains: excludeDomains as never }
  return store.commit((tx) => leaseBatches(tx, options))
}

const recipientsOf = (batches: readonly QueueBatch[]): string[][] =>
  batches.map((batch) => batch.items.map((item) => item.recipient))

function wrongClock(open: Open): void {
  test('queue: what waits for a time that only a wrong clock had is due; other waits stay', async (t) => {
    const opened = await open(t)
    const { clock, store } = opened
    const { ids } = await queued(opened, ['later@abc.com'])
    await store.commit((tx) => retryItems(tx, ids, { atMs: START_MS + 1_000, reply: '451 later' }))
    clock.now += 86_400_000
    await queued(opened, ['a@abc.com', 'b@abc.com'], { queuedMs: clock.now })
    clock.now = START_MS
    assert.equal((await lease(opened)).length, 0)
    const wrong = { nowMs: START_MS, afterMs: START_MS + 60_000, latestMs: START_MS + 120_000 }
    await store.commit((tx) => endWaitsOfWrongClock(tx, wrong))
    const [first] = await lease(opened)
    assert.equal(first?.items.length, 2)
    assert.deepEqual(
      first.items.map(({ queuedMs }) => queuedMs),
      [START_MS, START_MS],
    )
    assert.equal(await nextDueMs(store.db), START_MS + 1_000)
  })
}

function leasing(open: Open): void {
  test('queue: what is queued comes back as it was', async (t) => {
    const opened = await open(t)
    const dsn = { notify: 'FAILURE,DELAY', ret: 'HDRS', envid: 'QQ314', orcpt: 'rfc822;A@b.c' } as const
    const more = { mailFrom: '', dsn, tls: 'required', smtpUtf8: true, eightBit: true, bodyKind: 'plain' } as const
    const { bytesId, ids } = await queued(opened, ['u-suzuki@abc.com'], more)
    const [item] = await listQueue(opened.store.db)
    assert.deepEqual(item, {
      ...queueItem(bytesId, 'u-suzuki@abc.com', more),
      id: ids[0],
      nextAttemptMs: START_MS,
      attempts: 0,
      state: 'ready',
      lastReply: null,
      delayToldMs: null,
    })
  })

  test('queue: recipients of one message in one domain make one batch, oldest first', async (t) => {
    const opened = await open(t)
    const first = await queued(opened, ['a@abc.com', 'b@nec.co.us', 'c@abc.com'])
    await queued(opened, ['d@abc.com'], { queuedMs: START_MS - 1 })
    const batches = await lease(opened)
    assert.deepEqual(recipientsOf(batches), [['d@abc.com'], ['a@abc.com', 'c@abc.com'], ['b@nec.co.us']])
    assert.equal(batches[1]?.bytesId, first.bytesId)
    assert.equal(batches[1]?.sizeBytes, 'a@abc.com,b@nec.co.us,c@abc.com'.length)
  })

  test('queue: a batch has at most as many recipients as every server takes', async (t) => {
    const opened = await open(t)
    const many = Array.from({ length: 2 * BATCH_RECIPIENTS_MAX + 1 }, (_, at) => `u${at}@abc.com`)
    const { ids } = await queued(opened, many)
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    const batches = [...(await lease(opened)), ...(await lease(opened))]
    assert.deepEqual(recipientsOf(batches).flat(), many)
    assert.ok(batches.every((batch) => batch.items.length <= BATCH_RECIPIENTS_MAX))
  })

  test('queue: more rows than fit into one statement', async (t) => {
    const opened = await open(t)
    const many = Array.from({ length: 1_234 }, (_, at) => `u${at}@abc.com`)
    const { ids } = await queued(opened, many)
    const listed = await listQueue(opened.store.db)
    assert.deepEqual(
      listed.map((item) => [item.id, item.recipient]),
      ids.map((id, at) => [id, many[at]]),
    )
    await opened.store.commit((tx) => removeItems(tx, ids))
    assert.equal((await listQueue(opened.store.db)).length, 0)
  })

  test('queue: leased once, and again when the lease has run out', async (t) => {
    const opened = await open(t)
    await queued(opened, ['a@abc.com'])
    assert.equal((await lease(opened)).length, 1)
    assert.equal((await lease(opened)).length, 0)
    assert.equal(await nextDueMs(opened.store.db), START_MS + LEASE_MS)
    opened.clock.now += LEASE_MS
    assert.equal((await lease(opened)).length, 1)
  })

  test('queue: limit and excluded domains', async (t) => {
    const opened = await open(t)
    for (const name of ['a', 'b', 'c']) await queued(opened, [`${name}@abc.com`, `${name}@nec.co.us`])
    assert.deepEqual(recipientsOf(await lease(opened, 2, ['abc.com'])), [['a@nec.co.us'], ['b@nec.co.us']])
    assert.deepEqual(recipientsOf(await lease(opened, 1)), [['a@abc.com']])
    assert.deepEqual(recipientsOf(await lease(opened, 9, ['nec.co.us'])), [['b@abc.com'], ['c@abc.com']])
  })

  test('queue: two who lease at once never get the same', async (t) => {
    const opened = await open(t)
    for (let at = 0; at < 20; at++) await queued(opened, [`u${at}@abc.com`])
    const both = await Promise.all([lease(opened, 15), lease(opened, 15)])
    const recipients = both.flatMap((batches) => recipientsOf(batches).flat())
    assert.equal(recipients.length, 20)
    assert.equal(new Set(recipients).size, 20)
  })
}

function whose(open: Open): void {
  test('queue: a lease can be renewed, and all be ended at the start of the server', async (t) => {
    const opened = await open(t)
    const { ids } = await queued(opened, ['a@abc.com'])
    await lease(opened)
    await opened.store.commit((tx) => renewLease(tx, ids, { node: 'there', untilMs: START_MS }))
    assert.equal((await lease(opened)).length, 0, 'what is another’s stays as it is')
    const untilMs = START_MS + 2 * LEASE_MS
    await opened.store.commit((tx) => renewLease(tx, ids, { node: 'here', untilMs }))
    opened.clock.now += LEASE_MS
    assert.equal((await lease(opened)).length, 0)
    await opened.store.commit((tx) => endLeases(tx))
    assert.equal((await lease(opened)).length, 1)
  })

  test('queue: a lease that nobody knows to have ends; one that is younger, in hand or another’s does not', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const { ids } = await queued(opened, ['lost@abc.com', 'in-hand@abc.com'])
    await lease(opened)
    const [, inHand = 0] = ids
    const endLost = (node: string, beforeMs: number): Promise<number> =>
      store.commit((tx) => endLostLeases(tx, { node, nowMs: START_MS, beforeMs, idsInHand: () => [inHand] }))
    assert.equal(await endLost('there', START_MS + LEASE_MS + 1), 0)
    assert.equal(await endLost('here', START_MS + LEASE_MS), 0)
    assert.equal(await endLost('here', START_MS + LEASE_MS + 1), 1)
    assert.deepEqual(recipientsOf(await lease(opened)), [['lost@abc.com']])
    const ours = await store.commit((tx) => lastLeasedBy(tx, [...ids, 999], 'here'))
    assert.deepEqual(new Set(ours), new Set(ids))
    assert.deepEqual(await store.commit((tx) => lastLeasedBy(tx, ids, 'there')), [])
  })

  test('queue: what is leased is not tried by another because it was released', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const { ids } = await queued(opened, ['a@abc.com'])
    await lease(opened)
    await store.commit((tx) => releaseItems(tx, ids, clock.now))
    assert.equal((await lease(opened)).length, 0)
    clock.now += LEASE_MS
    assert.equal((await lease(opened)).length, 1)
  })
}

function settling(open: Open): void {
  test('queue: retry waits until its time and keeps the reply', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const { ids } = await queued(opened, ['a@abc.com'])
    await lease(opened)
    const atMs = START_MS + 300_000
    await store.commit((tx) => retryItems(tx, ids, { atMs, reply: '451 4.7.1 greylisted' }))
    await store.commit((tx) => retryItems(tx, ids, { atMs, reply: '451 again', delayToldMs: 7 }))
    const [item] = await listQueue(store.db)
    assert.deepEqual(
      [item?.attempts, item?.lastReply, item?.delayToldMs, item?.nextAttemptMs],
      [2, '451 again', 7, atMs],
    )
    assert.equal((await lease(opened)).length, 0)
    assert.equal(await nextDueMs(store.db), atMs)
    clock.now = atMs
    assert.equal((await lease(opened)).length, 1)
  })

  test('queue: what is due to a domain is postponed; what is leased, held, later or for others is not', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const {
      ids: [leased = 0],
    } = await queued(opened, ['leased@abc.com'])
    await lease(opened)
    const {
      ids: [held = 0, later = 0, due = 0, other = 0],
    } = await queued(opened, ['held@abc.com', 'later@abc.com', 'due@abc.com', 'due@other.com'])
    await store.commit((tx) => holdItems(tx, [held]))
    await store.commit((tx) => retryItems(tx, [later], { atMs: START_MS + 1, reply: '451 later' }))
    await store.commit((tx) => retryItems(tx, [due], { atMs: START_MS, reply: '451 its own' }))
    const {
      ids: [fresh = 0],
    } = await queued(opened, ['fresh@abc.com'])
    const atMs = START_MS + 60_000
    const rest = { nowMs: START_MS, atMs, reply: '451 4.4.1 No connection' }
    await store.commit((tx) => postponeDomain(tx, 'abc.com' as Domain, rest))
    const rows = (await listQueue(store.db)).map((item) => [item.id, item.nextAttemptMs, item.attempts, item.lastReply])
    assert.deepEqual(rows, [
      [leased, START_MS, 0, null],
      [held, START_MS, 0, null],
      [later, START_MS + 1, 1, '451 later'],
      [due, atMs, 1, '451 its own'],
      [other, START_MS, 0, null],
      [fresh, atMs, 0, '451 4.4.1 No connection'],
    ])
    assert.deepEqual(recipientsOf(await lease(opened)), [['due@other.com']])
  })

  test('queue: held is not tried, released is, and only what is there is named', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const { ids } = await queued(opened, ['a@abc.com', 'b@abc.com'])
    assert.deepEqual(await store.commit((tx) => holdItems(tx, [...ids, 999], 'crashed twice')), ids)
    assert.equal((await lease(opened)).length, 0)
    assert.equal(await nextDueMs(store.db), undefined)
    clock.now += 1
    assert.deepEqual(await store.commit((tx) => releaseItems(tx, ids, clock.now)), ids)
    const [batch] = await lease(opened)
    assert.deepEqual(batch?.items[0]?.lastReply, 'crashed twice')
    assert.equal(batch?.items[0]?.queuedMs, START_MS)
  })

  test('queue: the bytes go with the last recipient', async (t) => {
    const opened = await open(t)
    const { store } = opened
    const { bytesId, ids } = await queued(opened, ['a@abc.com', 'b@abc.com'])
    await store.commit((tx) => removeItems(tx, ids.slice(0, 1)))
    assert.equal((await store.bytes.read(bytesId)).length, 'a@abc.com,b@abc.com'.length)
    await store.commit((tx) => removeItems(tx, ids))
    await assert.rejects(store.bytes.read(bytesId), BytesMissing)
    await store.commit((tx) => removeItems(tx, ids)) // a second time: nothing left to do
    assert.equal(await nextDueMs(store.db), undefined)
  })

  test('queue: a row without bytes cannot be', async (t) => {
    const { store } = await open(t)
    await assert.rejects(store.commit((tx) => enqueue(tx, [queueItem(4711 as BytesId, 'a@abc.com')])))
    assert.equal((await listQueue(store.db)).length, 0)
  })

  test('queue: the null reverse-path is kept apart from an address', async (t) => {
    const opened = await open(t)
    const { store } = opened
    await store.commit(async (tx) => {
      const bytesId = await putBytes(store, tx)
      await enqueue(tx, [
        queueItem(bytesId, 'a@abc.com', { mailFrom: '' }),
        queueItem(bytesId, 'b@abc.com', { mailFrom: address('x@y.z') }),
      ])
    })
    assert.deepEqual(
      (await lease(opened)).map((batch) => batch.mailFrom),
      ['', 'x@y.z'],
    )
  })
}

function handingOver(open: Open): void {
  test('queue: handed over as it would be leased, and nobody else gets it before the lease has run out', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const sealed = await store.bytes.seal(Buffer.from('small'))
    const leaseUntilMs = (domain: string): number | undefined =>
      domain === 'abc.com' ? START_MS + LEASE_MS : undefined
    const { batches, more } = await store.commit(async (tx) => {
      const bytesId = await store.bytes.insert(tx, sealed)
      const items = ['a@abc.com', 'x@else.example', 'b@abc.com'].map((one) => queueItem(bytesId, one))
      return enqueueFor({ node: 'here', leaseUntilMs, take: () => undefined }, tx, items, sealed)
    })
    assert.equal(more, true)
    const others = await lease(opened)
    assert.deepEqual(
      others.map(({ domain }) => domain),
      ['else.example'],
    )
    const [batch, ...rest] = batches
    assert(batch?.content !== undefined && rest.length === 0)
    assert.equal(Buffer.concat(await Array.fromAsync(batch.content())).toString(), 'small')
    clock.now += LEASE_MS
    const [leased] = (await lease(opened)).filter(({ domain }) => domain === 'abc.com')
    const { content: _, ...known } = batch
    assert.deepEqual(known, leased)
  })

  test('queue: what is too large for memory is handed over without its bytes', async (t) => {
    const { store } = await open(t)
    const sealed = await store.bytes.seal(Buffer.alloc(INLINE_MAX_BYTES + 1))
    const taker = { node: 'here', leaseUntilMs: () => START_MS + LEASE_MS, take: () => undefined }
    const { batches, more } = await store.commit(async (tx) =>
      enqueueFor(taker, tx, [queueItem(await store.bytes.insert(tx, sealed), 'a@abc.com')], sealed),
    )
    assert.deepEqual([more, batches.length, batches[0]?.content], [false, 1, undefined])
  })
}
