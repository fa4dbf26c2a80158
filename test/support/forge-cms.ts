/**
 * CMS structures that no honest program writes: every field of SignedData and EnvelopedData can be said, and what is not
 * said is as it should be. The attacker's tool of test/attacks/.
 */
import { type KeyObject, constants, createCipheriv, createHash, publicEncrypt, sign } from 'node:crypto'
import {
  NULL,
  contextTagged,
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG, contextConstructed } from '../../src/protection/smime/asn1/tlv.ts'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { issuerAndSerial } from '../../src/protection/smime/cms/entity-id.ts'
import type { SmimeIdentity } from './smime-identity.ts'

export const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
export const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), NULL)
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
export const RSA_PKCS1 = sequence(oid('1.2.840.113549.1.1.1'), NULL)
const CBC_IV = Buffer.alloc(16, 9)
const NONCE_BYTES = 12
export const TAG_BYTES = 16

export const attribute = (type: string, ...values: readonly Uint8Array[]): Uint8Array =>
  sequence(oid(type), setOf(values))
export const contentTypeAttribute = (type: string = CONTENT_TYPE.data): Uint8Array =>
  attribute('1.2.840.113549.1.9.3', oid(type))
export const messageDigestAttribute = (content: Uint8Array): Uint8Array =>
  attribute('1.2.840.113549.1.9.4', octetString(createHash('sha256').update(content).digest()))

export interface ForgedSigner {
  /** Whose key signs, and who is named. */
  readonly by: Pick<SmimeIdentity, 'certificate' | 'key'>
  /** The SignerIdentifier; by default issuer and serial number. */
  readonly sid?: Uint8Array
  /** What the message-digest attribute is made over; by default the content. */
  readonly over?: Uint8Array
  /** Signed attributes in this order; by default content-type and message-digest. `none`: the signature covers `over`. */
  readonly attributes?: readonly Uint8Array[] | 'none'
  readonly unsigned?: readonly Uint8Array[]
  readonly digestAlgorithm?: Uint8Array
  readonly algorithm?: Uint8Array
  /** The signature's octets, given what an honest signer would sign. */
  readonly sign?: (covered: Uint8Array, key: KeyObject) => Uint8Array
}

export interface ForgedSignedData {
  readonly content: Uint8Array
  readonly signers: readonly ForgedSigner[]
  /** eContentType. */
  readonly type?: string
  /** Detached: the content is elsewhere. */
  readonly detached?: boolean
  readonly certificates?: readonly Uint8Array[]
}

/** A SignedData in its ContentInfo. */
export function forgeSignedData({ content, signers, type = CONTENT_TYPE.data, ...rest }: ForgedSignedData): Buffer {
  const inside = rest.detached === true ? [] : [contextTagged(0, octetString(content))]
  const certificates = rest.certificates ?? signers.map(({ by }) => by.certificate.encoded)
  const signedData = sequence(
    integer(1),
    setOf([SHA256]),
    sequence(oid(type), ...inside),
    ...(certificates.length === 0 ? [] : [der(contextConstructed(0), ...certificates)]),
    der(TAG.SET, ...signers.map((signer) => signerInfo(signer, content, type))),
  )
  return Buffer.from(sequence(oid(CONTENT_TYPE.signedData), contextTagged(0, signedData)))
}

function signerInfo(signer: ForgedSigner, content: Uint8Array, type: string): Uint8Array {
  const over = signer.over ?? content
  const attributes = signer.attributes ?? [contentTypeAttribute(type), messageDigestAttribute(over)]
  const covered = attributes === 'none' ? over : der(TAG.SET, ...attributes)
  const { key, certificate } = signer.by
  const signature = (signer.sign ?? ((bytes, own) => sign('sha256', bytes, own)))(covered, key)
  return sequence(
    integer(1),
    signer.sid ?? issuerAndSerial(certificate),
    signer.digestAlgorithm ?? SHA256,
    ...(attributes === 'none' ? [] : [der(contextConstructed(0), ...attributes)]),
    signer.algorithm ?? (key.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256),
    octetString(signature),
    ...(signer.unsigned === undefined ? [] : [der(contextConstructed(1), ...signer.unsigned)]),
  )
}

export interface ForgedEnvelope {
  readonly to: Pick<SmimeIdentity, 'certificate'>
  readonly contentKey: Uint8Array
  /** The RSA ciphertext of the content key; by default as PKCS #1 v1.5 wants it. */
  readonly encryptedKey?: Uint8Array
  readonly keyAlgorithm?: Uint8Array
  /** RecipientInfos instead of the one with `encryptedKey`. */
  readonly infos?: readonly Uint8Array[]
  /** AlgorithmIdentifier of the content's cipher; by default AES-256-CBC. */
  readonly cipher?: Uint8Array
  readonly ciphertext: Uint8Array
  readonly type?: string
  readonly contentType?: string
  /** AuthEnvelopedData: authenticated attributes and tag. */
  readonly trailer?: readonly Uint8Array[]
}

/** An EnvelopedData, or what `type` says, in its ContentInfo. */
export function forgeEnvelope({ to, contentKey, ciphertext, ...rest }: ForgedEnvelope): Buffer {
  const info = (): Uint8Array =>
    sequence(
      integer(0),
      issuerAndSerial(to.certificate),
      rest.keyAlgorithm ?? RSA_PKCS1,
      octetString(rest.encryptedKey ?? transported(to, contentKey)),
    )
  const content = sequence(oid(rest.contentType ?? CONTENT_TYPE.data), rest.cipher ?? CBC, der(0x80, ciphertext))
  const envelope = sequence(integer(0), der(TAG.SET, ...(rest.infos ?? [info()])), content, ...(rest.trailer ?? []))
  return Buffer.from(sequence(oid(rest.type ?? CONTENT_TYPE.envelopedData), contextTagged(0, envelope)))
}

export const transported = (to: ForgedEnvelope['to'], contentKey: Uint8Array): Buffer =>
  publicEncrypt({ key: to.certificate.publicKey, padding: constants.RSA_PKCS1_PADDING }, contentKey)

const AES_256_CBC = oid('2.16.840.1.101.3.4.1.42')
const CBC = sequence(AES_256_CBC, octetString(CBC_IV))
export const cbcAlgorithm = (iv: Uint8Array): Uint8Array => sequence(AES_256_CBC, octetString(iv))

/** AES-256-CBC under the IV that `forgeEnvelope` names. */
export function cbcEncrypt(contentKey: Uint8Array, plaintext: Uint8Array, iv: Uint8Array = CBC_IV): Buffer {
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv)
  return Buffer.concat([cipher.update(plaintext), cipher.final()])
}

/** AES-256-GCM: AlgorithmIdentifier, ciphertext and tag. */
export function gcmEncrypt(
  contentKey: Uint8Array,
  plaintext: Uint8Array,
): { readonly algorithm: Uint8Array; readonly nonce: Buffer; readonly ciphertext: Buffer; readonly tag: Buffer } {
  const nonce = Buffer.alloc(NONCE_BYTES, 5)
  const cipher = createCipheriv('aes-256-gcm', contentKey, nonce, { authTagLength: TAG_BYTES })
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return { algorithm: gcmAlgorithm(nonce, TAG_BYTES), nonce, ciphertext, tag: cipher.getAuthTag() }
}

export const gcmAlgorithm = (nonce: Uint8Array, tagBytes: number): Uint8Array =>
  sequence(oid('2.16.840.1.101.3.4.1.46'), sequence(octetString(nonce), integer(tagBytes)))
