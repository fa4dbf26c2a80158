/**
 * KEMRecipientInfo (RFC 9629), an OtherRecipientInfo, with ML-KEM (RFC 9936): the recipient's public key encapsulates a
 * secret, HKDF makes a wrapping key of it, and key wrap carries the content key.
 */
import { type KeyObject, decapsulate, encapsulate } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { joinedOctets, toDer } from '../asn1/ber-reader.ts'
import { type Node, readOid, readSmallInteger } from '../asn1/der-reader.ts'
import { contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import type { ContentKey } from './content-key.ts'
import { type EntityId, issuerAndSerial, readEntityId } from './entity-id.ts'
import { type KeyDerivation, deriveKey } from './key-derivation.ts'
import { type KeyWrap, keyWrapDer, keyWrapFor, readKeyWrap, unwrapKey, wrapKey } from './key-wrap.ts'

const ORI_KEM = '1.2.840.113549.1.9.16.13.3'

export interface KemRow {
  readonly oid: string
  /** Value of KeyObject.asymmetricKeyType. */
  readonly name: string
  /** Of the wrapping key we use: the key wrap that everybody must have who has this KEM (RFC 9936 §2.1). */
  readonly wrapBytes: number
}

export const KEMS: readonly KemRow[] = [
  { oid: '2.16.840.1.101.3.4.4.1', name: 'ml-kem-512', wrapBytes: 16 },
  { oid: '2.16.840.1.101.3.4.4.2', name: 'ml-kem-768', wrapBytes: 32 },
  { oid: '2.16.840.1.101.3.4.4.3', name: 'ml-kem-1024', wrapBytes: 32 },
]

const HKDF_SHA256 = '1.2.840.113549.1.9.16.3.28'

/** id-alg-hkdf-with-sha… (RFC 8619). */
export const KEM_DERIVATIONS: ReadonlyMap<string, KeyDerivation> = new Map([
  [HKDF_SHA256, { kind: 'hkdf', digest: 'sha256' }],
  ['1.2.840.113549.1.9.16.3.29', { kind: 'hkdf', digest: 'sha384' }],
  ['1.2.840.113549.1.9.16.3.30', { kind: 'hkdf', digest: 'sha512' }],
])

export interface KemRecipient {
  readonly kind: 'kem'
  readonly id: EntityId
  readonly kem: AlgorithmId
  /** `kemct`: the encapsulated secret. */
  readonly ciphertext: Uint8Array
  readonly derivation: AlgorithmId
  readonly wrap: AlgorithmId
  /** KeyEncryptionAlgorithmIdentifier in DER: it goes into the KDF. */
  readonly wrapDer: Uint8Array
  /** `kekLength`, in octets. */
  readonly wrappingKeyBytes: number
  readonly ukm?: Uint8Array
  readonly encryptedKey: Uint8Array
}

/** An OtherRecipientInfo, tagged `[4]`; `undefined` when it is none for a KEM (RFC 5652 §6.2.5). */
export function readKemRecipient(node: Node): Result<KemRecipient | undefined> {
  const [type, value, more] = node.children
  if (type?.tag !== TAG.OID || value === undefined || more !== undefined) return fail('OtherRecipientInfo is malformed')
  if (readOid(type.content) !== ORI_KEM) return ok(undefined)
  const recipient = value.tag === TAG.SEQUENCE ? readFields(value.children) : undefined
  return recipient === undefined ? fail('KEMRecipientInfo is malformed') : ok(recipient)
}

function readFields(fields: readonly Node[]): KemRecipient | undefined {
  const hasUkm = fields[6]?.tag === contextConstructed(0)
  if (fields.length !== (hasUkm ? 9 : 8)) return undefined
  const [version, rid, kemNode, ciphertextNode, kdfNode, lengthNode] = fields
  const [wrapNode, keyNode] = fields.slice(-2)
  const id = readEntityId(rid)
  const [kem, derivation, wrap] = [kemNode, kdfNode, wrapNode].map(algorithmOf)
  const [ciphertext, encryptedKey, ukm] = [ciphertextNode, keyNode, hasUkm ? fields[6]?.children[0] : undefined].map(
    octetsOf,
  )
  const wrappingKeyBytes = lengthNode?.tag === TAG.INTEGER ? readSmallInteger(lengthNode.content) : undefined
  if (version?.tag !== TAG.INTEGER || id === undefined || wrapNode === undefined || (hasUkm && ukm === undefined))
    return undefined
  if (kem === undefined || derivation === undefined || wrap === undefined) return undefined
  if (ciphertext === undefined || encryptedKey === undefined || wrappingKeyBytes === undefined) return undefined
  const recipient = { id, kem, ciphertext, derivation, wrap, wrapDer: toDer(wrapNode), wrappingKeyBytes, encryptedKey }
  return { kind: 'kem', ...recipient, ...(ukm === undefined ? {} : { ukm }) }
}

function algorithmOf(node: Node | undefined): AlgorithmId | undefined {
  const algorithm = node === undefined ? undefined : readAlgorithm(node)
  return algorithm?.ok === true ? algorithm.value : undefined
}

const octetsOf = (node: Node | undefined): Uint8Array | undefined =>
  node === undefined ? undefined : joinedOctets(node)

/** Unwraps the content key. A ciphertext that was changed gives another secret, without a word (implicit rejection). */
export function unwrapEncapsulatedKey(info: KemRecipient, key: KeyObject): Result<ContentKey> {
  const row = KEMS.find((kem) => kem.oid === info.kem.oid)
  if (row === undefined) return fail(`unknown key encapsulation mechanism ${info.kem.oid}`)
  if (row.name !== key.asymmetricKeyType) return fail(`the key is not a key of ${row.name}`)
  const derivation = KEM_DERIVATIONS.get(info.derivation.oid)
  if (derivation === undefined) return fail(`unknown key derivation ${info.derivation.oid}`)
  const wrap = readKeyWrap(info.wrap)
  if (!wrap.ok) return wrap
  const { keyBytes } = wrap.value
  if (info.wrappingKeyBytes !== keyBytes) return fail('the length of the wrapping key is not that of the key wrap')
  const weak = wrap.value.weak !== undefined
  try {
    const secret = decapsulate(key, info.ciphertext)
    const wrappingKey = deriveKey(derivation, { secret, info: otherInfo(info.wrapDer, keyBytes, info.ukm), keyBytes })
    return ok({ key: unwrapKey(wrap.value, wrappingKey, info.encryptedKey), weak })
  } catch {
    return ok({ key: undefined, weak })
  }
}

/** CMSORIforKEMOtherInfo (RFC 9629 §5). */
function otherInfo(wrapDer: Uint8Array, wrappingKeyBytes: number, ukm: Uint8Array | undefined): Uint8Array {
  const optional = ukm === undefined ? [] : [contextTagged(0, octetString(ukm))]
  return sequence(wrapDer, integer(wrappingKeyBytes), ...optional)
}

export const canEncapsulateTo = (key: KeyObject): boolean => KEMS.some(({ name }) => name === key.asymmetricKeyType)

/** DER of an OtherRecipientInfo, as `[4]` of RecipientInfo, that gives `contentKey` to this certificate. */
export function writeKemRecipient(certificate: SmimeCertificate, contentKey: Uint8Array): Uint8Array {
  const row = KEMS.find(({ name }) => name === certificate.publicKey.asymmetricKeyType)
  if (row === undefined) throw new TypeError('no key encapsulation')
  const wrap: KeyWrap = keyWrapFor(row.wrapBytes)
  const wrapDer = keyWrapDer(wrap)
  const { sharedKey, ciphertext } = encapsulate(certificate.publicKey)
  const { keyBytes } = wrap
  const wrappingKey = deriveKey(DERIVATION, {
    secret: sharedKey,
    info: otherInfo(wrapDer, keyBytes, undefined),
    keyBytes,
  })
  const info = sequence(
    VERSION,
    issuerAndSerial(certificate),
    sequence(oid(row.oid)),
    octetString(ciphertext),
    sequence(oid(HKDF_SHA256)),
    integer(keyBytes),
    wrapDer,
    octetString(wrapKey(wrap, wrappingKey, contentKey)),
  )
  return contextTagged(4, oid(ORI_KEM), info)
}

const VERSION = integer(0) // RFC 9629 §3
/** The one that everybody must have (RFC 9936 §2.1). */
const DERIVATION: KeyDerivation = { kind: 'hkdf', digest: 'sha256' }
