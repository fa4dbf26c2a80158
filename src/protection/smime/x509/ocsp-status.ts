/** What OCSP responses say about one certificate, and whether they may say it (RFC 6960 §3.2). */
import { EXTENSION, KEY_USAGE, OCSP_SIGNING, readExtendedKeyUsage } from './extensions.ts'
import { type SmimeCertificate, findExtension } from './certificate.ts'
import { isRevokedAt, readCrlStatus } from './crl-status.ts'
import { type OcspAnswer, type OcspResponse, answerAbout, isResponder } from './ocsp.ts'
import type { RevocationStatus, StatusContext } from './status-context.ts'

/** Clocks of responders may be wrong by this much. */
export const CLOCK_SKEW_MAX_MS = 5 * 60_000
/** An answer that does not say until when it holds is believed this long. */
export const ANSWER_AGE_MAX_MS = 24 * 60 * 60_000

const RESPONSES_MAX = 32 // that are looked at for one certificate

/** `unknown`: somebody answers about it, and nothing that counts. `silent`: nobody does. Throws Malformed. */
export function readOcspStatus(
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
  given: StatusContext,
): RevocationStatus {
  let status: RevocationStatus = 'silent'
  for (const response of given.ocspResponses.slice(0, RESPONSES_MAX)) {
    const answer = answerAbout(response, certificate, issuer)
    if (answer === undefined) continue
    const said = believes(response, answer, issuer, given) ? statusOf(answer, given.atMs) : 'unknown'
    if (said === 'revoked') return 'revoked'
    if (status !== 'good') status = said
  }
  return status
}

/**
 * A responder says "unknown" of what it does not serve, so another source may know more. What was revoked only after the
 * time in question was good then.
 */
function statusOf(answer: OcspAnswer, atMs: number): RevocationStatus {
  const { status, reason, revokedMs } = answer
  if (status === 'revoked' && revokedMs !== undefined)
    return isRevokedAt({ revokedMs, reason }, atMs) ? 'revoked' : 'good'
  return status
}

function believes(response: OcspResponse, answer: OcspAnswer, issuer: SmimeCertificate, given: StatusContext): boolean {
  if (!response.usable || !answer.usable || !isCurrent(answer, given.atMs)) return false
  const signers = [issuer, ...response.certificates].filter((each) => isResponder(response, each))
  return signers.some((signer) => maySign(signer, issuer, given) && given.isSignedBy(response, signer))
}

/** RFC 6960 §4.2.2.1. */
function isCurrent({ thisUpdateMs, nextUpdateMs }: OcspAnswer, atMs: number): boolean {
  const untilMs = nextUpdateMs ?? thisUpdateMs + ANSWER_AGE_MAX_MS
  return thisUpdateMs <= atMs + CLOCK_SKEW_MAX_MS && atMs <= untilMs + CLOCK_SKEW_MAX_MS
}

/**
 * The authority itself, or whom it has certified directly for this (RFC 6960 §4.2.2.2). Such a certificate must say
 * id-kp-OCSPSigning in so many words. Unless it says id-pkix-ocsp-nocheck, a revocation list may withdraw it; it is not
 * asked about by OCSP, for that would go round in circles.
 */
function maySign(signer: SmimeCertificate, issuer: SmimeCertificate, given: StatusContext): boolean {
  if (signer.keyFingerprint === issuer.keyFingerprint && signer.subjectKey === issuer.subjectKey) return true
  const purposes = findExtension(signer, EXTENSION.extendedKeyUsage)
  const isForThis = purposes !== undefined && readExtendedKeyUsage(purposes.value).includes(OCSP_SIGNING)
  const mayUseKey = signer.keyUsage === undefined || (signer.keyUsage & KEY_USAGE.digitalSignature) !== 0
  const inTime = signer.notBeforeMs <= given.atMs && given.atMs <= signer.notAfterMs
  const isUnderstood = signer.extensions.every(({ critical, oid }) => !critical || UNDERSTOOD.has(oid))
  if (!isForThis || !mayUseKey || !inTime || !isUnderstood) return false
  if (signer.issuerKey !== issuer.subjectKey || !given.isSignedBy(signer, issuer)) return false
  if (findExtension(signer, EXTENSION.ocspNoCheck) !== undefined) return true
  const status = readCrlStatus(signer, issuer, given)
  return status === 'good' || (status !== 'revoked' && given.rule !== 'require')
}

const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.basicConstraints,
  EXTENSION.subjectAltName,
  EXTENSION.certificatePolicies,
  EXTENSION.ocspNoCheck,
])
