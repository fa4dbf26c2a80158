/** The queue, and what is held for the postmaster. */
import { say } from '../../base/events.ts'
import { foreignText } from '../../base/limits.ts'
import { type MailEvent, administered, sentenceOf } from '../../base/mail-events.ts'
import { parseDomain } from '../../message/address.ts'
import { audit } from '../../store/audit.ts'
import { noteChange } from '../../store/changes.ts'
import { type QueueFilter, type QueueItem, holdItems, listQueue, releaseItems, removeItems } from '../../store/queue.ts'
import type { Tx } from '../../store/schema.ts'
import { type TraceEntry, addTrace, entriesOf, eventOf, traceOf } from '../../store/trace.ts'
import { type Desk, needAddress, OperationRefused } from '../desk.ts'

export type QueueChange = 'retry' | 'hold' | 'release' | 'remove'

/** What somebody asks for, as it was typed. */
export interface QueueWish {
  readonly domain?: string
  /** An address, or `<>` for mail that nobody wants back. */
  readonly sender?: string
  readonly state?: string
}

/** Ids named in one audit row; of more, their number is what matters. */
const IDS_NAMED_MAX = 20
/** Rows of trace that one command writes: others' mail waits for its transaction. */
const TRACED_MAX = 10_000

export function listQueued(desk: Desk, wish: QueueWish = {}): Promise<readonly QueueItem[]> {
  return listQueue(desk.store.db, needFilter(wish))
}

/**
 * Changes the rows with these ids, or those that are wished for (all, when nothing is said of them); `retry` leaves held ones
 * held. Removing sends no report: the mail is gone. Returns how many.
 */
export async function changeQueue(
  desk: Desk,
  input: { readonly change: QueueChange; readonly which: readonly number[] | QueueWish },
): Promise<number> {
  const { change, which } = input
  const nowMs = desk.clock.nowMs()
  const items = isIds(which) ? await needItems(desk, change, which) : await itemsWished(desk, change, which)
  const ids = items.map(({ id }) => id)
  const told = items
    .slice(0, TRACED_MAX)
    .map(({ messageId, recipient }) =>
      administered({ messageId, recipient, operation: `queue ${change}`, actor: desk.actor }),
    )
  await desk.store.commit(async (tx) => {
    await CHANGES[change](tx, ids, nowMs)
    await addTrace(tx, entriesOf(told, nowMs))
    const subject = isIds(which) ? ids.slice(0, IDS_NAMED_MAX).join(',') : JSON.stringify(which)
    await audit(tx, {
      nowMs,
      actor: desk.actor,
      operation: `queue ${change}`,
      subject,
      detail: `${ids.length} entries`,
    })
  })
  for (const event of told) say(event)
  return ids.length
}

const CHANGES: Readonly<Record<QueueChange, (tx: Tx, ids: readonly number[], nowMs: number) => Promise<unknown>>> = {
  retry: retryNow,
  hold: (tx, ids) => holdItems(tx, ids, 'held by an administrator'),
  release: retryNow,
  remove: removeItems,
}

async function retryNow(tx: Tx, ids: readonly number[], nowMs: number): Promise<void> {
  await releaseItems(tx, ids, nowMs)
  await noteChange(tx, 'queue-retries')
}

const isIds = (which: readonly number[] | QueueWish): which is readonly number[] => Array.isArray(which)

async function needItems(desk: Desk, change: QueueChange, ids: readonly number[]): Promise<readonly QueueItem[]> {
  const items = new Map((await listQueued(desk)).map((item) => [item.id, item]))
  const unknown = ids.find((id) => !items.has(id))
  if (unknown !== undefined)
    throw new OperationRefused(`There is no queue entry ${unknown}; "sealpost queue list" names them`)
  return changeable(
    change,
    ids.flatMap((id) => items.get(id) ?? []),
  )
}

const itemsWished = async (desk: Desk, change: QueueChange, wish: QueueWish): Promise<readonly QueueItem[]> =>
  changeable(change, await listQueued(desk, wish))

const changeable = (change: QueueChange, items: readonly QueueItem[]): readonly QueueItem[] =>
  change === 'retry' ? items.filter(({ state }) => state === 'ready') : items

function needFilter({ domain, sender, state }: QueueWish): QueueFilter {
  const parsed = domain === undefined ? undefined : parseDomain(domain)
  if (domain !== undefined && parsed === undefined) throw new OperationRefused(`"${domain}" is not a domain`)
  if (state !== undefined && state !== 'ready' && state !== 'held')
    throw new OperationRefused(`There is no state "${state}"; there are ready and held`)
  return {
    ...(parsed !== undefined && { domain: parsed }),
    ...(sender !== undefined && { mailFrom: sender === '<>' ? '' : needAddress(sender) }),
    ...(state !== undefined && { state }),
  }
}

/** One thing that happened to a mail: its facts, and a sentence that says them. */
export interface Traced {
  readonly atMs: number
  readonly event: string
  readonly detail: string
  readonly facts: MailEvent['facts'] | undefined
}

/** Everything that happened to one message, in order. */
export async function traceMessage(desk: Desk, input: { messageId: string }): Promise<readonly Traced[]> {
  const messageId = foreignText(input.messageId, Infinity)
  const bracketed = messageId.startsWith('<') ? messageId : `<${messageId}>`
  return (await traceOf(desk.store.db, foreignText(bracketed))).map(traced)
}

function traced(entry: TraceEntry): Traced {
  const { atMs, event, detail } = entry
  const told = eventOf(entry)
  return { atMs, event, detail: told === undefined ? detail : worded(told, detail), facts: told?.facts }
}

/** Another version may know the event by other facts. */
function worded(told: MailEvent, detail: string): string {
  try {
    return sentenceOf(told)
  } catch {
    return detail
  }
}
