/** Whether a hop uses TLS, and what happens when it cannot (docs/decisions/0010-relay-tls.md). Pure. */
import type { DnsAnswer, TlsaRecord } from '../base/dns-client.ts'
import { usableRecords } from './dane.ts'

/** What the operator wants for a next hop: `relay.tls`. */
export type HopTls = 'opportunistic' | 'verified'

export interface TlsFactsOfMail {
  /** The sender said TLS or not at all (RFC 8689). */
  readonly requireTls: boolean
  /** Encrypted end to end. */
  readonly sealed: boolean
}

/** What is known of one mail host. */
export interface TlsFactsOfHost {
  readonly configured: HopTls
  /** A password is sent there. */
  readonly signIn?: boolean
  /** Its TLSA records; missing when nothing that leads to it was signed (RFC 7672 §2.2). */
  readonly tlsa?: DnsAnswer<TlsaRecord>
  /** Its domain says, by MTA-STS, which hosts it has, and that their certificates name them (RFC 8461 §4). */
  readonly sts?: 'named' | 'not-named'
}

/** What the server's certificate has to prove: nothing, its name by a trust anchor, or what its domain says in signed DNS. */
export type Verify = 'nothing' | 'name' | { readonly tlsa: readonly TlsaRecord[] }

export interface TlsVerdict {
  /** `if-offered`: STARTTLS where the server offers it. `always`: no mail without TLS. */
  readonly use: 'if-offered' | 'always'
  readonly verify: Verify
  /** STARTTLS was offered and the handshake failed: a new connection without TLS may carry this message. */
  readonly clearAfterFailure: boolean
  /** Who asked for it, for logs and reports. */
  readonly by: 'nobody' | 'operator' | 'sender' | 'dane' | 'mta-sts'
}

/**
 * An opportunistic hop hides mail from those who only listen (RFC 7435). Whoever breaks the handshake on purpose could as
 * well have hidden the offer, but then nobody would have been told: so what is readable waits for a retry (and in the
 * end for the DSN), and only what is sealed end to end goes on in the clear at once. What a domain has signed comes before
 * what it only publishes (RFC 8461 §2). A sentence when the host must not be tried now.
 */
export function tlsVerdict(mail: TlsFactsOfMail, host: TlsFactsOfHost, clearAllowed: boolean): TlsVerdict | string {
  const { configured, signIn, tlsa, sts } = host
  if (tlsa?.kind === 'trouble') return `its TLSA records cannot be had: ${tlsa.why}`
  const must = (verify: Verify, by: TlsVerdict['by']): TlsVerdict => ({
    use: 'always',
    verify,
    clearAfterFailure: false,
    by,
  })
  if (tlsa?.kind === 'records' && tlsa.secure) {
    const records = usableRecords(tlsa.records)
    if (records.length > 0) return must({ tlsa: records }, 'dane')
    // RFC 7672 §2.2: none of them usable
    if (!mail.requireTls && configured !== 'verified' && sts === undefined) return must('nothing', 'dane')
  }
  if (sts === 'not-named') return 'its domain does not name it among its mail hosts (MTA-STS)'
  if (sts === 'named') return must('name', 'mta-sts')
  if (mail.requireTls) return must('name', 'sender')
  if (configured === 'verified' || signIn === true) return must('name', 'operator')
  return { use: 'if-offered', verify: 'nothing', clearAfterFailure: mail.sealed || clearAllowed, by: 'nobody' }
}
