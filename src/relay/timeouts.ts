/** How long a next hop may take. The RFC's values are the shortest that a client should use (RFC 5321 §4.5.3.2). */

const MINUTE_MS = 60_000

export interface RelayTimeouts {
  /** TCP connection to one address; a black hole must not keep the other addresses waiting. */
  readonly connectMs: number
  /** The greeting (§4.5.3.2.1). */
  readonly greetingMs: number
  /** EHLO, STARTTLS, the handshake and the second EHLO together. */
  readonly helloMs: number
  /** Silence between two replies to MAIL, RCPT and DATA (§4.5.3.2.2 and .3). */
  readonly commandMs: number
  /** MAIL to 354 altogether, however slowly the replies trickle in. */
  readonly envelopeMs: number
  /** One block of data to be taken (§4.5.3.2.5). */
  readonly dataBlockMs: number
  /** The reply to the final dot (§4.5.3.2.6): long, for giving up here makes duplicates (RFC 1047). */
  readonly dataTerminationMs: number
  /** RSET and QUIT: nothing is at stake. */
  readonly farewellMs: number
}

export const RELAY_TIMEOUTS: RelayTimeouts = {
  connectMs: 30_000,
  greetingMs: 5 * MINUTE_MS,
  helloMs: 5 * MINUTE_MS,
  commandMs: 5 * MINUTE_MS,
  envelopeMs: 30 * MINUTE_MS,
  dataBlockMs: 3 * MINUTE_MS,
  dataTerminationMs: 10 * MINUTE_MS,
  farewellMs: 10_000,
}
