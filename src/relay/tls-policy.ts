/** Whether a hop uses TLS, and what happens when it cannot (docs/decisions/0010-relay-tls.md). Pure. */

/** What the operator wants for a next hop: `relay.tls`. MTA-STS (RFC 8461) and DANE (RFC 7672) verdicts will join here. */
export type HopTls = 'opportunistic' | 'verified'

export interface TlsFactsOfMail {
  /** The sender said TLS or not at all (RFC 8689). */
  readonly requireTls: boolean
  /** Encrypted end to end. */
  readonly sealed: boolean
}

export interface TlsVerdict {
  /** `if-offered`: STARTTLS where the server offers it. `always`: no mail without TLS. */
  readonly use: 'if-offered' | 'always'
  /** The certificate must chain to a trust anchor and name the host. */
  readonly verify: boolean
  /** STARTTLS was offered and the handshake failed: a new connection without TLS may carry this message. */
  readonly clearAfterFailure: boolean
}

/**
 * An opportunistic hop hides mail from those who only listen (RFC 7435). Whoever breaks the handshake on purpose could as
 * well have hidden the offer, but then nobody would have been told: so what is readable waits for a retry (and in the
 * end for the DSN), and only what is sealed end to end goes on in the clear at once.
 */
export function tlsVerdict(mail: TlsFactsOfMail, hop: HopTls, clearAllowed: boolean): TlsVerdict {
  if (mail.requireTls || hop === 'verified') return { use: 'always', verify: true, clearAfterFailure: false }
  return { use: 'if-offered', verify: false, clearAfterFailure: mail.sealed || clearAllowed }
}
