/** What waits for a user to fetch it: the opened message, and beside it the protected one as evidence. */
import { randomBytes } from 'node:crypto'
import { inSlices, releaseBytes } from './bytes/release.ts'
import { type Param, preparedInsertWithId } from './prepared.ts'
import type { BytesId, Db, Tx } from './schema.ts'

/** 16 random bytes make 22 characters of RFC 1939 §7's range, unique even after the database is restored from a copy. */
const UIDL_BYTES = 16

export interface MailboxItem {
  readonly id: number
  /** Unique, stable and never given twice (RFC 1939 §7). */
  readonly uidl: string
  readonly sizeBytes: number
  readonly receivedMs: number
  readonly bytesId: BytesId
  readonly evidenceBytesId: BytesId | null
}

/** Returns the id of the new mailbox row. */
export async function addToMailbox(
  tx: Tx,
  item: {
    readonly accountId: number
    readonly bytesId: BytesId
    readonly sizeBytes: number
    readonly receivedMs: number
    /** The message as it arrived, still protected. */
    readonly evidenceBytesId?: BytesId
  },
): Promise<number> {
  const uidl = randomBytes(UIDL_BYTES).toString('base64url')
  return insertItem(tx, { ...item, uidl, evidenceBytesId: item.evidenceBytesId ?? null })
}

const insertItem = preparedInsertWithId(
  'mailbox',
  (item: Param<Omit<MailboxItem, 'id'> & { readonly accountId: number }>) => ({
    account_id: item('accountId'),
    uidl: item('uidl'),
    size_bytes: item('sizeBytes'),
    received_ms: item('receivedMs'),
    bytes_id: item('bytesId'),
    evidence_bytes_id: item('evidenceBytesId'),
  }),
)

/** In the order of arrival. */
export async function listMailbox(db: Db, accountId: number): Promise<readonly MailboxItem[]> {
  const rows = await db.selectFrom('mailbox').selectAll().where('account_id', '=', accountId).orderBy('id').execute()
  return rows.map((row) => ({
    id: row.id,
    uidl: row.uidl,
    sizeBytes: row.size_bytes,
    receivedMs: row.received_ms,
    bytesId: row.bytes_id,
    evidenceBytesId: row.evidence_bytes_id,
  }))
}

/** Deletes what is still there of `ids`, and only from this account; returns how many that were. Two terminals may do it at once. */
export async function deleteFromMailbox(tx: Tx, accountId: number, ids: readonly number[]): Promise<number> {
  let deleted = 0
  for (const some of inSlices(ids)) {
    const gone = await tx
      .deleteFrom('mailbox')
      .where('account_id', '=', accountId)
      .where('id', 'in', some)
      .returning(['bytes_id', 'evidence_bytes_id'])
      .execute()
    await releaseBytes(
      tx,
      gone.flatMap((row) => (row.evidence_bytes_id === null ? [row.bytes_id] : [row.bytes_id, row.evidence_bytes_id])),
    )
    deleted += gone.length
  }
  return deleted
}

/** Drops the evidence of at most `limit` messages received before `beforeMs`; returns how many. The message stays. */
export async function expireEvidence(
  tx: Tx,
  options: { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
  const rows = await tx
    .selectFrom('mailbox')
    .select(['id', 'evidence_bytes_id'])
    .where('evidence_bytes_id', 'is not', null)
    .where('received_ms', '<', options.beforeMs)
    .limit(options.limit)
    .execute()
  for (const some of inSlices(rows.map((row) => row.id)))
    await tx.updateTable('mailbox').set({ evidence_bytes_id: null }).where('id', 'in', some).execute()
  await releaseBytes(
    tx,
    rows.map((row) => row.evidence_bytes_id).filter((id) => id !== null),
  )
  return rows.length
}
