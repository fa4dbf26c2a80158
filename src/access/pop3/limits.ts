/** What one client, and all of them together, may ask of the POP3 server. Times in ms. */
export interface Pop3Limits {
  readonly connectionsMax: number
  /** From one IPv4 address, or one IPv6 network of 64 bits. */
  readonly connectionsPerAddressMax: number
  /** A session that says nothing for so long is closed, and nothing is deleted (RFC 1939 §3: 10 minutes or more). */
  readonly idleTimeoutMs: number
  /** From the connection to the login, however busy the client is. */
  readonly loginTimeoutMs: number
  readonly tlsHandshakeTimeoutMs: number
  /** A client that does not take 64 KiB in this time is closed. */
  readonly writeTimeoutMs: number
  readonly commandsBeforeLoginMax: number
  /** Lines that are no command, in one session. */
  readonly mistakesMax: number
  readonly loginFailuresMax: number
  /** Wait before the answer to the first wrong password; the second waits twice as long, and so on. */
  readonly loginFailureDelayMs: number
  /** When the server stops: how long a session may wait for the client's next command, and when all end. */
  readonly stopIdleMs: number
  readonly stopGraceMs: number
}

export const POP3_LIMITS: Pop3Limits = {
  connectionsMax: 2_000,
  connectionsPerAddressMax: 50, // an office behind one address has many terminals
  idleTimeoutMs: 10 * 60_000,
  loginTimeoutMs: 10 * 60_000,
  tlsHandshakeTimeoutMs: 30_000,
  writeTimeoutMs: 3 * 60_000,
  commandsBeforeLoginMax: 50,
  mistakesMax: 30,
  loginFailuresMax: 3,
  loginFailureDelayMs: 1_000,
  stopIdleMs: 1_000,
  stopGraceMs: 8_000,
}
