/** Mail that the policy keeps from the reader until a postmaster has looked at it. */
import { isAscii } from 'node:buffer'
import { say } from '../../base/events.ts'
import { administered } from '../../base/mail-events.ts'
import { hasMailStore } from '../../config/mailboxes-schema.ts'
import { type Address, domainOf } from '../../message/address.ts'
import { type Account, findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import { addToMailbox } from '../../store/mailboxes.ts'
import { type QuarantinedMail, listQuarantine, takeFromQuarantine } from '../../store/quarantine.ts'
import { type NewQueueItem, enqueue } from '../../store/queue.ts'
import type { Tx } from '../../store/schema.ts'
import { addTrace, entriesOf } from '../../store/trace.ts'
import { type Desk, OperationRefused } from '../desk.ts'

export function listQuarantined(desk: Desk): Promise<readonly QuarantinedMail[]> {
  return listQuarantine(desk.store.db)
}

/** The message as it arrived, still protected where it was; in chunks, for it may be too large for memory. */
export async function* readQuarantined(desk: Desk, input: { id: number }): AsyncGenerator<Uint8Array, void, undefined> {
  const mail = (await listQuarantine(desk.store.db)).find((each) => each.id === input.id)
  if (mail === undefined) throw unknown(input.id)
  yield* desk.store.bytes.stream(mail.bytesId)
}

/**
 * `release`: to its recipients, as it arrived: into their mailboxes here, or to the mail store behind us; refused, and all of it stays, when one of them has no
 * account any more, or another one. `remove`: gone; nobody is told.
 */
export async function changeQuarantined(
  desk: Desk,
  input: { id: number; change: 'release' | 'remove' },
): Promise<void> {
  const { id, change } = input
  const nowMs = desk.clock.nowMs()
  const named = { operation: `quarantine ${change}`, actor: desk.actor }
  const told = await desk.store.commit(async (tx) => {
    const taken = await takeFromQuarantine(tx, id, (mail) =>
      change === 'release' ? deliver(desk, tx, mail, nowMs) : Promise.resolve(),
    )
    if (taken === undefined) throw unknown(id)
    const detail = `${taken.recipients.join(', ')}: ${taken.reason}`
    await audit(tx, { nowMs, ...named, subject: String(id), detail })
    const events = taken.recipients.map((recipient) =>
      administered({ ...named, messageId: taken.messageId, recipient }),
    )
    await addTrace(tx, entriesOf(events, nowMs))
    return events
  })
  for (const event of told) say(event)
}

async function deliver(desk: Desk, tx: Tx, mail: QuarantinedMail, nowMs: number): Promise<void> {
  const sizeBytes = await desk.store.bytes.sizeBytes(mail.bytesId)
  if (sizeBytes === undefined) throw new OperationRefused(`The message of quarantine entry ${mail.id} is gone`)
  const accounts: Account[] = []
  for (const recipient of mail.recipients) {
    const account = await findAccount(tx, recipient)
    // one left out would end in silence: the bytes go with the entry
    if (account === undefined)
      throw new OperationRefused(
        `${recipient} has no account any more; "sealpost quarantine show ${mail.id}" has the message, "remove" drops it`,
      )
    if (account.otherEntryId !== null || account.createdMs > mail.atMs)
      throw new OperationRefused(
        `${recipient} is, or may be, somebody else's since this mail came; "sealpost quarantine show ${mail.id}" has the message, "remove" drops it`,
      )
    accounts.push(account)
  }
  if (hasMailStore(desk.config.mailboxes)) {
    await enqueue(
      tx,
      accounts.map((account) => mailStoreItem(mail, account.address, nowMs)),
    )
    return
  }
  for (const { id: accountId } of accounts)
    await addToMailbox(tx, { accountId, bytesId: mail.bytesId, sizeBytes, receivedMs: nowMs })
}

/** The sender has had an answer long ago, and hears no more of it. */
function mailStoreItem(
  { bytesId, mailFrom, messageId }: QuarantinedMail,
  recipient: Address,
  nowMs: number,
): NewQueueItem {
  return {
    bytesId,
    mailFrom,
    recipient,
    domain: domainOf(recipient),
    queuedMs: nowMs,
    messageId,
    dsn: { notify: 'NEVER' },
    smtpUtf8: !isAscii(Buffer.from(mailFrom + recipient)),
    eightBit: true, // nobody has looked
    bodyKind: 'opened',
  }
}

const unknown = (id: number): OperationRefused =>
  new OperationRefused(`There is no quarantine entry ${id}; "sealpost quarantine list" names them`)
