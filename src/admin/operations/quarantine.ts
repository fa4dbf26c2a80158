/** Mail that the policy keeps from the reader until a postmaster has looked at it. */
import { say } from '../../base/events.ts'
import { administered } from '../../base/mail-events.ts'
import { findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import { addToMailbox } from '../../store/mailboxes.ts'
import { type QuarantinedMail, listQuarantine, takeFromQuarantine } from '../../store/quarantine.ts'
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

/** `release`: into the mailboxes of its recipients, as it arrived. `remove`: gone; nobody is told. */
export async function changeQuarantined(
  desk: Desk,
  input: { id: number; change: 'release' | 'remove' },
): Promise<void> {
  const { id, change } = input
  const nowMs = desk.clock.nowMs()
  const named = { operation: `quarantine ${change}`, actor: desk.actor }
  const told = await desk.store.commit(async (tx) => {
    const taken = await takeFromQuarantine(tx, id, (mail) =>
      change === 'release' ? intoMailboxes(desk, tx, mail, nowMs) : Promise.resolve(),
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

async function intoMailboxes(desk: Desk, tx: Tx, mail: QuarantinedMail, nowMs: number): Promise<void> {
  const sizeBytes = await desk.store.bytes.sizeBytes(mail.bytesId)
  if (sizeBytes === undefined) throw new OperationRefused(`The message of quarantine entry ${mail.id} is gone`)
  for (const recipient of mail.recipients) {
    const account = await findAccount(tx, recipient)
    if (account !== undefined)
      await addToMailbox(tx, { accountId: account.id, bytesId: mail.bytesId, sizeBytes, receivedMs: nowMs })
  }
}

const unknown = (id: number): OperationRefused =>
  new OperationRefused(`There is no quarantine entry ${id}; "sealpost quarantine list" names them`)
