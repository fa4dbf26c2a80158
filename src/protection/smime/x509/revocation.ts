/** Is a certificate revoked? Lists (crl-status.ts) and OCSP (ocsp-status.ts) tell; what is missing is named. */
import type { StatusWish } from '../../standard.ts'
import type { SmimeCertificate } from './certificate.ts'
import { readCrlStatus } from './crl-status.ts'
import { attempt } from '../../malformed.ts'
import { readOcspStatus } from './ocsp-status.ts'
import { type PathProblem, subjectOf, untrusted } from './path-check.ts'
import type { RevocationStatus, StatusContext } from './status-context.ts'
import { type StatusSources, statusSources } from './status-sources.ts'

export interface StatusFinding {
  /** Revoked; or not known where it must be. */
  readonly problem?: PathProblem
  /** Not known, and believed all the same: one sentence. */
  readonly unknown?: string
  /** What would tell, when it is not known. */
  readonly wish?: StatusWish
}

/** Of two that disagree, the one that says "revoked" is believed. */
export function checkRevocation(
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
  given: StatusContext,
): StatusFinding {
  const name = subjectOf(certificate)
  const byOcsp = statusBy(readOcspStatus, certificate, issuer, given)
  const byCrl = byOcsp === 'revoked' ? 'silent' : statusBy(readCrlStatus, certificate, issuer, given)
  if (byOcsp === 'revoked' || byCrl === 'revoked')
    return { problem: { verdict: 'revoked', why: `${name}: the certificate has been revoked` } }
  if (byOcsp === 'good' || byCrl === 'good') return {}
  const sources = statusSources(certificate)
  const canAsk = given.rule !== 'off' && (sources.ocsp.length > 0 || sources.crls.length > 0)
  const asking = canAsk ? { wish: wishFor(certificate, issuer, sources) } : {}
  const isSilent = byOcsp === 'silent' && byCrl === 'silent'
  const why = `${name}: ${isSilent ? 'nothing at hand tells' : 'what is at hand does not tell'} whether the certificate is revoked`
  // Lists that came along and do not hold, or are not for this certificate, were put there to be taken for others.
  const isMisled = statusBy(readCrlStatus, certificate, issuer, { ...given, crls: given.carriedCrls }) === 'unknown'
  if (isMisled || given.rule === 'require') return { problem: untrusted(why), ...asking }
  // An authority that says nowhere whom it has revoked leaves nothing to be asked, and nothing to be told.
  return canAsk || !isSilent ? { unknown: why, ...asking } : {}
}

function wishFor(certificate: SmimeCertificate, issuer: SmimeCertificate, sources: StatusSources): StatusWish {
  return { kind: 'status', certificate: certificate.encoded, issuer: issuer.encoded, ...sources }
}

function statusBy(
  read: (certificate: SmimeCertificate, issuer: SmimeCertificate, given: StatusContext) => RevocationStatus,
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
  given: StatusContext,
): RevocationStatus {
  const status = attempt(() => read(certificate, issuer, given))
  return status.ok ? status.value : 'unknown'
}
