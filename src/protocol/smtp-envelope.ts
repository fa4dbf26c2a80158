/**
 * The SmtpEnvelope (RFC 5321 §2.3.1): who sends, who receives, and how, as the client said it in MAIL and RCPT. It is
 * not the CryptoEnvelope of RFC 9787 (docs/glossary.md).
 */
import type { Address } from '../message/address.ts'

export interface SmtpEnvelope {
  readonly mailFrom: ReversePath
  /** At least one when a message is accepted; no address twice. */
  readonly rcptTo: readonly ForwardPath[]
  /** RFC 6531 §3.4: SMTPUTF8 was given with MAIL. */
  readonly smtpUtf8: boolean
  /** RFC 6152 §2; '7BIT' when MAIL gave no BODY. */
  readonly body: BodyType
  /** RFC 8689: REQUIRETLS was given with MAIL. */
  readonly requireTls: boolean
  /** RFC 1870 §4: what the client said; the message may be of another size. A safe integer. */
  readonly declaredSizeBytes?: number
  readonly dsn: EnvelopeDsn
}

/**
 * What the sender wants of TLS on the way (RFC 8689). `required`: REQUIRETLS, TLS with a proven server or not at all.
 * `unimportant`: `TLS-Required: No`, rather in the clear than not at all.
 */
export type TlsWish = 'required' | 'usual' | 'unimportant'

export type BodyType = '7BIT' | '8BITMIME'

/** RFC5321.MailFrom. */
export interface ReversePath {
  /** '' is the null reverse-path (RFC 5321 §4.5.5). */
  readonly address: Address | ''
}

/** RFC5321.RcptTo: one recipient and what the sender wants to hear about it. */
export interface ForwardPath {
  readonly address: Address
  readonly dsn: RecipientDsn
}

/** RFC 3461 §4.3 and §4.4, given with MAIL. */
export interface EnvelopeDsn {
  readonly ret?: 'FULL' | 'HDRS'
  /** Decoded from xtext; printable ASCII. */
  readonly envid?: string
}

/** RFC 3461 §4.1 and §4.2, given with RCPT. */
export interface RecipientDsn {
  /** 'NEVER', or some of SUCCESS, FAILURE, DELAY, upper-case, comma-separated, none twice. */
  readonly notify?: string
  /** `addr-type;address`, the address decoded from xtext; printable ASCII. */
  readonly orcpt?: string
}
