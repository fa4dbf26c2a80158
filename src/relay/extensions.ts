/** What the next hop offered, and what that means for a message. Pure. */
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import type { OutgoingMail } from '../protocol/delivery.ts'
import type { ForwardPath } from '../protocol/smtp-envelope.ts'

export interface Offers {
  /** EHLO keywords that matter here: SIZE, 8BITMIME, SMTPUTF8, DSN, REQUIRETLS, PIPELINING. */
  readonly extensions: ReadonlySet<string>
  /** The number after SIZE (RFC 1870 §4); 0 when there is none. */
  readonly sizeMaxBytes: number
  /** The session runs over TLS. */
  readonly secure: boolean
}

/** Why this hop can never carry the message, known before MAIL; `undefined` when it can. */
export function refusalBeforeMail(mail: OutgoingMail, offers: Offers, host: string): Reply | undefined {
  const { extensions, sizeMaxBytes } = offers
  if (sizeMaxBytes > 0 && mail.sizeBytes > sizeMaxBytes)
    return reply(552, '5.3.4', `The message has ${mail.sizeBytes} bytes, ${host} takes ${sizeMaxBytes}`)
  if (mail.smtpUtf8 && !extensions.has('SMTPUTF8'))
    return reply(553, '5.6.7', `${host} takes no UTF-8 addresses or header fields (SMTPUTF8)`)
  // RFC 6152 §3 leaves converting or returning. Converting would break every signature
  if (mail.eightBit && !extensions.has('8BITMIME'))
    return reply(554, '5.6.3', `${host} takes no 8-bit content (8BITMIME), and the message may not be converted`)
  if (mail.tls === 'required' && !(offers.secure && extensions.has('REQUIRETLS')))
    return reply(550, '5.7.30', `${host} does not support REQUIRETLS`) // RFC 8689
  return undefined
}

/** NOTIFY and ORCPT (RFC 3461 §4.1, §4.2), with a leading space; '' when there are none or the hop does not know them. */
export function rcptParameters(path: ForwardPath, offers: Offers): string {
  if (!offers.extensions.has('DSN')) return ''
  const { notify, orcpt } = path.dsn
  return (notify === undefined ? '' : ` NOTIFY=${notify}`) + (orcpt === undefined ? '' : ` ORCPT=${orcptText(orcpt)}`)
}

/** RFC 3461 §4: the address is xtext, the type before the semicolon is not. */
function orcptText(orcpt: string): string {
  const at = orcpt.indexOf(';')
  return `${orcpt.slice(0, at + 1)}${xtext(orcpt.slice(at + 1))}`
}

const xtext = (text: string): string =>
  text.replaceAll(
    /[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g,
    (char) => `+${(char.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`,
  )
