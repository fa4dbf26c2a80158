/** The durable list of work: one row for each recipient that still waits for its copy. */
import type { Selectable } from 'kysely'
import type { Address, Domain } from '../message/address.ts'
import type { ContentSource } from '../protocol/delivery.ts'
import { inSlices, releaseBytes } from './bytes/release.ts'
import type { TlsWish } from '../protocol/smtp-envelope.ts'
import { type Param, prepared, preparedInsertWithId, preparedOfIds } from './prepared.ts'
import { aftermathOf } from './transaction.ts'
import type { BytesId, Db, QueuedBody, QueueTable, Tx } from './schema.ts'

/** Recipients in one batch at most: what every SMTP server must take in one transaction (RFC 5321 §4.5.3.1.8). */
export const BATCH_RECIPIENTS_MAX = 100
/** More rows than this in one statement would keep others waiting. */
const POSTPONED_MAX = 10_000

/** What the sender asked for by RFC 3461; a missing field was not given. */
export interface DsnRequest {
  /** As it was given: `NEVER`, or a list of `SUCCESS`, `FAILURE`, `DELAY`. */
  readonly notify?: string
  readonly ret?: 'FULL' | 'HDRS'
  /** Decoded from xtext. */
  readonly envid?: string
  /** `addr-type;address`, the address decoded from xtext. */
  readonly orcpt?: string
}

export interface NewQueueItem {
  readonly bytesId: BytesId
  /** '' is the null reverse-path. */
  readonly mailFrom: Address | ''
  readonly recipient: Address
  /** Where it goes next, for grouping: the recipient's domain unless a route says otherwise. */
  readonly domain: Domain
  readonly queuedMs: number
  /** Missing: at once. */
  readonly nextAttemptMs?: number
  /** Somebody has it already, as if by `leaseBatches`. */
  readonly leasedUntilMs?: number | undefined
  /** The node that has it. */
  readonly leasedBy?: string | undefined
  readonly state?: 'ready' | 'held'
  /** The Message-ID field, as trace.ts keys it. */
  readonly messageId: string
  readonly dsn: DsnRequest
  /** Missing: `usual`. */
  readonly tls?: TlsWish
  readonly smtpUtf8: boolean
  readonly eightBit: boolean
  readonly bodyKind: QueuedBody
}

export interface QueueItem extends Required<Omit<NewQueueItem, 'leasedUntilMs' | 'leasedBy'>> {
  readonly id: number
  /** Attempts that have failed. */
  readonly attempts: number
  readonly lastReply: string | null
  /** When the sender was told of the delay. */
  readonly delayToldMs: number | null
}

/** What goes over one connection in one SMTP transaction. */
export interface QueueBatch {
  readonly bytesId: BytesId
  readonly mailFrom: Address | ''
  readonly domain: Domain
  /** Of the message. */
  readonly sizeBytes: number
  /** At least one, at most BATCH_RECIPIENTS_MAX. */
  readonly items: readonly QueueItem[]
  /** Of a message that is still in memory. */
  readonly content?: ContentSource
}

/** Returns the new ids in the order of `items`. */
export async function enqueue(tx: Tx, items: readonly NewQueueItem[]): Promise<number[]> {
  if (items.some(({ leasedUntilMs }) => leasedUntilMs === undefined)) aftermathOf(tx).queued = true
  return Promise.all(items.map((item) => insertItem(tx, toRow(item))))
}

/**
 * After the clock was set back: what seems to have been queued later than `afterMs`, or waits for a time later than
 * `latestMs`, which no pause reaches, counts as queued just now and is due. Leases of those that run end as they would have.
 */
export async function endWaitsOfWrongClock(
  tx: Tx,
  { nowMs, afterMs, latestMs }: { readonly nowMs: number; readonly afterMs: number; readonly latestMs: number },
): Promise<void> {
  const wrong = tx
    .updateTable('queue')
    .where('state', '=', 'ready')
    .where((eb) => eb.or([eb('queued_ms', '>', afterMs), eb('next_attempt_ms', '>', latestMs)]))
  await wrong.whereRef('due_ms', '=', 'next_attempt_ms').set({ due_ms: nowMs }).execute()
  await wrong
    .set((eb) => ({
      next_attempt_ms: nowMs,
      queued_ms: eb.case().when('queued_ms', '>', nowMs).then(nowMs).else(eb.ref('queued_ms')).end(),
    }))
    .execute()
}

/** Delivered, or returned to the sender in this same transaction. The bytes go when nobody else needs them. */
export async function removeItems(tx: Tx, ids: readonly number[]): Promise<void> {
  const gone = await deleteItems(tx, ids)
  await releaseBytes(
    tx,
    gone.map((row) => row.bytes_id),
  )
}

/** A temporary failure: counts an attempt and keeps the reply for people to read. */
export async function retryItems(
  tx: Tx,
  ids: readonly number[],
  next: { readonly atMs: number; readonly reply: string; readonly delayToldMs?: number },
): Promise<void> {
  for (const some of inSlices(ids))
    await tx
      .updateTable('queue')
      .set((eb) => ({
        next_attempt_ms: next.atMs,
        due_ms: next.atMs,
        attempts: eb('attempts', '+', 1),
        last_reply: next.reply,
        ...(next.delayToldMs === undefined ? {} : { delay_told_ms: next.delayToldMs }),
      }))
      .where('id', 'in', some)
      .execute()
}

/**
 * What is due to a domain is not tried before `atMs`, for a reason that is not its own: no attempt is counted, and a reply of
 * its own stays. The oldest POSTPONED_MAX of them.
 */
export async function postponeDomain(
  tx: Tx,
  domain: Domain,
  { nowMs, atMs, reply }: { readonly nowMs: number; readonly atMs: number; readonly reply: string },
): Promise<void> {
  const due = tx
    .selectFrom('queue')
    .select('id')
    .where('domain', '=', domain)
    .where('state', '=', 'ready')
    .where('due_ms', '<=', nowMs)
    .orderBy('due_ms')
    .limit(POSTPONED_MAX)
  await tx
    .updateTable('queue')
    .set((eb) => ({ next_attempt_ms: atMs, due_ms: atMs, last_reply: eb.fn.coalesce('last_reply', eb.val(reply)) }))
    .where('id', 'in', due)
    .execute()
}

/** Not tried again until released. Returns the ids that there are. */
export async function holdItems(tx: Tx, ids: readonly number[], reply?: string): Promise<number[]> {
  const columns = { state: 'held' as const, ...(reply === undefined ? {} : { last_reply: reply }) }
  const held: number[] = []
  for (const some of inSlices(ids)) {
    const rows = await tx.updateTable('queue').set(columns).where('id', 'in', some).returning('id').execute()
    held.push(...rows.map((row) => row.id))
  }
  return held
}

/**
 * Held or waiting items are tried at `nowMs`; returns the ids that there are. Does not touch the time they were queued, nor
 * leases: what somebody is trying just now is not tried by another as well.
 */
export async function releaseItems(tx: Tx, ids: readonly number[], nowMs: number): Promise<number[]> {
  aftermathOf(tx).queued = true
  const released: number[] = []
  for (const some of inSlices(ids)) {
    const rows = await tx
      .updateTable('queue')
      .set((eb) => ({
        state: 'ready' as const,
        next_attempt_ms: nowMs,
        due_ms: eb
          .case()
          .when(eb.and([eb('due_ms', '<>', eb.ref('next_attempt_ms')), eb('due_ms', '>', nowMs)]))
          .then(eb.ref('due_ms'))
          .else(nowMs)
          .end(),
      }))
      .where('id', 'in', some)
      .returning('id')
      .execute()
    released.push(...rows.map((row) => row.id))
  }
  return released
}

/** Which rows; what is missing is not asked for. */
export interface QueueFilter {
  readonly domain?: Domain
  /** '' is the null reverse-path. */
  readonly mailFrom?: Address | ''
  readonly state?: 'ready' | 'held'
}

/** Oldest first. */
export async function listQueue(db: Db, filter: QueueFilter = {}): Promise<readonly QueueItem[]> {
  let query = db.selectFrom('queue').selectAll().orderBy('id')
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain)
  if (filter.mailFrom !== undefined) query = query.where('mail_from', '=', filter.mailFrom)
  if (filter.state !== undefined) query = query.where('state', '=', filter.state)
  return (await query.execute()).map(toItem)
}

/** How many recipients wait, and since when the oldest of them; cheap with a long queue too. */
export async function queueDepth(
  db: Db,
): Promise<readonly { readonly state: 'ready' | 'held'; readonly count: number; readonly oldestMs?: number }[]> {
  return Promise.all(
    (['ready', 'held'] as const).map(async (state) => {
      const ofState = db.selectFrom('queue').where('state', '=', state)
      const { count } = await ofState.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
      if (count === 0) return { state, count }
      const oldest = await ofState.select('queued_ms').orderBy('id').limit(1).executeTakeFirst()
      return { state, count, ...(oldest !== undefined && { oldestMs: oldest.queued_ms }) }
    }),
  )
}

/** When there is something to do next, a lease that may run out included; `undefined` when nothing waits. */
export async function nextDueMs(db: Db): Promise<number | undefined> {
  const [row] = await firstDue(db, {})
  return row?.due_ms
}

/** Keeps the order of the first item of each batch. */
export function batchesOf(rows: readonly { readonly item: QueueItem; readonly sizeBytes: number }[]): QueueBatch[] {
  const batches: QueueBatch[] = []
  const open = new Map<string, QueueItem[]>()
  for (const { item, sizeBytes } of rows) {
    const { bytesId, mailFrom, domain } = item
    const key = `${bytesId} ${domain} ${mailFrom}`
    const batch = open.get(key)
    if (batch !== undefined && batch.length < BATCH_RECIPIENTS_MAX) {
      batch.push(item)
      continue
    }
    const items = [item]
    open.set(key, items)
    batches.push({ bytesId, mailFrom, domain, sizeBytes, items })
  }
  return batches
}

/** A wish's place is what stands in the row; a number that is not known is the strictest. */
const TLS_WISHES: readonly TlsWish[] = ['usual', 'required', 'unimportant']

function toRow(item: NewQueueItem): NewRow {
  const nextAttemptMs = item.nextAttemptMs ?? item.queuedMs
  return {
    bytes_id: item.bytesId,
    mail_from: item.mailFrom,
    recipient: item.recipient,
    domain: item.domain,
    queued_ms: item.queuedMs,
    next_attempt_ms: nextAttemptMs,
    due_ms: item.leasedUntilMs ?? nextAttemptMs,
    state: item.state ?? 'ready',
    message_id: item.messageId,
    notify: item.dsn.notify ?? null,
    ret: item.dsn.ret ?? null,
    envid: item.dsn.envid ?? null,
    orcpt: item.dsn.orcpt ?? null,
    require_tls: TLS_WISHES.indexOf(item.tls ?? 'usual'),
    smtp_utf8: Number(item.smtpUtf8),
    eight_bit: Number(item.eightBit),
    body_kind: item.bodyKind,
    leased_by: item.leasedBy ?? null,
  }
}

export function toItem(row: Selectable<QueueTable>): QueueItem {
  return {
    id: row.id,
    bytesId: row.bytes_id,
    mailFrom: row.mail_from,
    recipient: row.recipient,
    domain: row.domain,
    queuedMs: row.queued_ms,
    nextAttemptMs: row.next_attempt_ms,
    attempts: row.attempts,
    state: row.state,
    lastReply: row.last_reply,
    delayToldMs: row.delay_told_ms,
    messageId: row.message_id,
    dsn: {
      ...(row.notify === null ? {} : { notify: row.notify }),
      ...(row.ret === null ? {} : { ret: row.ret }),
      ...(row.envid === null ? {} : { envid: row.envid }),
      ...(row.orcpt === null ? {} : { orcpt: row.orcpt }),
    },
    tls: TLS_WISHES[row.require_tls] ?? 'required',
    smtpUtf8: row.smtp_utf8 === 1,
    eightBit: row.eight_bit === 1,
    bodyKind: row.body_kind,
  }
}

type NewRow = Omit<Selectable<QueueTable>, 'id' | 'attempts' | 'last_reply' | 'delay_told_ms'>

const insertItem = preparedInsertWithId('queue', (row: Param<NewRow>) => ({
  bytes_id: row('bytes_id'),
  mail_from: row('mail_from'),
  recipient: row('recipient'),
  domain: row('domain'),
  queued_ms: row('queued_ms'),
  next_attempt_ms: row('next_attempt_ms'),
  due_ms: row('due_ms'),
  attempts: 0,
  state: row('state'),
  message_id: row('message_id'),
  notify: row('notify'),
  ret: row('ret'),
  envid: row('envid'),
  orcpt: row('orcpt'),
  require_tls: row('require_tls'),
  smtp_utf8: row('smtp_utf8'),
  eight_bit: row('eight_bit'),
  body_kind: row('body_kind'),
  leased_by: row('leased_by'),
}))

const deleteItems = preparedOfIds((db, ids: readonly number[]) =>
  db.deleteFrom('queue').where('id', 'in', ids).returning('bytes_id'),
)

const firstDue = prepared((db) =>
  db.selectFrom('queue').select('due_ms').where('state', '=', 'ready').orderBy('due_ms').limit(1),
)
