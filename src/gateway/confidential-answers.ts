/**
 * An answer tells nothing on the wire that the mail it answers had hidden there (RFC 9788 §6.1; decision 0034). The user's
 * own program cannot know: it has the opened mail. So what came, and what left, with something hidden is remembered.
 */
import { type Address, type Domain, domainOf } from '../message/address.ts'
import { answeredIds, messageIdIn } from '../message/message-ids.ts'
import type { HeaderField } from '../message/part.ts'
import type { Copy } from '../policy/decide-outbound.ts'
import { type FieldStates, confidentialityOf } from '../protection/header/field-protection.ts'
import type { HeaderConfidentiality } from '../protection/header/header-confidentiality.ts'
import { findAccount } from '../store/accounts.ts'
import { hiddenIn, rememberConfidential } from '../store/confidential-mails.ts'
import type { Store } from '../store/database.ts'
import type { Tx } from '../store/schema.ts'

/** The most that any mail hid which this one says it answers or forwards. */
export async function hiddenInAnswered(
  store: Store,
  sender: Address,
  fields: readonly HeaderField[],
): Promise<HeaderConfidentiality> {
  const ids = answeredIds(fields)
  const account = ids.length === 0 ? undefined : await findAccount(store.db, sender)
  return account === undefined ? 'none' : hiddenIn(store.db, account.id, ids)
}

/** Of a mail that a user is given; `fields` and `messageId` are those that the user sees. */
export async function rememberReceived(
  tx: Tx,
  user: Address,
  { fields, messageId, atMs }: { fields: FieldStates; messageId: string | undefined; atMs: number },
): Promise<void> {
  const hidden = confidentialityOf(fields)
  if (hidden !== 'none' && messageId !== undefined) await rememberConfidential(tx, { user, messageId, hidden, atMs })
}

/** Mail to our own domains is hidden from nobody but our own disk. */
export function hiddenFromOthers(copies: readonly Copy[], ownDomains: readonly Domain[]): HeaderConfidentiality {
  const hidden = copies.flatMap(({ protection, recipients }) =>
    protection.kind === 'wrapped' &&
    protection.layering !== 'sign' &&
    recipients.some((recipient) => !ownDomains.includes(domainOf(recipient)))
      ? [protection.confidentiality ?? 'none']
      : [],
  )
  return hidden.includes('shy') ? 'shy' : hidden.includes('baseline') ? 'baseline' : 'none'
}

export async function rememberSent(
  tx: Tx,
  sender: Address,
  { fields, hidden, atMs }: { fields: readonly HeaderField[]; hidden: HeaderConfidentiality; atMs: number },
): Promise<void> {
  const messageId = messageIdIn(fields)
  if (hidden !== 'none' && messageId !== undefined)
    await rememberConfidential(tx, { user: sender, messageId, hidden, atMs })
}
