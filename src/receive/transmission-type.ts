/** What the Received field says of the protocol by which a message came. */
import type { TransmissionType } from '../protocol/smtp-session.ts'
import type { Session } from './commands.ts'

/** RFC 3848 and, with SMTPUTF8, RFC 6531 §4.3. */
export function transmissionTypeOf({
  helo,
  transaction,
  secure,
  login,
}: Pick<Session, 'helo' | 'transaction' | 'secure' | 'login'>): TransmissionType {
  const utf8 = transaction?.mail.smtpUtf8 === true
  if (helo?.extended !== true && !utf8) return 'SMTP'
  return `${utf8 ? 'UTF8SMTP' : 'ESMTP'}${secure ? 'S' : ''}${login === undefined ? '' : 'A'}`
}
