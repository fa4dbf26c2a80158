/** May a certificate be believed? RFC 5280 §6 for mail (RFC 8550 §4); the parts are in path-search.ts and path-check.ts. */
import type { TrustFinding } from '../standard.ts'
import type { SmimeCertificate } from './certificate.ts'
import { type Crl, parseCrl } from './crl.ts'
import { EMAIL_PROTECTION } from './extensions.ts'
import { searchPath } from './path-search.ts'

export interface PathValidationInput {
  readonly certificate: SmimeCertificate
  /** What came with the mail and what is known; in any order. */
  readonly untrusted: readonly SmimeCertificate[]
  readonly anchors: readonly SmimeCertificate[]
  readonly atMs: number
  /** DER CRLs. An issuer of whom one is given must answer by it; of others nothing is known and nothing refused. */
  readonly crls?: readonly Uint8Array[]
  /** Refuse every certificate whose status no CRL tells. */
  readonly requireStatus?: boolean
  /** Lets SHA-1 and RSA below 2048 bits pass: archives and test suites only. */
  readonly allowWeak?: boolean
  readonly purpose: 'email'
}

/**
 * Judges a certificate at a time. A good path is given as fingerprints, the certificate first and the anchor last;
 * otherwise one sentence says why not. Unreadable CRLs count as absent. Never throws on foreign bytes.
 */
export function validatePath(input: PathValidationInput): TrustFinding {
  const { certificate, untrusted, anchors, atMs, crls, requireStatus, allowWeak } = input
  return searchPath({
    certificate,
    untrusted,
    anchors,
    atMs,
    ...(crls === undefined ? {} : { crls: readCrls(crls) }),
    requireStatus: requireStatus === true,
    allowWeak: allowWeak === true,
    purposes: [EMAIL_PROTECTION],
  })
}

function readCrls(encoded: readonly Uint8Array[]): readonly Crl[] {
  return encoded.flatMap((der) => {
    const crl = parseCrl(der)
    return crl.ok ? [crl.value] : []
  })
}
