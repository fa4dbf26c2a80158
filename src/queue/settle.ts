/** Writes down what became of a batch: all of it in one transaction, so that no recipient ends in silence. */
import * as events from '../base/events.ts'
import type { Domain } from '../message/address.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { Store } from '../store/database.ts'
import { enqueue, removeItems, retryItems, type QueueBatch } from '../store/queue.ts'
import type { Tx } from '../store/schema.ts'
import { addTrace, type TraceEntry } from '../store/trace.ts'
import type { RetrySchedule } from './retry.ts'
import { noticeFor, noticeItem, readHeader, type Notice } from './notify.ts'
import type { ItemVerdict } from './verdict.ts'

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
    originalHeader: await headerOrNothing(deps, batch),
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
    const settlements = group.map((one) => one.settlement)
    try {
      await this.#deps.store.commit((tx) => write(this.#deps, tx, settlements))
    } catch (error) {
      for (const one of group) one.error = error
      return false
    }
    for (const one of group) {
      for (const verdict of one.settlement.verdicts) sayEvent(verdict)
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

async function write(deps: SettleDeps, tx: Tx, settlements: readonly Settlement[]): Promise<void> {
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
  const done = settlements.flatMap(({ verdicts }) => verdicts.filter((one) => one.kind !== 'retry'))
  if (done.length > 0)
    await removeItems(
      tx,
      done.map((one) => one.item.id),
    )
  const entries = settlements.flatMap(({ verdicts, nowMs }) => verdicts.flatMap((one) => traceOf(one, nowMs)))
  await addTrace(tx, entries)
}

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

/** A message whose bytes are damaged is returned without its header: better than not at all. */
async function headerOrNothing(deps: SettleDeps, batch: QueueBatch): Promise<Uint8Array | undefined> {
  try {
    return await readHeader(deps.store.bytes.stream(batch.bytesId))
  } catch (error) {
    events.trouble({ during: 'reading the header of a message to be returned', error })
    return undefined
  }
}

function traceOf(verdict: ItemVerdict, atMs: number): TraceEntry[] {
  const { item, result } = verdict
  const at = result.remote === undefined ? '' : ` at ${result.remote}`
  const entry = { atMs, messageId: item.messageId }
  const detail = `${item.recipient}${at}: ${replyText(result.reply)}`
  const event = { delivered: 'delivered', retry: 'deferred', failed: 'failed' }[verdict.kind]
  const told = verdict.notify === undefined ? [] : [{ ...entry, event: 'returned', detail: noticeText(verdict) }]
  return [{ ...entry, event, detail }, ...told]
}

const noticeText = (verdict: ItemVerdict): string => `${verdict.item.mailFrom} is told: ${verdict.notify}`

function sayEvent(verdict: ItemVerdict): void {
  const { item, result } = verdict
  const facts = {
    messageId: item.messageId,
    recipient: item.recipient,
    ...(result.remote !== undefined && { remote: result.remote }),
    reply: replyText(result.reply),
  }
  switch (verdict.kind) {
    case 'delivered':
      return events.delivered(facts)
    case 'retry':
      events.deferred({ ...facts, nextAttemptMs: verdict.atMs })
      if (verdict.notify !== undefined) events.returned({ ...facts, action: 'delayed' })
      return undefined
    case 'failed':
      if (verdict.notify !== undefined) return events.returned({ ...facts, action: 'failed' })
      return events.discarded({
        messageId: item.messageId,
        why: `${facts.reply}; ${item.recipient}: nobody wants to be told (${item.mailFrom === '' ? 'null reverse-path' : 'NOTIFY'})`,
      })
  }
}
