/**
 * Which mails hid their Subject, or more, on the wire: so that an answer, written in a program that does not know of it,
 * does not tell it there (RFC 9788 §6.1). Only a digest of the Message-ID is kept.
 */
import { createHash } from 'node:crypto'
import { type Address, addressKey } from '../message/address.ts'
import type { HeaderConfidentiality } from '../protection/header/header-confidentiality.ts'
import { type Param, preparedLate } from './prepared.ts'
import type { Db, Tx } from './schema.ts'

export interface ConfidentialMail {
  /** Who has it, or wrote it; what is nobody's here is not remembered. */
  readonly user: Address
  readonly messageId: string
  readonly hidden: Exclude<HeaderConfidentiality, 'none'>
  readonly atMs: number
}

/** Of one Message-ID the most that was ever hidden is kept, and the last time. */
export async function rememberConfidential(tx: Tx, mail: ConfidentialMail): Promise<void> {
  const { user, hidden, atMs } = mail
  const row = { userKey: addressKey(user), message: digestOf(mail.messageId), atMs }
  await (hidden === 'shy' ? keepShy(tx, row) : keepBaseline(tx, row))
}

const keep = (hidden: ConfidentialMail['hidden']) =>
  preparedLate((db, row: Param<{ readonly userKey: string; readonly message: string; readonly atMs: number }>) =>
    db
      .insertInto('confidential_mails')
      .columns(['account_id', 'message', 'hidden', 'at_ms'])
      .expression(
        db
          .selectFrom('accounts')
          .select((eb) => [
            'id',
            eb.val(row('message')).as('message'),
            eb.val(hidden).as('hidden'),
            eb.val(row('atMs')).as('at_ms'),
          ])
          .where('address_key', '=', row('userKey')),
      )
      .onConflict((conflict) =>
        conflict.columns(['account_id', 'message']).doUpdateSet((eb) => ({
          at_ms: eb.ref('excluded.at_ms'),
          ...(hidden === 'shy' && { hidden }),
        })),
      ),
  )
const keepShy = keep('shy')
const keepBaseline = keep('baseline')

/** The most that any of these mails hid. */
export async function hiddenIn(
  db: Db,
  accountId: number,
  messageIds: readonly string[],
): Promise<HeaderConfidentiality> {
  if (messageIds.length === 0) return 'none'
  const rows = await db
    .selectFrom('confidential_mails')
    .select('hidden')
    .where('account_id', '=', accountId)
    .where('message', 'in', messageIds.map(digestOf))
    .execute()
  if (rows.length === 0) return 'none'
  return rows.some(({ hidden }) => hidden === 'shy') ? 'shy' : 'baseline'
}

/** Forgets at most `limit` mails older than `beforeMs`; returns how many, so that the caller goes on until it is 0. */
export async function expireConfidential(
  tx: Tx,
  options: { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
  const old = tx
    .selectFrom('confidential_mails')
    .select('id')
    .where('at_ms', '<', options.beforeMs)
    .limit(options.limit)
  const gone = await tx.deleteFrom('confidential_mails').where('id', 'in', old).returning('id').execute()
  return gone.length
}

const digestOf = (messageId: string): string => createHash('sha256').update(messageId).digest('base64url')
