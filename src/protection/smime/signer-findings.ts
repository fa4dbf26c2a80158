/** The signers of a SignedData: whose certificate it is, and whether the signature holds. Trust is decided elsewhere. */
import type { KeyRing, SignerFinding } from '../standard.ts'
import { type SmimeCertificate, isSmimeCertificate, parseCertificate } from './x509/certificate.ts'
import { CONTENT_TYPE } from './cms/content-info.ts'
import type { SignedContent } from './cms/signed-content.ts'
import {
  type SignedDataFrame,
  type SignerInfo,
  certificateTampering,
  findSigner,
  verifySigner,
} from './cms/signed-data.ts'

/** Certificates read from one message; more are ignored. */
const CARRIED_CERTIFICATES_MAX = 32
const SIGNERS_MAX = 16

export function findSigners(signedData: SignedDataFrame, content: SignedContent, ring: KeyRing): SignerFinding[] {
  const carried = signedData.certificates.slice(0, CARRIED_CERTIFICATES_MAX).flatMap((encoded) => {
    const parsed = parseCertificate(encoded)
    return parsed.ok ? [parsed.value] : []
  })
  const { crls: carriedCrls, ocspResponses: carriedOcspResponses } = signedData
  const known = ring.known.map((entry) => entry.certificate).filter(isSmimeCertificate)
  return signedData.signerInfos.slice(0, SIGNERS_MAX).map((signerInfo) => {
    const certificate = findSigner(signerInfo, [...carried, ...known])
    const tampering = certificateTampering(signedData, signerInfo, certificate, known)
    if (tampering !== undefined) {
      const finding = { intact: false, changed: true, carried, algorithm: 'unknown', why: tampering }
      return certificate === undefined ? finding : { ...finding, certificate }
    }
    if (certificate === undefined)
      return { intact: false, carried, algorithm: 'unknown', why: "the signer's certificate is neither known nor sent" }
    const came = { carried, carriedCrls, carriedOcspResponses }
    return { ...checkSigner(signedData, signerInfo, content, certificate, ring), certificate, ...came }
  })
}

/** A weak algorithm is still checked: what was changed under it is changed, not weak. */
function checkSigner(
  signedData: SignedDataFrame,
  signerInfo: SignerInfo,
  content: SignedContent,
  certificate: SmimeCertificate,
  ring: KeyRing,
): Pick<SignerFinding, 'intact' | 'algorithm' | 'signingTimeMs' | 'states' | 'why' | 'weak' | 'unsupported'> {
  if (signedData.contentType !== CONTENT_TYPE.data)
    // RFC 8551: MIME is carried as id-data; all else is another protocol's
    return { intact: false, algorithm: 'unknown', why: 'what is signed is no mail, but something else' }
  const allowWeak = ring.allowWeak === true
  const { problem, ...check } = verifySigner(signedData, signerInfo, content, certificate, { allowWeak })
  if (problem === 'unsupported') return { ...check, unsupported: true }
  if (problem !== 'weak') return check
  const { intact } = verifySigner(signedData, signerInfo, content, certificate, { allowWeak: true })
  return { ...check, weak: intact }
}
