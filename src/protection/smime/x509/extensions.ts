/** Contents of the certificate extensions that everybody needs (RFC 5280 §4.2). Each reader throws Malformed. */
import { readSmallInteger } from '../asn1/der-reader.ts'
import { TAG, context } from '../asn1/tlv.ts'
import { type GeneralName, readGeneralNames } from './general-name.ts'
import { Malformed, need } from '../../malformed.ts'
import { derNode, expectTag, oidOf } from '../asn1/der-fields.ts'

export const EXTENSION = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  deltaCrlIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyId: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  freshestCrl: '2.5.29.46',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  /** In the certificate of an OCSP responder: do not ask about this one (RFC 6960 §4.2.2.2.1). */
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
} as const

/** Bits of KeyUsage (RFC 5280 §4.2.1.3), as `readKeyUsage` gives them. */
export const KEY_USAGE = {
  digitalSignature: 1 << 0,
  nonRepudiation: 1 << 1,
  keyEncipherment: 1 << 2,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
  cRLSign: 1 << 6,
} as const

export const EMAIL_PROTECTION = '1.3.6.1.5.5.7.3.4'
export const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
export const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0'

export interface BasicConstraints {
  readonly isAuthority: boolean
  readonly pathLength?: number
}

export function readBasicConstraints(value: Uint8Array): BasicConstraints {
  const fields = derNode(value, TAG.SEQUENCE, 'basicConstraints').children
  const hasFlag = fields[0]?.tag === TAG.BOOLEAN
  const isAuthority = hasFlag && readBoolean(fields[0]?.content ?? new Uint8Array())
  const [length, more] = fields.slice(hasFlag ? 1 : 0)
  if (length === undefined) return { isAuthority }
  if (more !== undefined) throw new Malformed('basicConstraints is malformed')
  const { content } = expectTag(length, TAG.INTEGER, 'pathLenConstraint')
  return { isAuthority, pathLength: need(readSmallInteger(content), 'pathLenConstraint is malformed') }
}

/** DER knows one TRUE only (X.690 §11.1); `critical` and `cA` decide too much to accept others. */
export function readBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new Malformed('BOOLEAN is malformed')
  return content[0] === 0xff
}

export function readKeyUsage(value: Uint8Array): number {
  return bitsOf(derNode(value, TAG.BIT_STRING, 'keyUsage').content)
}

/** Named bits of a BIT STRING's content: bit 0 of the standard is 1, bit 1 is 2 …; those above 15 are dropped. */
export function bitsOf(content: Uint8Array): number {
  if (content[0] === undefined || content[0] > 7) throw new Malformed('BIT STRING is malformed')
  let bits = 0
  for (let bit = 0; bit < 16; bit++) {
    const octet = content[1 + (bit >> 3)]
    if (octet !== undefined && (octet & (0x80 >> (bit & 7))) !== 0) bits |= 1 << bit
  }
  return bits
}

export function readExtendedKeyUsage(value: Uint8Array): readonly string[] {
  const purposes = derNode(value, TAG.SEQUENCE, 'extKeyUsage').children.map((node) => oidOf(node, 'extKeyUsage'))
  if (purposes.length === 0) throw new Malformed('extKeyUsage is empty')
  return purposes
}

export function readAltNames(value: Uint8Array): readonly GeneralName[] {
  return readGeneralNames(derNode(value, TAG.SEQUENCE, 'subjectAltName'))
}

export function readSubjectKeyId(value: Uint8Array): Uint8Array {
  return derNode(value, TAG.OCTET_STRING, 'subjectKeyIdentifier').content
}

/** The keyIdentifier, which alone is used to choose an issuer; the others of RFC 5280 §4.2.1.1 are not. */
export function readAuthorityKeyId(value: Uint8Array): Uint8Array | undefined {
  const fields = derNode(value, TAG.SEQUENCE, 'authorityKeyIdentifier').children
  return fields.find((field) => field.tag === context(0))?.content
}
