/** Writes X.509 certificates (RFC 5280 §4.1): DER from values, signed with a key that we hold. */
import { type KeyObject, createHash } from 'node:crypto'
import { utf8 } from '../../../base/bytes.ts'
import { parseDer } from '../asn1/der-reader.ts'
import {
  NULL,
  bitString,
  contextTagged,
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
} from '../asn1/der-writer.ts'
import { TAG, context } from '../asn1/tlv.ts'
import { planSignature } from '../cms/signing-plan.ts'
import { EXTENSION } from './extensions.ts'
import { SMTP_UTF8_MAILBOX } from './general-name.ts'

export interface CertificateContents {
  /** Octets of a positive number, at most 20, the first below 128. */
  readonly serial: Uint8Array
  /** DER of the Names; `writeName`. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array
  /** DER of each Extension, as the functions below write them. */
  readonly extensions: readonly Uint8Array[]
}

/** Signs with any key that signs mail; with RSA as PKCS#1 v1.5 and SHA-256, which every client verifies. */
export function writeCertificate(contents: CertificateContents, signingKey: KeyObject): Uint8Array {
  const { serial, issuer, subject, notBeforeMs, notAfterMs, spki, extensions } = contents
  const validity = sequence(time(notBeforeMs), time(notAfterMs))
  return writeSigned(signingKey, (algorithm) => [
    contextTagged(0, integer(2)), // version 3
    der(TAG.INTEGER, serial),
    algorithm,
    issuer,
    validity,
    subject,
    spki,
    contextTagged(3, sequence(...extensions)),
  ])
}

/** SIGNED of X.509, certificates and CRLs alike: `fields` are told the AlgorithmIdentifier, which stands inside too. */
export function writeSigned(
  signingKey: KeyObject,
  fields: (algorithm: Uint8Array) => readonly Uint8Array[],
): Uint8Array {
  const plan = planSignature(signingKey, {})
  // CMS names the key's algorithm for RSA, and the digest beside it; here is no beside
  const algorithm = signingKey.asymmetricKeyType === 'rsa' ? SHA256_WITH_RSA : plan.algorithm
  const tbs = sequence(...fields(algorithm))
  return sequence(tbs, algorithm, bitString(plan.sign(tbs, signingKey)))
}

const SHA256_WITH_RSA = sequence(oid('1.2.840.113549.1.1.11'), NULL)

export const COMMON_NAME = '2.5.4.3'
export const DOMAIN_COMPONENT = '0.9.2342.19200300.100.1.25'

/** A Name of one attribute an RDN, in the order given: domainComponent is IA5String, all others are UTF8String. */
export function writeName(attributes: readonly (readonly [type: string, text: string])[]): Uint8Array {
  return sequence(
    ...attributes.map(([type, text]) => {
      const tag = type === DOMAIN_COMPONENT ? TAG.IA5_STRING : TAG.UTF8_STRING
      return setOf([sequence(oid(type), der(tag, utf8(text)))])
    }),
  )
}

/** `id` is the extension's identifier, `value` the DER that goes into extnValue. */
export function writeExtension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value))
}

const TRUE = Uint8Array.of(TAG.BOOLEAN, 1, 0xff)

/** cA TRUE with a pathLenConstraint, or cA FALSE. */
export function basicConstraints(pathLength: number | undefined): Uint8Array {
  const value = pathLength === undefined ? sequence() : sequence(TRUE, integer(pathLength))
  return writeExtension(EXTENSION.basicConstraints, true, value)
}

/** `bits` as `KEY_USAGE` names them; at least one. */
export function keyUsage(bits: number): Uint8Array {
  let octet = 0
  let unused = 8
  for (let bit = 0; bit < 8; bit++) {
    if ((bits & (1 << bit)) === 0) continue
    octet |= 0x80 >> bit
    unused = 7 - bit // X.690 §11.2.2: no zero bits at the end
  }
  return writeExtension(EXTENSION.keyUsage, true, der(TAG.BIT_STRING, Uint8Array.of(unused, octet)))
}

export function extendedKeyUsage(purposes: readonly string[]): Uint8Array {
  return writeExtension(EXTENSION.extendedKeyUsage, false, sequence(...purposes.map(oid)))
}

/** `names` from the functions below. Critical exactly when the subject is empty (RFC 5280 §4.2.1.6). */
export function subjectAltName(names: readonly Uint8Array[], critical: boolean): Uint8Array {
  return writeExtension(EXTENSION.subjectAltName, critical, sequence(...names))
}

/** rfc822Name, or SmtpUTF8Mailbox (RFC 9598 §3) for a local part beyond ASCII. */
export function mailboxName(address: string): Uint8Array {
  const octets = utf8(address)
  if (octets.every((octet) => octet < 0x80)) return der(context(1), octets)
  return contextTagged(0, oid(SMTP_UTF8_MAILBOX), contextTagged(0, der(TAG.UTF8_STRING, octets)))
}

export const dnsName = (host: string): Uint8Array => der(context(2), utf8(host))
export const ipAddressName = (octets: Uint8Array): Uint8Array => der(context(7), octets)

export function subjectKeyIdentifier(keyId: Uint8Array): Uint8Array {
  return writeExtension(EXTENSION.subjectKeyId, false, octetString(keyId))
}

export function authorityKeyIdentifier(keyId: Uint8Array): Uint8Array {
  return writeExtension(EXTENSION.authorityKeyId, false, sequence(der(context(0), keyId)))
}

/** Leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093 §2, method 1). */
export function keyIdOf(spki: Uint8Array): Uint8Array {
  const parsed = parseDer(spki)
  const bits = parsed.ok ? parsed.value.children[1]?.content : undefined
  if (bits === undefined) throw new TypeError('not a SubjectPublicKeyInfo')
  return createHash('sha256').update(bits.subarray(1)).digest().subarray(0, 20)
}
