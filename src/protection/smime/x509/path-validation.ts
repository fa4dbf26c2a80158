/** May a certificate be believed? RFC 5280 §6 for mail (RFC 8550 §4); the parts are in path-search.ts and path-check.ts. */
import type { Result } from '../../../base/result.ts'
import type { ValidationData, RevocationRule, TrustFinding } from '../../standard.ts'
import type { SmimeCertificate } from './certificate.ts'
import { parseCrl, parseKeptCrl } from './crl.ts'
import { EMAIL_PROTECTION } from './extensions.ts'
import { parseOcspResponse } from './ocsp.ts'
import { searchPath } from './path-search.ts'

export interface PathValidationInput {
  readonly certificate: SmimeCertificate
  /** What came with the mail and what is known; in any order. */
  readonly untrusted: readonly SmimeCertificate[]
  readonly anchors: readonly SmimeCertificate[]
  readonly atMs: number
  /** DER CRLs that came with the mail: an issuer of whom one is there must answer by it, or by one that was fetched. */
  readonly crls?: readonly Uint8Array[]
  readonly fetchedCrls?: ValidationData['crls']
  /** DER OCSPResponses, from wherever. */
  readonly ocspResponses?: readonly Uint8Array[]
  /** Missing: `prefer`. */
  readonly revocation?: RevocationRule
  /** Lets SHA-1 and RSA below 2048 bits pass: archives and test suites only. */
  readonly allowWeak?: boolean
  /** As in PathRules. */
  readonly strictIssuers?: boolean
  readonly purpose: 'email'
}

/**
 * Judges a certificate at a time. A good path is given as fingerprints, the certificate first and the anchor last;
 * otherwise one sentence says why not. Unreadable CRLs and OCSP responses count as absent. Never throws on foreign bytes.
 */
export function validatePath(input: PathValidationInput): TrustFinding {
  const { crls = [], fetchedCrls = [], ocspResponses = [], purpose: _mail, ...rest } = input
  return searchPath({
    ...rest,
    crls: readable(crls, parseCrl),
    fetchedCrls: readable(fetchedCrls, parseKeptCrl),
    ocspResponses: readable(ocspResponses, parseOcspResponse),
    purposes: [EMAIL_PROTECTION],
  })
}

function readable<E, T>(encoded: readonly E[], parse: (each: E) => Result<T>): readonly T[] {
  return encoded.flatMap((each) => {
    const parsed = parse(each)
    return parsed.ok ? [parsed.value] : []
  })
}
