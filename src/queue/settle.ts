/** Writes down what became of a batch: all of it in one transaction, so that no recipient ends in silence. */
import * as events from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import type { Domain } from '../message/address.ts'
import { makeField, writeFields } from '../message/header-field.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { Store } from '../store/database.ts'
import { lastLeasedBy, renewLease } from '../store/leases.ts'
import { enqueue, holdItems, removeItems, retryItems, type QueueBatch } from '../store/queue.ts'
import type { Tx } from '../store/schema.ts'
import { addTrace, entriesOf } from '../store/trace.ts'
import type { RetrySchedule } from './retry.ts'
import { noticeFor, noticeItem, readHeader, type Notice } from './notify.ts'
import { isOpened, type ItemVerdict } from './verdict.ts'

export interface SettleDeps {
  readonly store: Store
  /** Reporting-MTA of DSNs. */
  readonly hostname: Domain
}

/** What `settle` writes, made beforehand: it can be tried again when the commit fails. */
export interface Settlement {
  readonly verdicts: readonly ItemVerdict[]
  readonly notice: (Notice & { readonly sealed: FinishedBytes }) | undefined
  readonly nowMs: number
}

export async function prepareSettlement(
  deps: SettleDeps,
  batch: QueueBatch,
  verdicts: readonly ItemVerdict[],
  now: { readonly nowMs: number; readonly schedule: RetrySchedule },
): Promise<Settlement> {
  const { nowMs } = now
  if (verdicts.every((one) => one.notify === undefined)) return { verdicts, notice: undefined, nowMs }
  const notice = noticeFor(verdicts, {
    hostname: deps.hostname,
    nowMs,
    giveUpAfterMs: now.schedule.giveUpAfterMs,
    originalHeader: await returnedHeader(deps, batch),
  })
  if (notice === undefined) return { verdicts, notice, nowMs }
  return { verdicts, notice: { ...notice, sealed: await deps.store.bytes.seal(notice.bytes) }, nowMs }
}

/**
 * Writes settlements down, all that are waiting in one go: a busy queue pays for one delete and one insert, not for one
 * each.
 */
export class Settler {
  readonly #deps: SettleDeps
  #waiting: WaitingSettlement[] = []
  #writing = false

  constructor(deps: SettleDeps) {
    this.#deps = deps
  }

  /** Durable when it resolves. When it rejects nothing was written, and it may be tried again. */
  settle(settlement: Settlement): Promise<void> {
    const written = Promise.withResolvers<void>()
    this.#waiting.push({ settlement, written })
    if (!this.#writing) void this.#writeAll()
    return written.promise
  }

  async #writeAll(): Promise<void> {
    this.#writing = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0)
      // one that cannot be written must not keep the others from it: then each gets a savepoint of its own
      if (!(await this.#write(group)) && group.length > 1) await Promise.all(group.map((one) => this.#write([one])))
      for (const { written, error } of group) if (error !== undefined) written.reject(error)
    }
    this.#writing = false
  }

  async #write(group: readonly WaitingSettlement[]): Promise<boolean> {
    let told: readonly mailEvents.MailEvent[]
    try {
      told = await this.#deps.store.commit((tx) => write(this.#deps, tx, group))
    } catch (error) {
      for (const one of group) one.error = error
      return false
    }
    for (const event of told) events.say(event)
    for (const one of group) {
      one.error = undefined
      one.written.resolve()
    }
    return true
  }
}

interface WaitingSettlement {
  readonly settlement: Settlement
  readonly written: PromiseWithResolvers<void>
  /** Why it could not be written. */
  error?: unknown
}

/** Returns what is to be told of it when it is durable. */
async function write(
  deps: SettleDeps,
  tx: Tx,
  group: readonly WaitingSettlement[],
): Promise<readonly mailEvents.MailEvent[]> {
  const settlements = await Promise.all(group.map(({ settlement }) => whatIsOurs(deps, tx, settlement)))
  for (const { verdicts, notice, nowMs } of settlements) {
    const about = verdicts.find((one) => one.notify !== undefined)?.item
    if (notice !== undefined && about !== undefined) {
      const bytesId = await deps.store.bytes.insert(tx, notice.sealed)
      await enqueue(tx, [noticeItem(about, notice, bytesId, nowMs)])
    }
    for (const alike of retriesAlike(verdicts))
      await retryItems(tx, alike.ids, {
        atMs: alike.atMs,
        reply: alike.reply,
        ...(alike.told && { delayToldMs: nowMs }),
      })
  }
  for (const { verdicts, nowMs } of settlements)
    for (const { kind, item, result } of verdicts)
      if (kind === 'held') {
        await holdItems(tx, [item.id], replyText(result.reply))
        // nobody is trying it any more: when it is released it need not wait for the end of the lease
        await renewLease(tx, [item.id], { node: deps.store.node, untilMs: nowMs })
      }
  const done = settlements.flatMap(({ verdicts }) => verdicts.filter(isDone))
  if (done.length > 0)
    await removeItems(
      tx,
      done.map((one) => one.item.id),
    )
  const told = settlements.map(({ verdicts }) => verdicts.flatMap(eventsOf))
  await addTrace(
    tx,
    settlements.flatMap(({ nowMs }, at) => entriesOf(told[at] ?? [], nowMs)),
  )
  return told.flat()
}

/**
 * What another node has taken over while we were cut off or stood still is that node's to try again, to hold and to return.
 * That we have delivered it is true all the same.
 */
async function whatIsOurs({ store }: SettleDeps, tx: Tx, settlement: Settlement): Promise<Settlement> {
  const { verdicts, notice, nowMs } = settlement
  if (!store.isShared || (notice === undefined && verdicts.every(isDelivered))) return settlement
  const ids = verdicts.map(({ item }) => item.id)
  const mine = await lastLeasedBy(tx, ids, store.node)
  if (mine.length === ids.length) return settlement
  const delivered = verdicts.filter(isDelivered).map((one) => ({ ...one, notify: undefined }))
  return { verdicts: delivered, notice: undefined, nowMs }
}

type Delivered = Extract<ItemVerdict, { readonly kind: 'delivered' }>
const isDelivered = (verdict: ItemVerdict): verdict is Delivered => verdict.kind === 'delivered'

const isDone = ({ kind }: ItemVerdict): boolean => kind === 'delivered' || kind === 'failed'

interface Retries {
  readonly atMs: number
  readonly reply: string
  readonly told: boolean
  readonly ids: number[]
}

/** One statement for recipients that share a fate, as those of a host that is down do. */
function retriesAlike(verdicts: readonly ItemVerdict[]): Iterable<Retries> {
  const groups = new Map<string, Retries>()
  for (const one of verdicts) {
    if (one.kind !== 'retry') continue
    const retries = { atMs: one.atMs, reply: replyText(one.result.reply), told: one.notify === 'delayed', ids: [] }
    const key = `${retries.atMs} ${retries.told} ${retries.reply}`
    const group: Retries = groups.get(key) ?? retries
    group.ids.push(one.item.id)
    groups.set(key, group)
  }
  return groups.values()
}

/**
 * Of an opened message only the Message-ID, which stood outside: the report goes over the wire, and the rest of the header
 * may have been hidden. So, too, of a message whose bytes cannot be read: better than no report at all.
 */
async function returnedHeader(deps: SettleDeps, batch: QueueBatch): Promise<Uint8Array | undefined> {
  const { messageId = '' } = batch.items[0] ?? {}
  const messageIdAlone = messageId === '' ? undefined : writeFields([makeField('Message-ID', messageId)])
  if (batch.items.some(isOpened)) return messageIdAlone
  try {
    return await readHeader(deps.store.bytes.stream(batch.bytesId))
  } catch (error) {
    events.trouble({ messageId, during: 'reading the header of a message to be returned', error })
    return messageIdAlone
  }
}

/** What became of one recipient, and who is told. */
function eventsOf(verdict: ItemVerdict): mailEvents.MailEvent[] {
  const { item, result, notify } = verdict
  const { messageId, recipient, mailFrom } = item
  const facts = {
    messageId,
    recipient,
    ...(result.remote !== undefined && { remote: result.remote }),
    ...result.hop,
    reply: replyText(result.reply),
  }
  const told = notify === undefined ? [] : [mailEvents.returned({ ...facts, action: notify, sender: mailFrom })]
  switch (verdict.kind) {
    case 'delivered':
      return [mailEvents.delivered(facts), ...told]
    case 'retry':
      return [mailEvents.deferred({ ...facts, attempts: item.attempts + 1, nextAttemptMs: verdict.atMs }), ...told]
    case 'held':
      return [mailEvents.held(facts)]
    case 'failed': {
      if (notify !== undefined) return told
      const nobody = mailFrom === '' ? 'null reverse-path' : 'NOTIFY'
      const why = `${facts.reply}; ${recipient}: nobody wants to be told (${nobody})`
      return [mailEvents.discarded({ messageId, recipient, why })]
    }
  }
}
