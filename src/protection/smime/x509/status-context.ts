/** What the checks of revocation share: what they are given, and what they can find. */
import type { RevocationRule } from '../../standard.ts'
import type { SmimeCertificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import type { OcspResponse } from './ocsp.ts'

/** Bytes with a signature over `tbs`: a certificate, a CRL, an OCSP response. */
export interface SignedStructure {
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
}

/** What the search for a path lends to the check. */
export interface StatusContext {
  readonly crls: readonly Crl[]
  /** Of these, those that came with the mail. */
  readonly carriedCrls: readonly Crl[]
  readonly ocspResponses: readonly OcspResponse[]
  readonly atMs: number
  readonly rule: RevocationRule
  /** Certificates at hand whose subject has this key. */
  readonly signersNamed: (name: string) => readonly SmimeCertificate[]
  readonly isSignedBy: (signed: SignedStructure, signer: SmimeCertificate) => boolean
  /** Has a path to the same anchor as the certificate in question. */
  readonly isTrustedSigner: (signer: SmimeCertificate) => boolean
}

/** `unknown`: what is at hand does not tell. `silent`: nothing at hand is about it. */
export type RevocationStatus = 'good' | 'revoked' | 'unknown' | 'silent'
