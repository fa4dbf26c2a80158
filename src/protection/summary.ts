/** The Cryptographic Summary (RFC 9787 §4.6): what a reader may believe of the whole mail, in one verdict and a reason. */
import type { LayerKind, SignatureVerdict, StandardName } from './standard.ts'

export interface LayerReport {
  readonly kind: LayerKind
  readonly standard: StandardName
  readonly form: string
  readonly algorithm: string | null
  /** The algorithm protects nobody any more: whatever was opened, it was not kept from others. */
  readonly weak?: boolean
  /** Of a signature: its verdict. Of the others: what came of opening it. */
  readonly verdict: SignatureVerdict | 'decrypted' | 'decompressed' | 'no-key' | 'broken'
  /** Address of the signer, when a certificate for it was found. */
  readonly signer?: string | null
  readonly signingTimeMs?: number
  readonly why?: string
}

export interface Summary {
  readonly encrypted: boolean
  readonly signature: SignatureVerdict
  readonly signer: string | null
  /** One sentence, when the signature is not simply valid or absent. */
  readonly reason: string | null
}

/** From best to worst: the worst signature of the Cryptographic Envelope speaks for the mail. */
const SEVERITY: readonly SignatureVerdict[] = [
  'valid',
  'none',
  'expired',
  'untrusted',
  'unknown-key',
  'mismatch',
  'revoked',
  'invalid',
]

export function worst(verdicts: readonly SignatureVerdict[]): SignatureVerdict {
  return verdicts.reduce((a, b) => (SEVERITY.indexOf(b) > SEVERITY.indexOf(a) ? b : a), 'valid')
}

/** `conflict`: the protected header contradicts the outer one in who wrote the mail. */
export function summarise(layers: readonly LayerReport[], conflict: string | undefined): Summary {
  const encrypted = layers.some((layer) => layer.kind === 'encrypted')
  const tampered = layers.find((layer) => layer.kind === 'encrypted' && layer.verdict === 'broken')
  if (tampered !== undefined) return { encrypted, signature: 'invalid', signer: null, reason: tampered.why ?? null }
  const signed = layers.filter((layer) => layer.kind === 'signed')
  if (signed.length === 0)
    return {
      encrypted,
      signature: conflict === undefined ? 'none' : 'mismatch',
      signer: null,
      reason: conflict ?? null,
    }
  const signature = worst(signed.map((layer) => layer.verdict as SignatureVerdict))
  const speaking = signed.find((layer) => layer.verdict === signature)
  const signer = speaking?.signer ?? null
  if (conflict !== undefined && signature !== 'invalid' && signature !== 'revoked')
    return { encrypted, signature: 'mismatch', signer, reason: conflict }
  return { encrypted, signature, signer, reason: speaking?.why ?? null }
}
