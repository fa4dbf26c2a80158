/** X.509 certificates (RFC 5280 §4) as plain data: parsed once, posted to workers, compared by their bytes. */
import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../standard.ts'

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** Content of extnValue, itself DER. */
  readonly value: Uint8Array
}

export interface SmimeCertificate extends Certificate {
  readonly standard: 'smime'
  /** TBSCertificate as it stood: what the issuer signed. */
  readonly tbs: Uint8Array
  /** DER of the issuer Name, the subject Name, and the serial number INTEGER (whole TLV): IssuerAndSerialNumber compares them. */
  readonly issuer: Uint8Array
  readonly subjectName: Uint8Array
  readonly serial: Uint8Array
  /** SubjectPublicKeyInfo DER and the same as a key. */
  readonly spki: Uint8Array
  readonly publicKey: KeyObject
  readonly subjectKeyId?: Uint8Array
  readonly authorityKeyId?: Uint8Array
  /** DER of the signature AlgorithmIdentifier, and the signature's octets. */
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly extensions: readonly Extension[]
  readonly isAuthority: boolean
  readonly selfIssued: boolean
}
