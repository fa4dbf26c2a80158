/** What the sender is told: a DSN (RFC 3464) about the recipients of one batch, headers only. */
import { isAscii } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { domainOf, type Address, type Domain } from '../message/address.ts'
import { formatMessageId } from '../message/date.ts'
import { newBoundary } from '../message/build.ts'
import { utf8 } from '../base/bytes.ts'
import { buildDsn, RETURNED_HEADER_BYTES_MAX, type DsnRecipient } from '../message/dsn.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import type { BytesId } from '../store/schema.ts'
import type { NewQueueItem, QueueItem } from '../store/queue.ts'
import { isOpened, statusOf, type ItemVerdict } from './verdict.ts'

export interface Notice {
  readonly messageId: string
  readonly bytes: Uint8Array
}

/** The DSN about those of `verdicts` that their sender wants to hear of; `undefined` when there are none. */
export function noticeFor(
  verdicts: readonly ItemVerdict[],
  facts: {
    readonly hostname: Domain
    readonly nowMs: number
    /** How long a delayed message is tried altogether. */
    readonly giveUpAfterMs: number
    readonly originalHeader: Uint8Array | undefined
  },
): Notice | undefined {
  const told = verdicts.filter((one) => one.notify !== undefined)
  const first = told[0]?.item
  if (first === undefined || first.mailFrom === '') return undefined
  const messageId = formatMessageId(randomBytes(18), facts.hostname)
  const bytes = buildDsn({
    reportingMta: facts.hostname,
    from: `mailer-daemon@${facts.hostname}` as Address,
    to: first.mailFrom,
    failures: told.map((one) => reportOf(one, facts)),
    ...(first.dsn.envid !== undefined && { originalEnvelopeId: first.dsn.envid }),
    arrivalMs: first.queuedMs,
    nowMs: facts.nowMs,
    ...(facts.originalHeader !== undefined && { originalHeaders: facts.originalHeader }),
    messageId,
    boundary: newBoundary(randomBytes(18)),
  })
  return { messageId, bytes }
}

/** The row that takes a DSN to the sender of `about`. */
export function noticeItem(about: QueueItem, notice: Notice, bytesId: BytesId, nowMs: number): NewQueueItem {
  if (about.mailFrom === '') throw new Error('A DSN to the null reverse-path')
  return {
    bytesId,
    mailFrom: '', // RFC 3464 §2: a DSN never causes another
    recipient: about.mailFrom,
    domain: domainOf(about.mailFrom),
    queuedMs: nowMs,
    messageId: notice.messageId,
    dsn: { notify: 'NEVER' }, // RFC 3461 §6.1
    smtpUtf8: !isAscii(utf8(about.mailFrom)),
    eightBit: !isAscii(notice.bytes),
    bodyKind: 'dsn',
  }
}

/** The header of a message, without the empty line, as far as RETURNED_HEADER_BYTES_MAX reach. */
export async function readHeader(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let lengthBytes = 0
  for await (const chunk of content) {
    chunks.push(chunk)
    lengthBytes += chunk.length
    if (lengthBytes >= RETURNED_HEADER_BYTES_MAX) break
  }
  const start = Buffer.concat(chunks).subarray(0, RETURNED_HEADER_BYTES_MAX)
  const end = start.indexOf('\r\n\r\n')
  // a header that goes on is cut after its last whole line
  return start.subarray(0, end >= 0 ? end + 2 : start.lastIndexOf('\r\n') + 2)
}

function reportOf(verdict: ItemVerdict, facts: { nowMs: number; giveUpAfterMs: number }): DsnRecipient {
  const { item, result } = verdict
  return {
    recipient: item.recipient,
    ...(item.dsn.orcpt !== undefined && { originalRecipient: item.dsn.orcpt }),
    action: verdict.notify ?? 'failed',
    status: statusOf(verdict),
    diagnostic: replyText(result.reply),
    // who keeps our users' mail, and where, is nobody's business
    ...(result.remote !== undefined && !isOpened(item) && { remoteMta: result.remote }),
    lastAttemptMs: facts.nowMs,
    ...(verdict.kind === 'retry' && { retryUntilMs: item.queuedMs + facts.giveUpAfterMs }),
  }
}
