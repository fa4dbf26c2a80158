/** The row that takes an opened mail to the mail store behind us, and whom it may be returned to. */
import { isAscii } from 'node:buffer'
import type { Authentication } from '../authentication/authenticate.ts'
import { type Address, domainOf, parseAddress, sameAddress } from '../message/address.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { DsnRequest, NewQueueItem } from '../store/queue.ts'
import type { BytesId } from '../store/schema.ts'
import type { Decided, Settling } from './settle-inbound.ts'

export function mailStoreItem(settling: Settling, each: Decided, bytes: FinishedBytes, bytesId: BytesId): NewQueueItem {
  const { incoming, mail } = settling
  const recipient = each.account.address
  const { mailFrom } = incoming
  return {
    bytesId,
    mailFrom,
    recipient,
    domain: domainOf(recipient),
    queuedMs: incoming.nowMs,
    messageId: mail.messageId,
    dsn: mayBeTold(settling, each) ? wishesOf(settling, each.address) : { notify: 'NEVER' },
    smtpUtf8: !isAscii(Buffer.from(mailFrom + recipient)),
    eightBit: bytes.place.kind === 'file' || !isAscii(bytes.place.plain),
    bodyKind: 'opened',
  }
}

const wishesOf = ({ incoming }: Settling, address: Address): DsnRequest => incoming.wishes?.get(address) ?? {}

/**
 * A report to a forged sender is one more piece of spam, and one that comes from us. So what the mail store refuses is told
 * only where MAIL FROM is vouched for: our own user, SPF or DKIM of its domain, or a signature that counts.
 */
function mayBeTold({ incoming, authentication }: Settling, { report }: Decided): boolean {
  const { mailFrom, origin } = incoming
  if (origin.by === 'local') return true
  if (mailFrom === '') return false
  const { signature, signer } = report.summary
  const author = signature === 'valid' && signer !== null ? parseAddress(signer) : undefined
  if (author !== undefined && sameAddress(author, mailFrom)) return true
  return authentication !== undefined && isVouched(authentication, mailFrom)
}

function isVouched({ spf, dkim }: Authentication, mailFrom: Address): boolean {
  if (spf.result === 'pass' && spf.identity === 'mailfrom') return true
  return dkim.some(({ result, domain }) => result === 'pass' && domain === domainOf(mailFrom))
}
