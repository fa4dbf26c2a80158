/** Before mail is encrypted to a certificate: has its authority revoked it? What was fetched for that is kept, so most ask nobody. */
import type { TrustAnchors } from '../keys/anchors.ts'
import type { PublicKeys } from '../keys/public-keys.ts'
import type { ValidationSource } from '../keys/validation-source.ts'
import type { Address } from '../message/address.ts'
import type { RecipientFacts } from '../policy/decide-outbound.ts'
import { standardNamed } from '../protection/jobs.ts'
import type { Certificate, KeyRing, RevocationRule, TrustFinding } from '../protection/standard.ts'

export interface RecipientStatusDeps {
  readonly publicKeys: PublicKeys
  readonly anchors: TrustAnchors
  readonly validation: ValidationSource
}

/**
 * Those of an address that may be encrypted to; under `require` only those that are known not to be revoked, and
 * `statusUnknown` when there is none for want of an answer.
 */
export async function withoutRevoked(
  deps: RecipientStatusDeps,
  address: Address,
  certificates: readonly Certificate[],
  rule: RevocationRule,
  atMs: number,
): Promise<Pick<RecipientFacts, 'certificates' | 'statusUnknown'>> {
  if (rule === 'off' || certificates.length === 0) return { certificates }
  const [known, anchors] = await Promise.all([deps.publicKeys.known(address), deps.anchors.certificates()])
  const ring: KeyRing = { decryptionKeys: [], known, anchors, revocation: rule }
  const waiting = deps.validation.startWaiting()
  const judged = await Promise.all(
    certificates.map(async (certificate): Promise<TrustFinding> => {
      const standard = standardNamed(certificate.standard)
      const found = standard.judge(certificate, { carried: [] }, ring, atMs)
      if (found.wishes === undefined) return found
      const fetched = await waiting.gather(found.wishes)
      return standard.judge(certificate, { carried: [] }, { ...ring, fetched }, atMs)
    }),
  )
  const usable = certificates.filter((_certificate, index) => {
    const found = judged[index]
    return found?.trusted === true || (found?.verdict !== 'revoked' && rule !== 'require')
  })
  const unknown = judged.some((found) => !found.trusted && found.verdict !== 'revoked')
  return { certificates: usable, statusUnknown: usable.length === 0 && unknown }
}
