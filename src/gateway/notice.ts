/** Tells the sender of a mail which recipients it was not sent to, when the others were served. */
import { randomBytes } from 'node:crypto'
import { type Address, domainOf, parseAddress } from '../message/address.ts'
import { newBoundary } from '../message/build.ts'
import { formatMessageId } from '../message/date.ts'
import { buildDsn } from '../message/dsn.ts'
import type { RefusedRecipient } from '../policy/decide-outbound.ts'
import { explainRefused } from '../policy/explain.ts'
import { type FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { Store } from '../store/database.ts'
import { enqueue } from '../store/queue.ts'
import type { Tx } from '../store/schema.ts'

export interface Notice {
  readonly to: Address
  readonly messageId: string
  readonly bytes: FinishedBytes
}

interface RefusedRecipients {
  readonly sender: Address
  readonly refused: readonly RefusedRecipient[]
  /** Header of the mail, for the sender to recognise it. */
  readonly header: Uint8Array
  readonly nowMs: number
  readonly hostname: string
}

export async function refusalNotice(store: Store, facts: RefusedRecipients): Promise<Notice> {
  const { sender, nowMs } = facts
  const messageId = formatMessageId(randomBytes(16), domainOf(sender))
  const dsn = buildDsn({
    reportingMta: facts.hostname,
    from: parseAddress(`mailer-daemon@${domainOf(sender)}`) ?? sender,
    to: sender,
    failures: facts.refused.map((each) => ({
      recipient: each.address,
      action: 'failed' as const,
      status: '5.7.5', // RFC 3463 §3.8: cryptographic failure
      diagnostic: `554 5.7.5 ${explainRefused([each])}`,
    })),
    arrivalMs: nowMs,
    nowMs,
    originalHeaders: facts.header,
    messageId,
    boundary: newBoundary(randomBytes(16)),
  })
  return { to: sender, messageId, bytes: await store.bytes.seal(dsn) }
}

/** In the transaction that queues the mail for the others. */
export async function queueNotice(store: Store, tx: Tx, notice: Notice, nowMs: number): Promise<void> {
  await enqueue(tx, [
    {
      bytesId: await store.bytes.insert(tx, notice.bytes),
      mailFrom: '', // RFC 3464 §2: a report never causes another
      recipient: notice.to,
      domain: domainOf(notice.to),
      queuedMs: nowMs,
      messageId: notice.messageId,
      dsn: { notify: 'NEVER' },
      smtpUtf8: false,
      eightBit: false,
      bodyKind: 'dsn',
    },
  ])
}
