/** A mail that is signed with SMIMECapabilities of the test's choice, at a time of the test's choice. */
import { type KeyObject, createHash, sign } from 'node:crypto'
import { concatBytes } from '../../src/base/bytes.ts'
import { encodeBase64Lines } from '../../src/message/encode.ts'
import {
  NULL,
  contextTagged,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
} from '../../src/protection/smime/asn1/der-writer.ts'
import type { SmimeCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { SMIME_CAPABILITIES } from '../../src/protection/smime/cms/capabilities.ts'

const DATA = '1.2.840.113549.1.7.1'
const SIGNED_DATA = '1.2.840.113549.1.7.2'
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
const SIGNATURES: Readonly<Record<string, Uint8Array>> = {
  rsa: sequence(oid('1.2.840.113549.1.1.1'), NULL),
  ec: sequence(oid('1.2.840.10045.4.3.2')),
}

/** Algorithms by OID, each with its parameters where it has some. */
export type Capability = readonly [dotted: string, ...parameters: Uint8Array[]]

export const RC2_40: Capability = ['1.2.840.113549.3.2', integer(40)]
export const AES_128_CBC: Capability = ['2.16.840.1.101.3.4.1.2']
export const AES_256_GCM: Capability = ['2.16.840.1.101.3.4.1.46']

export interface StatingMail {
  readonly signer: { readonly certificate: SmimeCertificate; readonly key: KeyObject }
  readonly capabilities: readonly Capability[]
  /** Missing: the signature does not say. */
  readonly signingTimeMs?: number
  readonly from: string
  readonly to: string
  readonly messageId: string
}

/** An opaque S/MIME signature over a short text; RSA or EC keys. */
export function statingMail({ signer, capabilities, signingTimeMs, from, to, messageId }: StatingMail): Buffer {
  const content = Buffer.from('Content-Type: text/plain\r\n\r\nThis is what I read.\r\n')
  const attribute = (type: string, value: Uint8Array): Uint8Array => sequence(oid(type), setOf([value]))
  const attributes = setOf([
    attribute('1.2.840.113549.1.9.3', oid(DATA)),
    attribute('1.2.840.113549.1.9.4', octetString(createHash('sha256').update(content).digest())),
    ...(signingTimeMs === undefined ? [] : [attribute('1.2.840.113549.1.9.5', time(signingTimeMs))]),
    attribute(SMIME_CAPABILITIES, sequence(...capabilities.map(([type, ...more]) => sequence(oid(type), ...more)))),
  ])
  const { issuer, serial, encoded } = signer.certificate
  const signerInfo = sequence(
    integer(1),
    sequence(issuer, serial),
    SHA256,
    concatBytes([Uint8Array.of(0xa0), attributes.subarray(1)]), // signed as SET, sent as [0] (RFC 5652 §5.4)
    SIGNATURES[signer.key.asymmetricKeyType ?? ''] ?? NULL,
    octetString(sign('sha256', attributes, signer.key)),
  )
  const signedData = sequence(
    integer(1),
    setOf([SHA256]),
    sequence(oid(DATA), contextTagged(0, octetString(content))),
    contextTagged(0, encoded),
    setOf([signerInfo]),
  )
  const header = `From: ${from}\r\nTo: ${to}\r\nSubject: Hello\r\nMessage-ID: ${messageId}\r\nMIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n`
  return Buffer.concat([
    Buffer.from(header),
    encodeBase64Lines(sequence(oid(SIGNED_DATA), contextTagged(0, signedData))),
  ])
}
