/** What one client, and all of them together, may ask of an SMTP listener. Times in ms. */
import type { DataLimits } from '../protocol/smtp-data.ts'

export interface ReceiveLimits extends DataLimits {
  readonly connectionsMax: number
  /** Per IPv4 address, per IPv6 /64. */
  readonly connectionsPerPeerMax: number
  /** RFC 5321 §4.5.3.1.8: 100 at least. */
  readonly recipientsMax: number
  /** RFC 5321 §4.5.3.1.4: 512; a path in UTF-8, DSN parameters (RFC 3461 §4) and SIZE need more. */
  readonly commandMaxBytes: number
  /** While nobody is signed in, where AUTH is offered (RFC 4954 §4: 12,288). */
  readonly authCommandMaxBytes: number
  /** Commands that bring no message nearer (NOOP, RSET, EHLO, VRFY …), since the last message. */
  readonly idleCommandsMax: number
  /** Commands answered with 4yz or 5yz, since the last accepted message. */
  readonly errorsMax: number
  readonly loginFailuresMax: number
  /** Wait before the answer to the first wrong password; the second waits twice as long, and so on. */
  readonly loginFailureDelayMs: number
  /** RFC 5321 §4.5.3.2.7: five minutes or more. */
  readonly idleTimeoutMs: number
  /** A client that sends less than this of its message a second, over `paceMs`, is told to come again. */
  readonly dataMinBytesPerSecond: number
  readonly paceMs: number
  /** Of one message, what is held in memory at most until it is answered; the rest goes to the disk. */
  readonly heldPerMessageMaxBytes: number
  /** However busy the client is; a message being decided about is answered first. */
  readonly sessionMaxMs: number
  /** Wait for early talkers before the greeting; with 0, who talks at once is still noticed. */
  readonly greetingDelayMs: number
  /** How long a refused message may pause before its client is answered without waiting for the end of its data. */
  readonly discardPauseMs: number
  /** How much of a refused message is read to answer politely at its end. */
  readonly discardMaxBytes: number
}

export const RECEIVE_LIMITS: ReceiveLimits = {
  connectionsMax: 1_000,
  connectionsPerPeerMax: 50, // large senders open a few tens at a time
  recipientsMax: 100,
  commandMaxBytes: 2_048,
  authCommandMaxBytes: 12_288,
  idleCommandsMax: 100,
  errorsMax: 20,
  loginFailuresMax: 3,
  loginFailureDelayMs: 1_000,
  idleTimeoutMs: 5 * 60_000,
  dataMinBytesPerSecond: 100,
  paceMs: 5 * 60_000,
  heldPerMessageMaxBytes: 4 * 2 ** 20,
  sessionMaxMs: 4 * 3_600_000,
  greetingDelayMs: 0,
  discardPauseMs: 3_000,
  discardMaxBytes: 200 * 2 ** 20,
  messageMaxBytes: 50 * 2 ** 20,
  headerMaxBytes: 512 * 2 ** 10,
  // RFC 5321 §4.5.3.1.6 has 1000, and mail with HTML in one line exists; the bytes pass unchanged
  lineMaxBytes: 1024 * 2 ** 10,
}
