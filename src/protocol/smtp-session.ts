/** What a receiving agent knows about a session, and a message it hands on. */
import type { Address } from '../message/address.ts'
import type { Reply } from './smtp-reply.ts'
import type { SmtpEnvelope } from './smtp-envelope.ts'

/** Implemented behind the listeners, handed in by wiring/. */
export interface Inbox {
  /**
   * Consumes the whole content and says what to answer to the end of the data. Resolves with a 2yz only after everything
   * is durable. A rejection is answered with 451 4.3.0. When the client goes away in the middle, the content throws.
   */
  accept(mail: ReceivedMail): Promise<Reply>
}

/** One message as it came in: dot-unstuffed, every line ended by CRLF, no byte changed otherwise. */
export interface ReceivedMail {
  readonly session: SessionFacts
  readonly envelope: SmtpEnvelope
  /**
   * Pulled: the client is slowed down to the reader's pace. Throws `ContentRefused` when the message cannot be accepted
   * (too large, bare line end, client gone): whatever was read of it must then be forgotten. Readable once.
   */
  readonly content: AsyncIterable<Uint8Array>
}

/** The content ended early: nothing of it may be kept or delivered. What `accept` then answers is not used. */
export class ContentRefused extends Error {
  readonly answer: Reply | undefined
  /** `answer` is what the client is told; `undefined` when nobody is there to be told. */
  constructor(answer: Reply | undefined) {
    super(answer?.lines[0] ?? 'Connection closed before the message was complete')
    this.name = 'ContentRefused'
    this.answer = answer
  }
}

/** Facts about the session of a message, for the trace field, the policy and the log. */
export interface SessionFacts {
  /** Unique among all sessions; for logs. */
  readonly id: string
  readonly kind: 'mx' | 'submission'
  /** IPv4 or IPv6 text form, without port. */
  readonly peerAddress: string
  /** Argument of HELO or EHLO: a claim; printable ASCII. */
  readonly helo: string
  readonly tls: TlsFacts | undefined
  readonly protocol: TransmissionType
  /** The signed-in user's address; absent on `mx`. */
  readonly login?: Address
  /** Whose login it is is only believed when the message carries one of these. */
  readonly mustCarry?: readonly SecretHeader[]
}

/** A header field whose value few know. */
export interface SecretHeader {
  readonly name: string
  /** SHA-256 of the value. */
  readonly digest: Uint8Array
}

export interface TlsFacts {
  /** As node names it, e.g. 'TLSv1.3'. */
  readonly protocol: string
  /** IANA name, e.g. 'TLS_AES_256_GCM_SHA384'. */
  readonly cipher: string
}

/** The "with" word of the Received field: RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3. */
export type TransmissionType =
  'SMTP' | 'ESMTP' | 'ESMTPS' | 'ESMTPA' | 'ESMTPSA' | 'UTF8SMTP' | 'UTF8SMTPS' | 'UTF8SMTPA' | 'UTF8SMTPSA'
