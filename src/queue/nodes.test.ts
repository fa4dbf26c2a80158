/** What several nodes on one queue leave to each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOnPostgres } from '../../test/support/postgres-store.ts'
import type { Domain } from '../message/address.ts'
import type { RecipientResult } from '../protocol/delivery.ts'
import { reply } from '../protocol/smtp-reply.ts'
import { type Opened, putBytes, queueItem, START_MS } from '../store/conformance/fixture.ts'
import { leaseBatches } from '../store/leases.ts'
import { enqueue, listQueue, type QueueBatch, type QueueItem } from '../store/queue.ts'
import { traceOf } from '../store/trace.ts'
import { LEASE_MS, LeaseKeeper } from './lease-keeper.ts'
import { RETRY_SCHEDULE } from './retry.ts'
import { prepareSettlement, Settler } from './settle.ts'
import type { ItemVerdict } from './verdict.ts'

const HOSTNAME = 'mail.here.example' as Domain

const resultFor = ({ recipient }: QueueItem, outcome: RecipientResult['outcome']): RecipientResult => ({
  recipient,
  outcome,
  reply: outcome === 'failed' ? reply(550, '5.1.1', 'No such user') : reply(451, '4.3.0', 'Later'),
  dsnPassedOn: false,
})

/** What became of the mails to a, b, c, d. */
const verdictsOn = ([a, b, c, d]: readonly QueueItem[]): ItemVerdict[] => {
  assert(a !== undefined && b !== undefined && c !== undefined && d !== undefined)
  return [
    { kind: 'delivered', item: a, result: resultFor(a, 'delivered'), notify: 'relayed' },
    { kind: 'failed', item: b, result: resultFor(b, 'failed'), expired: false, notify: 'failed' },
    { kind: 'retry', item: c, result: resultFor(c, 'deferred'), atMs: START_MS + 2 * LEASE_MS, notify: undefined },
    { kind: 'held', item: d, result: resultFor(d, 'failed') },
  ]
}

/** Four recipients of one mail, leased by this node. */
async function leased({ store, clock }: Opened): Promise<QueueBatch> {
  await store.commit(async (tx) => {
    const bytesId = await putBytes(store, tx)
    await enqueue(
      tx,
      ['a', 'b', 'c', 'd'].map((name) => queueItem(bytesId, `${name}@there.example`)),
    )
  })
  const [batch] = await leaseAs({ store, clock }, store.node)
  assert(batch !== undefined)
  return batch
}

const leaseAs = ({ store, clock }: Pick<Opened, 'store' | 'clock'>, node: string): Promise<QueueBatch[]> =>
  store.commit((tx) => leaseBatches(tx, { nowMs: clock.now, leaseMs: LEASE_MS, limit: 9, node }))

async function settle({ store }: Opened, batch: QueueBatch): Promise<void> {
  const deps = { store, hostname: HOSTNAME }
  const now = { nowMs: START_MS, schedule: RETRY_SCHEDULE }
  await new Settler(deps).settle(await prepareSettlement(deps, batch, verdictsOn(batch.items), now))
}

const stateOf = async ({ store }: Opened): Promise<unknown[]> =>
  (await listQueue(store.db)).map(({ recipient, state, attempts }) => `${recipient} ${state} ${attempts}`)

describeOnPostgres('nodes', ({ open }) => {
  test('a node writes down what became of its mail', async (t) => {
    const opened = await open(t)
    await settle(opened, await leased(opened))
    const sender = (await listQueue(opened.store.db)).at(-1)?.recipient
    assert.deepEqual(await stateOf(opened), ['c@there.example ready 1', 'd@there.example held 0', `${sender} ready 0`])
  })

  test('what another node has taken over is that one’s to try again, to hold and to return; what was delivered was', async (t) => {
    const opened = await open(t)
    const batch = await leased(opened)
    opened.clock.now += LEASE_MS
    assert.equal((await leaseAs(opened, 'another'))[0]?.items.length, 4)
    await settle(opened, batch)
    assert.deepEqual(
      await stateOf(opened),
      ['b', 'c', 'd'].map((name) => `${name}@there.example ready 0`),
    )
    assert.deepEqual(await leaseAs(opened, 'third'), [], 'the lease of the other lasts')
    const told = (await traceOf(opened.store.db, batch.items[0]?.messageId ?? '')).map(({ event }) => event)
    assert.deepEqual(told, ['delivered'])
  })

  test('mail whose lease a node has not heard of is free with the next renewal; what it has in hand is not', async (t) => {
    const opened = await open(t)
    const { store, clock } = opened
    const { items } = await leased(opened) // as if the answer to the commit were lost
    const [inHand, ...lost] = items.map(({ id }) => id)
    assert(inHand !== undefined)
    const ids = (): number[] => [inHand]
    const keeper = new LeaseKeeper({
      store,
      clock: { nowMs: () => clock.now },
      idsToKeep: ids,
      idsHere: ids,
      letGo: assert.fail,
      lost: assert.fail,
    })
    await keeper.tick()
    assert.deepEqual(await leaseAs(opened, 'another'), [], 'it may be on its way into our hands')
    clock.now += 20_000
    await keeper.tick()
    const [free] = await leaseAs(opened, 'another')
    assert.deepEqual(
      free?.items.map(({ id }) => id),
      lost,
    )
  })
})
