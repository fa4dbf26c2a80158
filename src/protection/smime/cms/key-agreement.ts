/**
 * KeyAgreeRecipientInfo (RFC 5652 §6.2.2) with ephemeral-static ECDH (RFC 5753, for X25519 and X448 RFC 8418): sender's
 * one-time key and recipient's key give a secret, a KDF makes a wrapping key of it, and key wrap carries the content key.
 */
import { Buffer } from 'node:buffer'
import { type KeyObject, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import { detailsOf } from '../../key-object.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { bitString, contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import type { ContentKey } from './content-key.ts'
import { type EntityId, issuerAndSerial, readEntityId } from './entity-id.ts'
import { type KeyDerivation, deriveKey } from './key-derivation.ts'
import { type KeyWrap, keyWrapDer, keyWrapFor, readKeyWrap, unwrapKey, wrapKey } from './key-wrap.ts'

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

export interface AgreementRow {
  /** The curve as OpenSSL names it; of X25519 and X448 the type of the key. */
  readonly name: string
  /** AlgorithmIdentifier of a public key on it. */
  readonly algorithm: Uint8Array
  /** The scheme we write: a digest as strong as the curve. */
  readonly schemeOid: string
}

const [X963_SHA256, X963_SHA384, X963_SHA512] = ['1.3.132.1.11.1', '1.3.132.1.11.2', '1.3.132.1.11.3']
const [HKDF_SHA256, HKDF_SHA384, HKDF_SHA512] = [
  '1.2.840.113549.1.9.16.3.19',
  '1.2.840.113549.1.9.16.3.20',
  '1.2.840.113549.1.9.16.3.21',
]

const curve = (name: string, dotted: string, schemeOid: string): AgreementRow => ({
  name,
  algorithm: sequence(oid(EC_PUBLIC_KEY), oid(dotted)),
  schemeOid,
})
const montgomery = (name: string, dotted: string, schemeOid: string): AgreementRow => ({
  name,
  algorithm: sequence(oid(dotted)), // RFC 8410 §3
  schemeOid,
})

export const AGREEMENTS: readonly AgreementRow[] = [
  curve('prime256v1', '1.2.840.10045.3.1.7', X963_SHA256),
  curve('secp384r1', '1.3.132.0.34', X963_SHA384),
  curve('secp521r1', '1.3.132.0.35', X963_SHA512),
  curve('brainpoolP256r1', '1.3.36.3.3.2.8.1.1.7', X963_SHA256),
  curve('brainpoolP256t1', '1.3.36.3.3.2.8.1.1.8', X963_SHA256),
  curve('brainpoolP320r1', '1.3.36.3.3.2.8.1.1.9', X963_SHA384),
  curve('brainpoolP320t1', '1.3.36.3.3.2.8.1.1.10', X963_SHA384),
  curve('brainpoolP384r1', '1.3.36.3.3.2.8.1.1.11', X963_SHA384),
  curve('brainpoolP384t1', '1.3.36.3.3.2.8.1.1.12', X963_SHA384),
  curve('brainpoolP512r1', '1.3.36.3.3.2.8.1.1.13', X963_SHA512),
  curve('brainpoolP512t1', '1.3.36.3.3.2.8.1.1.14', X963_SHA512),
  montgomery('x25519', '1.3.101.110', HKDF_SHA256),
  montgomery('x448', '1.3.101.111', HKDF_SHA512),
]

const agreementOf = (key: KeyObject): AgreementRow | undefined =>
  AGREEMENTS.find(({ name }) => name === (detailsOf(key)?.namedCurve ?? key.asymmetricKeyType))

/**
 * The schemes dhSinglePass-stdDH-…: with the KDF of X9.63 and its cofactor variant, the same on curves of cofactor 1
 * (RFC 5753 §7.1.4), and with HKDF (RFC 8418 §2.2). Each goes with every curve.
 */
export const SCHEMES: ReadonlyMap<string, KeyDerivation> = new Map([
  [X963_SHA256, { kind: 'x963', digest: 'sha256' }],
  [X963_SHA384, { kind: 'x963', digest: 'sha384' }],
  [X963_SHA512, { kind: 'x963', digest: 'sha512' }],
  ['1.3.132.1.11.0', { kind: 'x963', digest: 'sha224' }],
  ['1.3.133.16.840.63.0.2', { kind: 'x963', digest: 'sha1' }],
  ['1.3.132.1.14.1', { kind: 'x963', digest: 'sha256' }],
  ['1.3.132.1.14.2', { kind: 'x963', digest: 'sha384' }],
  ['1.3.132.1.14.3', { kind: 'x963', digest: 'sha512' }],
  ['1.3.132.1.14.0', { kind: 'x963', digest: 'sha224' }],
  ['1.3.133.16.840.63.0.3', { kind: 'x963', digest: 'sha1' }],
  [HKDF_SHA256, { kind: 'hkdf', digest: 'sha256' }],
  [HKDF_SHA384, { kind: 'hkdf', digest: 'sha384' }],
  [HKDF_SHA512, { kind: 'hkdf', digest: 'sha512' }],
])

const ENCRYPTED_KEYS_MAX = 1000

export interface KeyAgreement {
  readonly kind: 'key-agreement'
  /** RecipientEncryptedKeys. */
  readonly recipients: readonly { readonly id: EntityId; readonly encryptedKey: Uint8Array }[]
  /** The sender's one-time public point; missing when the sender's key is a certified one, which nobody uses. */
  readonly point?: Uint8Array
  readonly ukm?: Uint8Array
  readonly algorithm: AlgorithmId
}

export function readKeyAgreement(node: Node): Result<KeyAgreement> {
  const malformed = fail('KeyAgreeRecipientInfo is malformed')
  const [version, originator, ...rest] = node.children
  const ukmNode = rest[0]?.tag === contextConstructed(1) ? rest.shift() : undefined
  const [algorithmNode, keys, more] = rest
  const algorithm = algorithmNode === undefined ? malformed : readAlgorithm(algorithmNode)
  if (version?.tag !== TAG.INTEGER || originator?.tag !== contextConstructed(0) || !algorithm.ok) return malformed
  if (keys?.tag !== TAG.SEQUENCE || more !== undefined || keys.children.length > ENCRYPTED_KEYS_MAX) return malformed
  const recipients: { id: EntityId; encryptedKey: Uint8Array }[] = []
  for (const child of keys.children) {
    const id = readRecipientId(child.children[0])
    const encryptedKey = child.children[1] === undefined ? undefined : joinedOctets(child.children[1])
    if (id === undefined || encryptedKey === undefined) return malformed
    recipients.push({ id, encryptedKey })
  }
  const ukm = ukmNode?.children[0] === undefined ? undefined : joinedOctets(ukmNode.children[0])
  if (ukmNode !== undefined && ukm === undefined) return malformed
  const point = readPoint(originator.children[0])
  return ok({
    kind: 'key-agreement',
    recipients,
    algorithm: algorithm.value,
    ...(point === undefined ? {} : { point }),
    ...(ukm === undefined ? {} : { ukm }),
  })
}

/** IssuerAndSerialNumber, or `[0]` RecipientKeyIdentifier, whose first field is the key identifier. */
function readRecipientId(node: Node | undefined): EntityId | undefined {
  if (node?.tag !== contextConstructed(0)) return readEntityId(node)
  const keyId = node.children[0] === undefined ? undefined : joinedOctets(node.children[0])
  return keyId === undefined ? undefined : { kind: 'key-id', keyId }
}

/** OriginatorPublicKey as `[1]`; its parameters say nothing that the recipient's key does not (RFC 5753 §3.1.1). */
function readPoint(node: Node | undefined): Uint8Array | undefined {
  const bits = node?.tag === contextConstructed(1) ? node.children[1] : undefined
  return bits?.tag === TAG.BIT_STRING && bits.content[0] === 0 ? bits.content.subarray(1) : undefined
}

/** Unwraps one recipient's content key. */
export function unwrapAgreedKey(info: KeyAgreement, encryptedKey: Uint8Array, key: KeyObject): Result<ContentKey> {
  const agreement = agreementOf(key)
  const scheme = readScheme(info.algorithm)
  if (agreement === undefined) return fail('the key is not on a known elliptic curve')
  if (!scheme.ok) return scheme
  if (info.point === undefined) return fail('key agreement without a one-time key')
  const { derivation, wrap, wrapAlgorithm } = scheme.value
  const weak = wrap.weak !== undefined
  try {
    const spki = sequence(agreement.algorithm, bitString(info.point))
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    const secret = diffieHellman({ privateKey: key, publicKey }) // throws when it is all zeros (RFC 8418 §2)
    const keyBytes = wrap.keyBytes
    const shared = { secret, info: sharedInfo(wrapAlgorithm, keyBytes, info.ukm), salt: info.ukm, keyBytes }
    return ok({ key: unwrapKey(wrap, deriveKey(derivation, shared), encryptedKey), weak })
  } catch {
    return ok({ key: undefined, weak }) // a point off the curve, or a wrapped key that was changed
  }
}

export const canAgreeWith = (key: KeyObject): boolean => agreementOf(key) !== undefined

/**
 * The one-time keys of one envelope: one a curve, for all recipients on it. CMS has the same when it lists several recipients
 * under one originator; they have a RecipientInfo each here, because libksba (GnuPG) reads only the first of such a list.
 */
export class OneTimeKeys {
  readonly #pairs = new Map<AgreementRow, OneTimeKey>()

  /** The one on the curve of this key, which is that of `agreement`. */
  like(key: KeyObject, agreement: AgreementRow): OneTimeKey {
    const known = this.#pairs.get(agreement)
    if (known !== undefined) return known
    const { publicKey, privateKey } = generateLike(key)
    const made = { privateKey, point: publicKey.export({ format: 'raw-public' }) }
    this.#pairs.set(agreement, made)
    return made
  }
}

interface OneTimeKey {
  readonly privateKey: KeyObject
  readonly point: Uint8Array
}

/** DER of a KeyAgreeRecipientInfo, as `[1]` of RecipientInfo, that gives `contentKey` to this certificate. */
export function writeKeyAgreement(
  certificate: SmimeCertificate,
  contentKey: Uint8Array,
  oneTimeKeys: OneTimeKeys,
): Uint8Array {
  const agreement = agreementOf(certificate.publicKey)
  const derivation = agreement === undefined ? undefined : SCHEMES.get(agreement.schemeOid)
  if (agreement === undefined || derivation === undefined) throw new TypeError('no key agreement')
  const wrap = keyWrapFor(contentKey.length)
  const { privateKey, point } = oneTimeKeys.like(certificate.publicKey, agreement)
  const secret = diffieHellman({ privateKey, publicKey: certificate.publicKey })
  const wrapAlgorithm = keyWrapDer(wrap)
  const { keyBytes } = wrap
  const wrappingKey = deriveKey(derivation, { secret, info: sharedInfo(wrapAlgorithm, keyBytes, undefined), keyBytes })
  const encryptedKey = wrapKey(wrap, wrappingKey, contentKey)
  const originator = contextTagged(0, contextTagged(1, originatorAlgorithm(agreement), bitString(point)))
  const keys = sequence(sequence(issuerAndSerial(certificate), octetString(encryptedKey)))
  return contextTagged(1, VERSION, originator, sequence(oid(agreement.schemeOid), wrapAlgorithm), keys)
}

const VERSION = integer(3) // RFC 5652 §6.2.2

const ORIGINATOR_EC = sequence(oid(EC_PUBLIC_KEY))
/** The curve is left out: it is that of the recipient's key (RFC 5753 §3.1.1). */
const originatorAlgorithm = ({ name, algorithm }: AgreementRow): Uint8Array =>
  name === 'x25519' || name === 'x448' ? algorithm : ORIGINATOR_EC

/** A new pair of the same kind. */
function generateLike(key: KeyObject): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  const namedCurve = detailsOf(key)?.namedCurve
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve })
  return key.asymmetricKeyType === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('x448')
}

interface Scheme {
  readonly derivation: KeyDerivation
  readonly wrap: KeyWrap
  /** KeyWrapAlgorithm as received: it goes into the KDF. */
  readonly wrapAlgorithm: Uint8Array
}

function readScheme({ oid: schemeOid, parameters }: AlgorithmId): Result<Scheme> {
  const derivation = SCHEMES.get(schemeOid)
  if (derivation === undefined) return fail(`unknown key agreement scheme ${schemeOid}`)
  const parsed = parameters === undefined ? fail('') : parseDer(parameters)
  const algorithm = parsed.ok ? readAlgorithm(parsed.value) : fail('')
  if (parameters === undefined || !algorithm.ok) return fail('key agreement without a key wrap algorithm')
  const wrap = readKeyWrap(algorithm.value)
  return wrap.ok ? ok({ derivation, wrap: wrap.value, wrapAlgorithm: parameters }) : wrap
}

/** ECC-CMS-SharedInfo (RFC 5753 §7.2). */
function sharedInfo(wrapAlgorithm: Uint8Array, keyBytes: number, ukm: Uint8Array | undefined): Uint8Array {
  const bits = Buffer.alloc(4)
  bits.writeUInt32BE(keyBytes * 8)
  const entity = ukm === undefined ? [] : [contextTagged(0, octetString(ukm))]
  return sequence(wrapAlgorithm, ...entity, contextTagged(2, octetString(bits)))
}
