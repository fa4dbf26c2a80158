/** Whether the key of a signature may be believed (decision 0045): what 222 says of it, and what its certificate says. */
import type { CameWith, Certificate, KeyRing, TrustFinding } from '../../standard.ts'
import { type OpenpgpCertificate, isOpenpgpCertificate } from '../certificate/certificate.ts'
import { type KeyState, signingComponent, stateAt } from '../certificate/state.ts'

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
  // a copy that came along may bring the owner's revocation before 222 has it
  const copies = came.carried
    .filter(isOpenpgpCertificate)
    .filter((copy) => copy.fingerprint === certificate.fingerprint)
  for (const copy of [certificate, ...copies]) {
    const state = stateOf(copy, came.signedBy, signedMs)
    if (!state.valid && (copy === certificate || state.verdict === 'revoked')) return distrust(state.verdict, state.why)
  }
  return sameKey.some(
    (entry) => entry.trust !== 'candidate' && entry.certificate.fingerprint === certificate.fingerprint,
  )
    ? { trusted: true, path: [certificate.fingerprint] }
    : distrust('untrusted', 'nobody that we believe says whose key it is')
}

/** Of the key that signed; of the whole certificate, where nobody has. */
function stateOf(certificate: OpenpgpCertificate, signedBy: string | undefined, atMs: number): KeyState {
  if (signedBy === undefined) return stateAt(certificate, atMs)
  const signing = signingComponent(certificate, signedBy, atMs)
  return signing?.state ?? { valid: false, verdict: 'untrusted', why: 'the key is not one of the certificate' }
}
