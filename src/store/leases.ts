/** Who works on which row of the queue, and until when: a lease names its node and runs out by itself. */
import { sql } from 'kysely'
import type { Domain } from '../message/address.ts'
import { inSlices } from './bytes/release.ts'
import { hasManyWriters } from './dialect/dialect.ts'
import { type Param, prepared } from './prepared.ts'
import { BATCH_RECIPIENTS_MAX, batchesOf, type QueueBatch, toItem } from './queue.ts'
import type { Tx } from './schema.ts'
import { aftermathOf } from './transaction.ts'

/** Due rows looked at for each batch asked for, on average: most messages have one or two recipients in a domain. */
const ROWS_PER_BATCH = 4

/**
 * The oldest due batches, leased until `nowMs + leaseMs`: nobody else gets them before, and they come back by themselves
 * when whoever took them has died. Settle each row with removeItems, retryItems or holdItems.
 */
export async function leaseBatches(
  tx: Tx,
  options: {
    readonly nowMs: number
    readonly leaseMs: number
    /** Batches at most. */
    readonly limit: number
    /** Who takes them. */
    readonly node: string
    /** Domains that have enough connections already. */
    readonly excludeDomains?: readonly Domain[]
  },
): Promise<QueueBatch[]> {
  const { nowMs, limit, node, excludeDomains = [] } = options
  let query = tx
    .selectFrom('queue')
    .innerJoin('bytes', 'bytes.id', 'queue.bytes_id')
    .selectAll('queue')
    .select('bytes.size_bytes')
    .where('state', '=', 'ready')
    .where('due_ms', '<=', nowMs)
  if (excludeDomains.length > 0) query = query.where('domain', 'not in', excludeDomains)
  query = query
    .orderBy('due_ms')
    .orderBy('queue.id')
    .limit(BATCH_RECIPIENTS_MAX + limit * ROWS_PER_BATCH)
  if (hasManyWriters(tx)) query = query.modifyEnd(sql`for update of queue skip locked`)
  const rows = await query.execute()
  const batches = batchesOf(rows.map((row) => ({ item: toItem(row), sizeBytes: row.size_bytes }))).slice(0, limit)
  const untilMs = nowMs + options.leaseMs
  await Promise.all(batches.flatMap(({ items }) => items.map(({ id }) => takeLease(tx, { id, untilMs, node }))))
  return batches
}

/** Moves the end of leases of `node`, for a transfer that takes long. What another node has taken over stays as it is. */
export async function renewLease(
  tx: Tx,
  ids: readonly number[],
  { node, untilMs }: { readonly node: string; readonly untilMs: number },
): Promise<void> {
  await Promise.all(ids.map((id) => setDue(tx, { id, node, untilMs })))
}

/** Those of `ids` that are there, with `node` as the last that has leased them: nobody else can until the end of `tx`. */
export async function lastLeasedBy(tx: Tx, ids: readonly number[], node: string): Promise<number[]> {
  const mine: number[] = []
  for (const some of inSlices(ids)) {
    let query = tx.selectFrom('queue').select('id').where('id', 'in', some).where('leased_by', '=', node)
    if (hasManyWriters(tx)) query = query.forUpdate()
    mine.push(...(await query.execute()).map((row) => row.id))
  }
  return mine
}

/**
 * Ends leases of `node` that would run out between `nowMs` and `beforeMs`, and that it does not know of: the commit that took
 * them was done, and the answer to it was lost. Returns how many.
 */
export async function endLostLeases(
  tx: Tx,
  options: {
    readonly node: string
    readonly nowMs: number
    readonly beforeMs: number
    /** Asked when the leases have been read. */
    readonly idsInHand: () => readonly number[]
  },
): Promise<number> {
  const { node, nowMs, beforeMs, idsInHand } = options
  const leased = tx
    .selectFrom('queue')
    .select('id')
    .where('state', '=', 'ready')
    .where('due_ms', '>', nowMs)
    .where('due_ms', '<', beforeMs)
    .whereRef('due_ms', '<>', 'next_attempt_ms')
    .where('leased_by', '=', node)
  const ids = (await leased.execute()).map(({ id }) => id)
  const inHand = new Set(idsInHand())
  const lost = ids.filter((id) => !inHand.has(id))
  if (lost.length > 0) aftermathOf(tx).queued = true
  await renewLease(tx, lost, { node, untilMs: nowMs })
  return lost.length
}

/**
 * Ends leases at once, for the start of a server, so that what a crash interrupted goes on without delay: all of them, where
 * it is the only one, or those of `node`.
 */
export async function endLeases(tx: Tx, node?: string): Promise<void> {
  const leased = tx
    .updateTable('queue')
    .set((eb) => ({ due_ms: eb.ref('next_attempt_ms') }))
    .whereRef('due_ms', '<>', 'next_attempt_ms')
  await (node === undefined ? leased : leased.where('leased_by', '=', node)).execute()
}

const setDue = prepared((db, param: Param<{ readonly id: number; readonly node: string; readonly untilMs: number }>) =>
  db
    .updateTable('queue')
    .set({ due_ms: param('untilMs') })
    .where('id', '=', param('id'))
    .where('leased_by', '=', param('node')),
)

const takeLease = prepared(
  (db, param: Param<{ readonly id: number; readonly untilMs: number; readonly node: string }>) =>
    db
      .updateTable('queue')
      .set({ due_ms: param('untilMs'), leased_by: param('node') })
      .where('id', '=', param('id')),
)
