/**
 * New mail goes from the commit that queues it straight to whoever works the queue off in this process, its rows leased
 * from the start and its bytes still in memory: nobody has to look for it. The rows tell the rest of the story: when the
 * process dies the lease runs out, and a second attempt comes from the queue as ever.
 */
import type { Domain } from '../message/address.ts'
import type { ContentSource } from '../protocol/delivery.ts'
import type { FinishedBytes } from './bytes/bytes-writer.ts'
import { batchesOf, enqueue, type NewQueueItem, type QueueBatch, type QueueItem } from './queue.ts'
import type { Tx } from './schema.ts'

export interface QueueTaker {
  /** The node whose leases these are. */
  readonly node: string
  /** Until when new rows for `domain` are leased to it. `undefined`: it has enough, and looks for them later. */
  leaseUntilMs(domain: Domain): number | undefined
  /** To be called when the rows are durable. */
  take(mail: HandedOver): void
}

export interface HandedOver {
  readonly batches: readonly QueueBatch[]
  /** Rows that were not leased wait in the queue. */
  readonly more: boolean
}

/** Where no queue is worked off. */
export const NOBODY: QueueTaker = { node: '', leaseUntilMs: () => undefined, take: () => undefined }

/** Queues one message, for `taker` where it wants it. `items` are all of the same bytes. */
export async function enqueueFor(
  taker: QueueTaker,
  tx: Tx,
  items: readonly NewQueueItem[],
  bytes: FinishedBytes,
): Promise<HandedOver> {
  const leases = new Map<Domain, number | undefined>()
  for (const { domain } of items) if (!leases.has(domain)) leases.set(domain, taker.leaseUntilMs(domain))
  const ids = await enqueue(
    tx,
    items.map((item) => ({ ...item, leasedUntilMs: leases.get(item.domain), leasedBy: taker.node })),
  )
  const leased = items.flatMap((item, at) =>
    leases.get(item.domain) === undefined
      ? []
      : [{ item: queued(item, ids[at] as number), sizeBytes: bytes.sizeBytes }],
  )
  const content = contentInMemory(bytes)
  const batches = batchesOf(leased).map((batch) => ({ ...batch, ...(content && { content }) }))
  return { batches, more: leased.length < items.length }
}

const queued = (item: NewQueueItem, id: number): QueueItem => ({
  nextAttemptMs: item.queuedMs,
  state: 'ready',
  tls: 'usual',
  ...item,
  id,
  attempts: 0,
  lastReply: null,
  delayToldMs: null,
})

function contentInMemory({ place }: FinishedBytes): ContentSource | undefined {
  if (place.kind === 'file') return undefined
  return async function* whole() {
    yield place.plain
  }
}
