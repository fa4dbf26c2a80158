/** Mail that the policy keeps from the user until the postmaster has looked at it. */
import type { Selectable } from 'kysely'
import type { Address } from '../message/address.ts'
import { releaseBytes } from './bytes/release.ts'
import type { BytesId, Db, QuarantineTable, Tx } from './schema.ts'

export interface QuarantinedMail {
  readonly id: number
  /** The message as it arrived. */
  readonly bytesId: BytesId
  readonly atMs: number
  readonly mailFrom: Address | ''
  readonly recipients: readonly Address[]
  readonly messageId: string
  /** A sentence for the postmaster. */
  readonly reason: string
}

export async function addToQuarantine(tx: Tx, mail: Omit<QuarantinedMail, 'id'>): Promise<number> {
  const row = await tx
    .insertInto('quarantine')
    .values({
      bytes_id: mail.bytesId,
      at_ms: mail.atMs,
      mail_from: mail.mailFrom,
      recipients: JSON.stringify(mail.recipients),
      message_id: mail.messageId,
      reason: mail.reason,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return row.id
}

/** Oldest first. */
export async function listQuarantine(db: Db): Promise<readonly QuarantinedMail[]> {
  const rows = await db.selectFrom('quarantine').selectAll().orderBy('id').execute()
  return rows.map(toMail)
}

/** Takes one mail out and returns it; `undefined` when somebody else has. Bytes that the caller queues in this transaction stay. */
export async function takeFromQuarantine(
  tx: Tx,
  id: number,
  then: (mail: QuarantinedMail) => Promise<void>,
): Promise<QuarantinedMail | undefined> {
  const row = await tx.deleteFrom('quarantine').where('id', '=', id).returningAll().executeTakeFirst()
  if (row === undefined) return undefined
  const mail = toMail(row)
  await then(mail)
  await releaseBytes(tx, [mail.bytesId])
  return mail
}

function toMail(row: Selectable<QuarantineTable>): QuarantinedMail {
  return {
    id: row.id,
    bytesId: row.bytes_id,
    atMs: row.at_ms,
    mailFrom: row.mail_from,
    recipients: JSON.parse(row.recipients) as Address[],
    messageId: row.message_id,
    reason: row.reason,
  }
}
