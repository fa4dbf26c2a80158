/** What CRLs say about one certificate: the algorithm of RFC 5280 §6.3.3, delta and indirect CRLs included. */
import { equalBytes } from '../../../base/bytes.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { type SmimeCertificate, findExtension } from './certificate.ts'
import { ALL_REASONS, type Crl, readPointNames } from './crl.ts'
import { type RevokedEntry, findEntry } from './crl-entries.ts'
import { EXTENSION, KEY_USAGE, bitsOf } from './extensions.ts'
import { readGeneralNames } from './general-name.ts'
import { Malformed } from '../../malformed.ts'
import { derNode, expectTag } from '../asn1/der-fields.ts'
import { nameKey } from './name.ts'
import type { RevocationStatus, StatusContext } from './status-context.ts'

const DISTRIBUTION_POINTS_MAX = 64
const CRLS_MAX = 1000 // that are looked at for one certificate

/**
 * `unknown`: there are lists of its issuer, and none of them tells. `silent`: there are none. Throws Malformed when the
 * certificate's distribution points cannot be read.
 */
export function readCrlStatus(
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
  given: StatusContext,
): RevocationStatus {
  let reasonsSeen = 0
  let mentioned = false
  for (const point of distributionPoints(certificate)) {
    for (const crl of given.crls.slice(0, CRLS_MAX)) {
      if (!isFromIssuer(crl, point)) continue
      mentioned = true
      const reasons = crl.scope.reasons & point.reasons
      if (crl.baseNumber !== undefined || (reasons & ~reasonsSeen) === 0) continue
      if (!isAbout(crl, point, certificate) || !isCurrent(crl, given.atMs)) continue
      const signer = findSigner(crl, issuer, given)
      if (signer === undefined) continue
      const entry = lookUp(crl, signer, certificate, given)
      if (entry !== undefined && isRevokedAt(entry, given.atMs)) return 'revoked'
      if (!crl.vouches) continue
      reasonsSeen |= reasons
      if (reasonsSeen === ALL_REASONS) return 'good'
    }
  }
  return mentioned ? 'unknown' : 'silent'
}

interface DistributionPoint {
  /** Comparable names; missing when the point has none. */
  readonly names?: readonly string[]
  readonly reasons: number
  /** Who issues the CRL. */
  readonly issuers: readonly string[]
  /** The CRL's issuer is another than the certificate's: an indirect CRL. */
  readonly indirect: boolean
}

/** The points that the certificate names, and last the one that goes without saying: its issuer's own CRL. */
function distributionPoints(certificate: SmimeCertificate): readonly DistributionPoint[] {
  const own = {
    names: [`directory ${certificate.issuerKey}`],
    reasons: ALL_REASONS,
    issuers: [certificate.issuerKey],
    indirect: false,
  }
  const extension = findExtension(certificate, EXTENSION.crlDistributionPoints)
  if (extension === undefined) return [own]
  const { children } = derNode(extension.value, TAG.SEQUENCE, 'cRLDistributionPoints')
  if (children.length > DISTRIBUTION_POINTS_MAX) throw new Malformed('too many distribution points')
  return [...children.map((child) => readPoint(child, certificate.issuerKey)), own]
}

function readPoint(node: Node, certificateIssuer: string): DistributionPoint {
  const fields = new Map(
    expectTag(node, TAG.SEQUENCE, 'distribution point').children.map((child) => [child.tag, child]),
  )
  const name = fields.get(contextConstructed(0))
  const reasons = fields.get(context(1))
  const issuerNode = fields.get(contextConstructed(2))
  const issuers =
    issuerNode === undefined
      ? [certificateIssuer]
      : readGeneralNames(issuerNode, contextConstructed(2)).flatMap((issuer) =>
          issuer.kind === 'directory' ? [nameKey(issuer.name)] : [],
        )
  return {
    ...(name === undefined ? {} : { names: readPointNames(name, issuers) }),
    reasons: reasons === undefined ? ALL_REASONS : bitsOf(reasons.content) & ALL_REASONS,
    issuers,
    indirect: issuerNode !== undefined,
  }
}

/** RFC 5280 §6.3.3 (b) (1). */
function isFromIssuer(crl: Crl, point: DistributionPoint): boolean {
  return point.issuers.includes(crl.issuerKey) && (!point.indirect || crl.scope.indirect)
}

/** RFC 5280 §6.3.3 (b) (2). */
function isAbout(crl: Crl, point: DistributionPoint, certificate: SmimeCertificate): boolean {
  const { names, onlyUsers, onlyAuthorities, onlyAttributes } = crl.scope
  if (onlyAttributes || (onlyUsers && certificate.isAuthority) || (onlyAuthorities && !certificate.isAuthority))
    return false
  if (names === undefined) return true
  const wanted = point.names ?? point.issuers.map((issuer) => `directory ${issuer}`)
  return names.some((name) => wanted.includes(name))
}

/**
 * A list newer than the time in question still tells, by its dates, what held then; one that had run out does not.
 * Lists with critical parts that are not understood tell nothing (RFC 5280 §5.2).
 */
function isCurrent(crl: Crl, atMs: number): boolean {
  return crl.usable && (crl.nextUpdateMs === undefined || crl.nextUpdateMs >= atMs)
}

/** The certificate whose key made this CRL: the issuer in the path, or another of that name (RFC 5280 §6.3.3 (f)). */
function findSigner(crl: Crl, issuer: SmimeCertificate, given: StatusContext): SmimeCertificate | undefined {
  const maySign = ({ keyUsage }: SmimeCertificate): boolean =>
    keyUsage === undefined || (keyUsage & KEY_USAGE.cRLSign) !== 0
  const keyFits = ({ subjectKeyId }: SmimeCertificate): boolean =>
    crl.authorityKeyId === undefined || subjectKeyId === undefined || equalBytes(crl.authorityKeyId, subjectKeyId)
  if (issuer.subjectKey === crl.issuerKey && maySign(issuer) && keyFits(issuer) && given.isSignedBy(crl, issuer))
    return issuer
  return given
    .signersNamed(crl.issuerKey)
    .filter((other) => other.fingerprint !== issuer.fingerprint && maySign(other) && keyFits(other))
    .find((other) => given.isSignedBy(crl, other) && given.isTrustedSigner(other))
}

/** The entry in the newest delta, else in the complete CRL. */
function lookUp(
  crl: Crl,
  signer: SmimeCertificate,
  certificate: SmimeCertificate,
  given: StatusContext,
): RevokedEntry | undefined {
  const find = (list: Crl): RevokedEntry | undefined =>
    findEntry(list.entries, certificate, { issuerKey: list.issuerKey, indirect: list.scope.indirect })
  const [delta] = given.crls
    .slice(0, CRLS_MAX)
    .filter((other) => isDeltaOf(other, crl) && isCurrent(other, given.atMs) && given.isSignedBy(other, signer))
    .toSorted((a, b) => b.thisUpdateMs - a.thisUpdateMs)
  const newer = delta === undefined ? undefined : find(delta)
  if (newer !== undefined) return newer.reason === REASON_REMOVE_FROM_CRL ? undefined : newer
  return find(crl)
}

/** RFC 5280 §5.2.4: same issuer, same scope, made for this CRL or an older one, and newer than it. */
function isDeltaOf(delta: Crl, base: Crl): boolean {
  if (delta.baseNumber === undefined || delta.number === undefined || base.number === undefined) return false
  const sameScope = equalBytes(delta.scopeDer ?? NO_BYTES, base.scopeDer ?? NO_BYTES)
  const inOrder = delta.baseNumber <= base.number && base.number <= delta.number
  return delta.issuerKey === base.issuerKey && sameScope && inOrder
}

const NO_BYTES = new Uint8Array()

const REASON_KEY_COMPROMISE = 1
const REASON_CA_COMPROMISE = 2
const REASON_REMOVE_FROM_CRL = 8

/** A stolen key can sign with any date in the past: then revocation holds for all time. */
export function isRevokedAt(entry: RevokedEntry, atMs: number): boolean {
  if (entry.reason === REASON_KEY_COMPROMISE || entry.reason === REASON_CA_COMPROMISE) return true
  return Math.min(entry.revokedMs, entry.invalidMs ?? Infinity) <= atMs
}
