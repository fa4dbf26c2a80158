/** Does a server's certificate chain match what signed DNS says of it (DANE for SMTP, RFC 7672)? Pure. */
import { createHash, createPublicKey, X509Certificate } from 'node:crypto'
import type { TlsaRecord } from '../base/dns-client.ts'
import { equalBytes } from '../base/bytes.ts'
import { fail, ok, type Result } from '../base/result.ts'

/** RFC 6698 §2.1.1, with the names of RFC 7218 §2.1. The other two speak of public authorities: not for SMTP (RFC 7672 §3.1.3). */
const USAGE = { DANE_TA: 2, DANE_EE: 3 } as const
/** Certificates of a server that are looked at. */
const CHAIN_MAX = 10
/** Records of a host that are looked at. */
export const TLSA_RECORDS_MAX = 50

/** Those that mail servers may be judged by; with none, the certificate proves nothing, but TLS is still a must (RFC 7672 §2.2). */
export function usableRecords(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  return records.slice(0, TLSA_RECORDS_MAX).filter(({ usage, selector, matchingType, data }) => {
    const known = (usage === USAGE.DANE_TA || usage === USAGE.DANE_EE) && selector <= 1 && data.length > 0
    return known && (matchingType === 0 || DIGESTS[matchingType]?.lengthBytes === data.length)
  })
}

/**
 * `chain` as the server sent it, its own certificate first; `names`: who it may be, for usage 2 (RFC 7672 §3.2.2). With
 * usage 3 neither names nor dates count (§3.1.1).
 */
export function matchChain(
  chain: readonly X509Certificate[],
  records: readonly TlsaRecord[],
  names: readonly string[],
  nowMs: number,
): Result<void> {
  const certificates = chain.slice(0, CHAIN_MAX)
  const [own] = certificates
  if (own === undefined) return fail('the server showed no certificate')
  if (records.some((record) => record.usage === USAGE.DANE_EE && matches(record, own))) return ok(undefined)
  const anchors = records.filter(({ usage }) => usage === USAGE.DANE_TA)
  if (!reachesAnchor(certificates, anchors, nowMs))
    return fail('its certificate is none that its domain has signed for')
  return names.some((name) => own.checkHost(name) !== undefined)
    ? ok(undefined)
    : fail(`its certificate does not name ${names.join(' or ')}`)
}

/** Walks from the server's certificate upwards; each in its time and signed by the next, until one is an anchor. */
function reachesAnchor(chain: readonly X509Certificate[], anchors: readonly TlsaRecord[], nowMs: number): boolean {
  const candidates = [...chain.slice(1), ...anchors.flatMap(wholeCertificate)]
  const seen = new Set<X509Certificate>()
  let at = chain[0]
  while (at !== undefined && seen.size < CHAIN_MAX && isInTime(at, nowMs)) {
    const below: X509Certificate = at
    seen.add(below)
    // a server's own certificate is no authority, unless it issued itself
    const isAuthority = seen.size > 1 || isIssuedBy(below, below)
    if (isAuthority && anchors.some((record) => matches(record, below))) return true
    if (anchors.some((record) => isBareKeyOf(record, below))) return true
    at = candidates.find((each) => !seen.has(each) && each.ca && isIssuedBy(below, each))
  }
  return false
}

const DIGESTS: Readonly<Record<number, { readonly name: string; readonly lengthBytes: number }>> = {
  1: { name: 'sha256', lengthBytes: 32 },
  2: { name: 'sha512', lengthBytes: 64 },
}

function matches({ selector, matchingType, data }: TlsaRecord, certificate: X509Certificate): boolean {
  const selected = selector === 0 ? certificate.raw : certificate.publicKey.export({ format: 'der', type: 'spki' })
  const digest = DIGESTS[matchingType]
  return equalBytes(digest === undefined ? selected : createHash(digest.name).update(selected).digest(), data)
}

/** The anchor itself may stand in the record, and then need not be sent (RFC 7672 §3.1.2). */
function wholeCertificate({ selector, matchingType, data }: TlsaRecord): X509Certificate[] {
  if (selector !== 0 || matchingType !== 0) return []
  try {
    return [new X509Certificate(data)]
  } catch {
    return []
  }
}

/** A key in full that signed the certificate (RFC 7672 §3.1.2, "2 1 0"). */
function isBareKeyOf({ selector, matchingType, data }: TlsaRecord, certificate: X509Certificate): boolean {
  if (selector !== 1 || matchingType !== 0) return false
  try {
    return certificate.verify(createPublicKey({ key: Buffer.from(data), format: 'der', type: 'spki' }))
  } catch {
    return false
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

const isInTime = ({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean =>
  validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime()
