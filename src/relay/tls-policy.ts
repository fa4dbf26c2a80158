/** Whether a hop uses TLS, and what happens when it cannot (docs/decisions/0010-relay-tls.md). Pure. */
import type { TlsaRecord } from '../base/dns-client.ts'
import type { TlsWish } from '../protocol/smtp-envelope.ts'
import { usableRecords } from './dane.ts'
import type { TlsaOfHost } from './mx.ts'

/** What the operator wants for a next hop: `relay.tls`. */
export type HopTls = 'opportunistic' | 'verified'

export interface TlsFactsOfMail {
  /** The sender's (RFC 8689). */
  readonly tls: TlsWish
  /** Encrypted end to end. */
  readonly sealed: boolean
}

/** What is known of one mail host. */
export interface TlsFactsOfHost {
  readonly configured: HopTls
  /** A password is sent there. */
  readonly signIn?: boolean
  /** Nobody on the way can have made its name up: the operator named it, or signed DNS, or it is the domain itself. */
  readonly nameProven?: boolean
  /** Its TLSA records; missing when nobody is to ask for them. */
  readonly tlsa?: TlsaOfHost
  /** Its domain says, by MTA-STS, which hosts it has, and that their certificates name them (RFC 8461 §4). */
  readonly sts?: 'named' | 'not-named'
  /** The same where it only wants to be told what would come of it (RFC 8461 §5). */
  readonly stsTested?: 'named' | 'not-named'
}

/** What the server's certificate has to prove: nothing, its name by a trust anchor, or what its domain says in signed DNS. */
export type Verify = 'nothing' | 'name' | TlsaDemand

/** `base`: the name that has the records, which the server is asked for (RFC 7672 §3.2.1); missing: the host's own. */
export interface TlsaDemand {
  readonly tlsa: readonly TlsaRecord[]
  readonly base?: string
}

export interface TlsVerdict {
  /** `if-offered`: STARTTLS where the server offers it. `always`: no mail without TLS. */
  readonly use: 'if-offered' | 'always'
  readonly verify: Verify
  /** STARTTLS was offered and the handshake failed: a new connection without TLS may carry this message. */
  readonly clearAfterFailure: boolean
  /** Who asked for it, for logs and reports. */
  readonly by: 'nobody' | 'operator' | 'sender' | 'dane' | 'mta-sts'
  /** What an MTA-STS policy in testing mode, which changes nothing, says of the host. */
  readonly stsTested?: 'named' | 'not-named'
}

/** Why a host is not asked, now or `forGood`. */
export interface TlsRefusal {
  readonly refused: string
  readonly forGood: boolean
  readonly by: 'dane' | 'mta-sts' | 'sender'
}

/**
 * An opportunistic hop hides mail from those who only listen (RFC 7435). Whoever breaks the handshake on purpose could as
 * well have hidden the offer, but then nobody would have been told: so what is readable waits for a retry (and in the
 * end for the DSN), and only what is sealed end to end goes on in the clear at once. What a domain has signed comes before
 * what it only publishes (RFC 8461 §2); a sender may wave off either, but not what the operator demands (RFC 8689).
 */
export function tlsVerdict(mail: TlsFactsOfMail, host: TlsFactsOfHost, clearAllowed: boolean): TlsVerdict | TlsRefusal {
  const { configured, signIn, nameProven } = host
  const { tlsa, sts }: Pick<TlsFactsOfHost, 'tlsa' | 'sts'> = mail.tls === 'unimportant' ? {} : host
  if (tlsa?.kind === 'trouble')
    return { refused: `its TLSA records cannot be had: ${tlsa.why}`, forGood: false, by: 'dane' }
  // RFC 8689 §2: a certificate with a name that anybody could have put into an MX record proves nothing
  if (mail.tls === 'required' && !nameProven && sts !== 'named')
    return {
      refused: 'neither signed DNS nor MTA-STS says that it is a mail host of the domain',
      forGood: true,
      by: 'sender',
    }
  const must = (verify: Verify, by: TlsVerdict['by']): TlsVerdict => ({
    use: 'always',
    verify,
    clearAfterFailure: false,
    by,
  })
  if (tlsa?.kind === 'records' && tlsa.secure) {
    const records = usableRecords(tlsa.records)
    if (records.length > 0) return must({ tlsa: records, ...(tlsa.base !== undefined && { base: tlsa.base }) }, 'dane')
    // RFC 7672 §2.2: none of them usable
    const isMore = mail.tls === 'required' || configured === 'verified' || signIn === true || sts !== undefined
    if (!isMore) return must('nothing', 'dane')
  }
  if (sts === 'not-named')
    return { refused: 'its domain does not name it among its mail hosts (MTA-STS)', forGood: false, by: 'mta-sts' }
  if (sts === 'named') return must('name', 'mta-sts')
  if (mail.tls === 'required') return must('name', 'sender')
  if (configured === 'verified' || signIn === true) return must('name', 'operator')
  const clearAfterFailure = mail.sealed || clearAllowed || mail.tls === 'unimportant'
  const tested = mail.tls === 'unimportant' || host.stsTested === undefined ? {} : { stsTested: host.stsTested }
  return { use: 'if-offered', verify: 'nothing', clearAfterFailure, by: 'nobody', ...tested }
}
