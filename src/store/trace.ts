/** What happened to each message, keyed by its Message-ID, for `sealpost trace`. */
import { type MailEvent, isMailEvent } from '../base/mail-events.ts'
import { type Param, preparedInsert } from './prepared.ts'
import type { Db, Tx } from './schema.ts'

/** PostgreSQL indexes 2700 octets at most, and a character may be three of them. */
const KEY_MAX_CHARS = 880

export interface TraceEntry {
  readonly atMs: number
  /** The Message-ID field's msg-id, angle brackets included (RFC 5322 §3.6.4). */
  readonly messageId: string
  readonly event: string
  /** JSON: the facts of the event, but for the Message-ID. A row may hold a sentence instead. */
  readonly detail: string
}

/** Of events of mails that have a Message-ID: of the others nobody could ask. */
export function entriesOf(events: readonly MailEvent[], atMs: number): readonly TraceEntry[] {
  return events.flatMap(({ event, facts: { messageId = '', ...facts } }) =>
    messageId === '' ? [] : [{ atMs, messageId, event, detail: JSON.stringify(facts) }],
  )
}

/** What `entriesOf` has written; `undefined` where it was a sentence, or an event that this version does not know. */
export function eventOf({ event, messageId, detail }: TraceEntry): MailEvent | undefined {
  if (!isMailEvent(event) || !detail.startsWith('{')) return undefined
  try {
    return { event, facts: { messageId, ...(JSON.parse(detail) as object) } }
  } catch {
    return undefined
  }
}

/** One entry, or all entries of one step. */
export async function addTrace(tx: Tx, entries: TraceEntry | readonly TraceEntry[]): Promise<void> {
  await Promise.all(
    [entries].flat().map((entry) => insertEntry(tx, { ...entry, messageId: entry.messageId.slice(0, KEY_MAX_CHARS) })),
  )
}

/** In the order in which it happened. */
export async function traceOf(db: Db, messageId: string): Promise<readonly TraceEntry[]> {
  const key = messageId.slice(0, KEY_MAX_CHARS)
  const rows = await db.selectFrom('trace').selectAll().where('message_id', '=', key).orderBy('id').execute()
  return rows.map((row) => ({ atMs: row.at_ms, messageId: row.message_id, event: row.event, detail: row.detail }))
}

/** Forgets at most `limit` entries older than `beforeMs`; returns how many, so that the caller goes on until it is 0. */
export async function expireTrace(
  tx: Tx,
  options: { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
  const old = tx.selectFrom('trace').select('id').where('at_ms', '<', options.beforeMs).limit(options.limit)
  const gone = await tx.deleteFrom('trace').where('id', 'in', old).returning('id').execute()
  return gone.length
}

const insertEntry = preparedInsert('trace', (entry: Param<TraceEntry>) => ({
  at_ms: entry('atMs'),
  message_id: entry('messageId'),
  event: entry('event'),
  detail: entry('detail'),
}))
