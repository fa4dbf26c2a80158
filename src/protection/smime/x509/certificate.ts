/** X.509 certificates (RFC 5280 §4) as plain data: parsed once, posted to workers, compared by their bytes. */
import { type KeyObject, hash } from 'node:crypto'
import { equalBytes } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import { type Address, parseAddress } from '../../../message/address.ts'
import type { Certificate } from '../../standard.ts'
import { type Node, readSmallInteger, readTimeMs } from '../asn1/der-reader.ts'
import { bitString, sequence } from '../asn1/der-writer.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import {
  ANY_EXTENDED_KEY_USAGE,
  EMAIL_PROTECTION,
  EXTENSION,
  KEY_USAGE,
  readAltNames,
  readAuthorityKeyId,
  readBasicConstraints,
  readBoolean,
  readExtendedKeyUsage,
  readKeyUsage,
  readSubjectKeyId,
} from './extensions.ts'
import type { GeneralName } from './general-name.ts'
import { Malformed, attempt, need } from '../../malformed.ts'
import { derNode, expectTag, oidOf } from '../asn1/der-fields.ts'
import { type DistinguishedName, EMAIL_ADDRESS, describeName, nameKey, readName } from './name.ts'
import { readPublicKey } from '../public-key.ts'
import { SIGNATURES } from '../signature-algorithms.ts'

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
  /** 1, 2 or 3. */
  readonly version: number
  /** DER of the issuer Name, the subject Name, and the serial number INTEGER (whole TLV): IssuerAndSerialNumber compares them. */
  readonly issuer: Uint8Array
  readonly subjectName: Uint8Array
  readonly serial: Uint8Array
  /** Equal exactly when two names match by the rules of RFC 5280 §7.1; for chaining, never for display. */
  readonly issuerKey: string
  readonly subjectKey: string
  /** SubjectPublicKeyInfo DER and the same as a key. */
  readonly spki: Uint8Array
  readonly publicKey: KeyObject
  readonly subjectKeyId?: Uint8Array
  readonly authorityKeyId?: Uint8Array
  /** DER of the signature AlgorithmIdentifier, and the signature's octets. */
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly extensions: readonly Extension[]
  /** Bits of `KEY_USAGE`; missing when the extension is absent, which allows every use. */
  readonly keyUsage?: number
  /** basicConstraints says cA TRUE. */
  readonly isAuthority: boolean
  readonly selfIssued: boolean
}

export const isSmimeCertificate = (certificate: Certificate): certificate is SmimeCertificate =>
  certificate.standard === 'smime'

export const CERTIFICATE_SIZE_MAX_BYTES = 256 * 2 ** 10
const EXTENSIONS_MAX = 100
const CACHE_ENTRIES_MAX = 2000
const CACHE_ENTRY_MAX_BYTES = 8 * 2 ** 10 // larger ones are parsed each time, so that the cache stays small

/** By fingerprint, in order of last use. */
const cache = new Map<string, SmimeCertificate>()

/** Parses one DER certificate; the bytes are copied. The same bytes give the same object while the cache holds it. */
export function parseCertificate(der: Uint8Array): Result<SmimeCertificate> {
  const fingerprint = hash('sha256', der)
  const known = cache.get(fingerprint)
  if (known !== undefined) {
    cache.delete(fingerprint)
    cache.set(fingerprint, known)
    return { ok: true, value: known }
  }
  const parsed = attempt(() => readCertificate(new Uint8Array(der), fingerprint))
  if (parsed.ok && der.length <= CACHE_ENTRY_MAX_BYTES) {
    cache.set(fingerprint, parsed.value)
    for (const oldest of cache.keys()) {
      if (cache.size <= CACHE_ENTRIES_MAX) break
      cache.delete(oldest)
    }
  }
  return parsed
}

export function findExtension(certificate: SmimeCertificate, oid: string): Extension | undefined {
  return certificate.extensions.find((extension) => extension.oid === oid)
}

function readCertificate(der: Uint8Array, fingerprint: string): SmimeCertificate {
  if (der.length > CERTIFICATE_SIZE_MAX_BYTES) throw new Malformed('certificate is too large')
  const outer = derNode(der, TAG.SEQUENCE, 'certificate')
  const tbs = expectTag(outer.children[0], TAG.SEQUENCE, 'tbsCertificate')
  const algorithm = expectTag(outer.children[1], TAG.SEQUENCE, 'signatureAlgorithm')
  const signature = expectTag(outer.children[2], TAG.BIT_STRING, 'signature')
  if (outer.children.length !== 3 || signature.content[0] !== 0) throw new Malformed('certificate is malformed')
  // What is around the signed part must be DER too, or one certificate would have many fingerprints.
  const minimal = [tbs.raw, algorithm.raw, bitString(signature.content.subarray(1))]
  if (sequence(...minimal).length !== der.length) throw new Malformed('certificate is not DER')
  const versioned = tbs.children[0]?.tag === contextConstructed(0)
  const version = versioned ? readVersion(tbs.children[0]) : 1
  const [serialNode, tbsAlgorithm, issuerNode, validity, subjectNode, spkiNode, ...rest] = tbs.children.slice(
    versioned ? 1 : 0,
  )
  const serial = expectTag(serialNode, TAG.INTEGER, 'serialNumber')
  if (!equalBytes(expectTag(tbsAlgorithm, TAG.SEQUENCE, 'signature').raw, algorithm.raw))
    throw new Malformed('the two signature algorithms differ') // RFC 5280 §4.1.1.2
  const issuer = expectTag(issuerNode, TAG.SEQUENCE, 'issuer')
  const subject = expectTag(subjectNode, TAG.SEQUENCE, 'subject')
  const spki = expectTag(spkiNode, TAG.SEQUENCE, 'subjectPublicKeyInfo')
  const issuerName = readName(issuer)
  const name = readName(subject)
  const { key, algorithm: keyAlgorithm } = readPublicKey(spki)
  const extensions = readTrailer(rest, version)
  const facts = readFacts(extensions, name, key)
  const keys = { issuerKey: nameKey(issuerName), subjectKey: nameKey(name) }
  return {
    standard: 'smime',
    fingerprint,
    encoded: der,
    keyFingerprint: hash('sha256', spki.raw),
    subject: describeName(name),
    algorithm: keyAlgorithm,
    ...readValidity(expectTag(validity, TAG.SEQUENCE, 'validity')),
    tbs: tbs.raw,
    version,
    issuer: issuer.raw,
    subjectName: subject.raw,
    serial: serial.raw,
    ...keys,
    spki: spki.raw,
    publicKey: key,
    signatureAlgorithm: algorithm.raw,
    signature: signature.content.subarray(1),
    extensions,
    ...facts,
    selfIssued: keys.issuerKey === keys.subjectKey,
  }
}

function readVersion(node: Node | undefined): number {
  const version = expectTag(node?.children[0], TAG.INTEGER, 'version')
  const value = need(readSmallInteger(version.content), 'version is malformed') + 1
  if (value > 3) throw new Malformed('version is unknown')
  return value
}

function readValidity(node: Node): { notBeforeMs: number; notAfterMs: number } {
  return { notBeforeMs: readInstant(node.children[0]), notAfterMs: readInstant(node.children[1]) }
}

/** Time in the form of RFC 5280 §4.1.2.5: whole seconds, always with "Z". Throws Malformed. */
export function readInstant(node: Node | undefined): number {
  if (node === undefined || node.content.length !== TIME_LENGTHS[node.tag]) throw new Malformed('time is malformed')
  return need(readTimeMs(node.content), 'time is malformed')
}

const TIME_LENGTHS: Readonly<Record<number, number>> = { [TAG.UTC_TIME]: 13, [TAG.GENERALIZED_TIME]: 15 }

/** What follows the key in TBSCertificate: unique ids, which nobody uses, and the extensions. */
function readTrailer(rest: readonly Node[], version: number): readonly Extension[] {
  const found: Extension[] = []
  for (const node of rest) {
    if (node.tag === contextConstructed(3) && found.length === 0 && version === 3)
      found.push(...readExtensions(expectTag(node.children[0], TAG.SEQUENCE, 'extensions')))
    else if ((node.tag !== context(1) && node.tag !== context(2)) || version === 1)
      throw new Malformed('certificate has fields that its version does not know')
  }
  return found
}

/** Extensions of a certificate or a CRL; none may occur twice (RFC 5280 §4.2). Throws Malformed. */
export function readExtensions(node: Node): readonly Extension[] {
  if (node.children.length > EXTENSIONS_MAX) throw new Malformed('too many extensions')
  const extensions = node.children.map((child) => {
    const [oid, second, third] = expectTag(child, TAG.SEQUENCE, 'extension').children
    const hasFlag = second?.tag === TAG.BOOLEAN
    return {
      oid: oidOf(oid, 'extension'),
      critical: hasFlag && readBoolean(second.content),
      value: expectTag(hasFlag ? third : second, TAG.OCTET_STRING, 'extension').content,
    }
  })
  if (new Set(extensions.map(({ oid }) => oid)).size !== extensions.length)
    throw new Malformed('an extension occurs twice')
  return extensions
}

type Facts = Pick<
  SmimeCertificate,
  'addresses' | 'canSign' | 'canEncrypt' | 'isAuthority' | 'subjectKeyId' | 'authorityKeyId' | 'keyUsage'
>

function readFacts(extensions: readonly Extension[], name: DistinguishedName, key: KeyObject): Facts {
  const get = <T>(oid: string, read: (value: Uint8Array) => T): T | undefined => {
    const extension = extensions.find((candidate) => candidate.oid === oid)
    return extension === undefined ? undefined : read(extension.value)
  }
  const keyUsage = get(EXTENSION.keyUsage, readKeyUsage)
  const purposes = get(EXTENSION.extendedKeyUsage, readExtendedKeyUsage)
  const forMail = purposes === undefined || isForMail(purposes)
  const subjectKeyId = get(EXTENSION.subjectKeyId, readSubjectKeyId)
  const authorityKeyId = get(EXTENSION.authorityKeyId, readAuthorityKeyId)
  const usages = abilitiesOf(key.asymmetricKeyType ?? '')
  return {
    addresses: mailAddresses(get(EXTENSION.subjectAltName, readAltNames) ?? [], name),
    canSign: forMail && allows(keyUsage, usages.sign),
    canEncrypt: forMail && allows(keyUsage, usages.encrypt),
    isAuthority: get(EXTENSION.basicConstraints, readBasicConstraints)?.isAuthority ?? false,
    ...(keyUsage === undefined ? {} : { keyUsage }),
    ...(subjectKeyId === undefined ? {} : { subjectKeyId }),
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
  }
}

export function isForMail(purposes: readonly string[]): boolean {
  return purposes.includes(EMAIL_PROTECTION) || purposes.includes(ANY_EXTENDED_KEY_USAGE)
}

const SIGN = KEY_USAGE.digitalSignature | KEY_USAGE.nonRepudiation
const TRANSPORT_ONLY = { sign: 0, encrypt: KEY_USAGE.keyEncipherment }
const AGREEMENT_ONLY = { sign: 0, encrypt: KEY_USAGE.keyAgreement }

/** Which keyUsage bits let a key sign and encrypt, for types that encrypt; 0 where it cannot at all. */
const KEY_ABILITIES: Readonly<Record<string, { readonly sign: number; readonly encrypt: number }>> = {
  rsa: { sign: SIGN, encrypt: KEY_USAGE.keyEncipherment },
  ec: { sign: SIGN, encrypt: KEY_USAGE.keyAgreement },
  x25519: AGREEMENT_ONLY,
  x448: AGREEMENT_ONLY,
  'ml-kem-512': TRANSPORT_ONLY,
  'ml-kem-768': TRANSPORT_ONLY,
  'ml-kem-1024': TRANSPORT_ONLY,
}

/**
 * The keyUsage bits of what a key can do in mail, for the certificate that it is given (RFC 5280 §4.2.1.3, RFC 8410 §5, RFC 9881,
 * RFC 9935); 0 when it can do nothing.
 */
export function usageFor(key: KeyObject): number {
  const { sign, encrypt } = abilitiesOf(key.asymmetricKeyType ?? '')
  return (sign & KEY_USAGE.digitalSignature) | encrypt
}

/** Whatever makes signatures may sign; what nothing here computes with may nothing. */
const abilitiesOf = (type: string): { readonly sign: number; readonly encrypt: number } =>
  KEY_ABILITIES[type] ?? { sign: SIGNATURES.some(({ keyTypes }) => keyTypes.includes(type)) ? SIGN : 0, encrypt: 0 }

function allows(keyUsage: number | undefined, wanted: number): boolean {
  return wanted !== 0 && (keyUsage === undefined || (keyUsage & wanted) !== 0)
}

/**
 * Mailboxes of the subjectAltName; the subject's emailAddress counts only when there are none (RFC 8550 §3). What is no
 * address, for a NUL or another invisible character above all, does not count.
 */
function mailAddresses(altNames: readonly GeneralName[], name: DistinguishedName): readonly Address[] {
  const mailboxes = altNames.filter((altName) => altName.kind === 'email' || altName.kind === 'utf8-email')
  const texts = mailboxes.length > 0 ? mailboxes.map(({ text }) => text) : subjectAddresses(name)
  return texts.flatMap((text) => parseAddress(text) ?? [])
}

/** emailAddress attributes of a subject name (RFC 5280 §4.1.2.6), unchecked. */
export function subjectAddresses(name: DistinguishedName): readonly string[] {
  return name.rdns.flat().flatMap(({ oid, text }) => (oid === EMAIL_ADDRESS && text !== undefined ? [text] : []))
}
