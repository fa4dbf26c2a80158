/**
 * KeyAgreeRecipientInfo (RFC 5652 §6.2.2) with ephemeral-static ECDH (RFC 5753): sender's one-time key and recipient's
 * key give a secret, the X9.63 KDF makes a wrapping key of it, and AES key wrap carries the content key.
 */
import {
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
} from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { type AlgorithmId, type DigestName, detailsOf, readAlgorithm } from '../algorithms.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { bitString, contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../certificate.ts'
import { type EntityId, issuerAndSerial, readEntityId } from './entity-id.ts'

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

interface CurveRow {
  /** As OpenSSL names it. */
  readonly name: string
  readonly oid: string
  /** The scheme we write: a digest as strong as the curve. */
  readonly schemeOid: string
}

const CURVES: readonly CurveRow[] = [
  { name: 'prime256v1', oid: '1.2.840.10045.3.1.7', schemeOid: '1.3.132.1.11.1' },
  { name: 'secp384r1', oid: '1.3.132.0.34', schemeOid: '1.3.132.1.11.2' },
  { name: 'secp521r1', oid: '1.3.132.0.35', schemeOid: '1.3.132.1.11.3' },
]

/** dhSinglePass-stdDH-*kdf-scheme and the cofactor variant, the same on curves of cofactor 1 (RFC 5753 §7.1.4). */
const SCHEMES: ReadonlyMap<string, DigestName> = new Map([
  ['1.3.132.1.11.1', 'sha256'],
  ['1.3.132.1.11.2', 'sha384'],
  ['1.3.132.1.11.3', 'sha512'],
  ['1.3.132.1.11.0', 'sha224'],
  ['1.3.133.16.840.63.0.2', 'sha1'],
  ['1.3.132.1.14.1', 'sha256'],
  ['1.3.132.1.14.2', 'sha384'],
  ['1.3.132.1.14.3', 'sha512'],
  ['1.3.132.1.14.0', 'sha224'],
  ['1.3.133.16.840.63.0.3', 'sha1'],
])

interface WrapRow {
  readonly oid: string
  readonly name: string
  readonly keyBytes: number
}

/** AES key wrap (RFC 3394, RFC 3565). */
const WRAPS: readonly WrapRow[] = [
  { oid: '2.16.840.1.101.3.4.1.5', name: 'id-aes128-wrap', keyBytes: 16 },
  { oid: '2.16.840.1.101.3.4.1.25', name: 'id-aes192-wrap', keyBytes: 24 },
  { oid: '2.16.840.1.101.3.4.1.45', name: 'id-aes256-wrap', keyBytes: 32 },
]
const WRAP_IV = Buffer.alloc(8, 0xa6) // RFC 3394 §2.2.3.1
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

/** Unwraps one recipient's content key; errors and `undefined` as with `unwrapTransportedKey`. */
export function unwrapAgreedKey(
  info: KeyAgreement,
  encryptedKey: Uint8Array,
  key: KeyObject,
): Result<Uint8Array | undefined> {
  const curve = CURVES.find((row) => row.name === detailsOf(key)?.namedCurve)
  const scheme = readScheme(info.algorithm)
  if (key.asymmetricKeyType !== 'ec' || curve === undefined) return fail('the key is not on a known elliptic curve')
  if (!scheme.ok) return scheme
  if (info.point === undefined) return fail('key agreement without a one-time key')
  const { digest, wrap, wrapAlgorithm } = scheme.value
  try {
    const spki = sequence(sequence(oid(EC_PUBLIC_KEY), oid(curve.oid)), bitString(info.point))
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    const secret = diffieHellman({ privateKey: key, publicKey })
    const wrappingKey = deriveKey(digest, secret, sharedInfo(wrapAlgorithm, wrap.keyBytes, info.ukm), wrap.keyBytes)
    const decipher = createDecipheriv(wrap.name, wrappingKey, WRAP_IV)
    return ok(concatBytes([decipher.update(encryptedKey), decipher.final()]))
  } catch {
    return ok(undefined) // a point off the curve, or a wrapped key that was changed
  }
}

export const canAgreeWith = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'ec' && CURVES.some((row) => row.name === detailsOf(key)?.namedCurve)

/** DER of a KeyAgreeRecipientInfo, as `[1]` of RecipientInfo, that gives `contentKey` to this certificate. */
export function writeKeyAgreement(certificate: SmimeCertificate, contentKey: Uint8Array): Uint8Array {
  const curve = CURVES.find((row) => row.name === detailsOf(certificate.publicKey)?.namedCurve)
  const wrap = WRAPS.find((row) => row.keyBytes === contentKey.length)
  const digest = curve === undefined ? undefined : SCHEMES.get(curve.schemeOid)
  if (curve === undefined || wrap === undefined || digest === undefined) throw new TypeError('no key agreement')
  const oneTime = generateKeyPairSync('ec', { namedCurve: curve.name })
  const point = oneTime.publicKey.export({ format: 'raw-public' })
  const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey: certificate.publicKey })
  const wrapAlgorithm = sequence(oid(wrap.oid))
  const wrappingKey = deriveKey(digest, secret, sharedInfo(wrapAlgorithm, wrap.keyBytes, undefined), wrap.keyBytes)
  const cipher = createCipheriv(wrap.name, wrappingKey, WRAP_IV)
  const encryptedKey = concatBytes([cipher.update(contentKey), cipher.final()])
  const originator = contextTagged(0, contextTagged(1, sequence(oid(EC_PUBLIC_KEY)), bitString(point)))
  const keys = sequence(sequence(issuerAndSerial(certificate), octetString(encryptedKey)))
  return contextTagged(1, VERSION, originator, sequence(oid(curve.schemeOid), wrapAlgorithm), keys)
}

const VERSION = integer(3) // RFC 5652 §6.2.2

interface Scheme {
  readonly digest: DigestName
  readonly wrap: WrapRow
  /** KeyWrapAlgorithm as received: it goes into the KDF. */
  readonly wrapAlgorithm: Uint8Array
}

function readScheme({ oid: schemeOid, parameters }: AlgorithmId): Result<Scheme> {
  const digest = SCHEMES.get(schemeOid)
  if (digest === undefined) return fail(`unknown key agreement scheme ${schemeOid}`)
  const parsed = parameters === undefined ? fail('') : parseDer(parameters)
  const algorithm = parsed.ok ? readAlgorithm(parsed.value) : fail('')
  if (parameters === undefined || !algorithm.ok) return fail('key agreement without a key wrap algorithm')
  const wrap = WRAPS.find((row) => row.oid === algorithm.value.oid)
  return wrap === undefined
    ? fail(`unknown key wrap algorithm ${algorithm.value.oid}`)
    : ok({ digest, wrap, wrapAlgorithm: parameters })
}

/** ECC-CMS-SharedInfo (RFC 5753 §7.2). */
function sharedInfo(wrapAlgorithm: Uint8Array, keyBytes: number, ukm: Uint8Array | undefined): Uint8Array {
  const bits = Buffer.alloc(4)
  bits.writeUInt32BE(keyBytes * 8)
  const entity = ukm === undefined ? [] : [contextTagged(0, octetString(ukm))]
  return sequence(wrapAlgorithm, ...entity, contextTagged(2, octetString(bits)))
}

/** The KDF of ANSI X9.63 (SEC 1 §3.6.1). */
function deriveKey(digest: DigestName, secret: Uint8Array, info: Uint8Array, keyBytes: number): Uint8Array {
  const blocks: Uint8Array[] = []
  const counter = Buffer.alloc(4)
  for (let count = 1, have = 0; have < keyBytes; count++) {
    counter.writeUInt32BE(count)
    const block = createHash(digest).update(secret).update(counter).update(info).digest()
    blocks.push(block)
    have += block.length
  }
  return concatBytes(blocks).subarray(0, keyBytes)
}
