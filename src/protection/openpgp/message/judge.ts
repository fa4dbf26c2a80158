/** Whether the key of a signature may be believed (decision 0045): what 222 says of it, and what its certificate says. */
import type { CameWith, Certificate, KeyRing, TrustFinding } from '../../standard.ts'
import { isOpenpgpCertificate } from '../certificate/certificate.ts'
import { signingComponent, stateAt } from '../certificate/state.ts'

/** What a clock may be wrong by. */
const FUTURE_MS_MAX = 24 * 60 * 60 * 1000

const distrust = (verdict: 'untrusted' | 'expired' | 'revoked', why: string): TrustFinding => ({
  trusted: false,
  verdict,
  why,
})

export function judge(certificate: Certificate, came: CameWith, ring: KeyRing, atMs: number): TrustFinding {
  if (!isOpenpgpCertificate(certificate)) return distrust('untrusted', 'not an OpenPGP certificate')
  const sameKey = ring.known.filter(
    ({ certificate: { keyFingerprint } }) => keyFingerprint === certificate.keyFingerprint,
  )
  if (sameKey.some(({ revokedMs }) => revokedMs !== undefined && revokedMs <= atMs))
    return distrust('revoked', 'an administrator has revoked the certificate')
  const signedMs = came.signingTimeMs ?? atMs
  if (signedMs > atMs + FUTURE_MS_MAX) return distrust('untrusted', 'the signature comes from the future')
  if (came.expiresMs !== undefined && came.expiresMs <= atMs) return distrust('expired', 'the signature has run out')
  const state =
    came.signedBy === undefined
      ? stateAt(certificate, atMs)
      : signingComponent(certificate, came.signedBy, signedMs)?.state
  if (state?.valid === false) return distrust(state.verdict, state.why)
  return sameKey.some(({ trust }) => trust !== 'candidate')
    ? { trusted: true, path: [certificate.fingerprint] }
    : distrust('untrusted', 'nobody that we believe says whose key it is')
}
