/**
 * Handing a message on: what is asked, and what came of it for each recipient. Spoken between queue/, relay/ and
 * gateway/, which do not know each other (docs/architecture.md, "Who may know whom").
 */
import type { HopFacts } from '../base/mail-events.ts'
import type { Address, Domain } from '../message/address.ts'
import type { ForwardPath, TlsWish } from './smtp-envelope.ts'
import type { Reply } from './smtp-reply.ts'

/** One message on its way to recipients in one domain. */
export interface OutgoingMail {
  /** The Message-ID field, for traces; '' when there is none. */
  readonly messageId: string
  /** '' is the null reverse-path (RFC 5321 §4.5.5). */
  readonly mailFrom: Address | ''
  /** At least one, no address twice, all in `domain`. */
  readonly recipients: readonly ForwardPath[]
  readonly domain: Domain
  /** Octets, before dot-stuffing (RFC 1870 §5). */
  readonly sizeBytes: number
  /** The message or one of its addresses needs SMTPUTF8 (RFC 6531). */
  readonly smtpUtf8: boolean
  /** The message has octets above 127 (RFC 6152). */
  readonly eightBit: boolean
  /** Encrypted end to end: who reads it on the wire learns addresses, times and size only. */
  readonly sealed: boolean
  readonly tls: TlsWish
  readonly ret?: 'FULL' | 'HDRS'
  readonly envid?: string
}

/** Opens the message's bytes, from the start at each call. CRLF line ends only. */
export type ContentSource = () => AsyncIterable<Uint8Array>

/** `deferred` is tried again, `failed` never. */
export type Outcome = 'delivered' | 'deferred' | 'failed'

export interface RecipientResult {
  readonly recipient: Address
  readonly outcome: Outcome
  /** The next hop's words, or our own when there is no `remote`. */
  readonly reply: Reply
  /** Name of the host whose reply this is. */
  readonly remote?: string
  /** The session it came over. */
  readonly hop?: HopFacts
  /** The next hop took over the duty to notify the sender (RFC 3461 §5.2.1): it knows DSN, and was told. */
  readonly dsnPassedOn: boolean
}
