/** KeyTransRecipientInfo (RFC 5652 §6.2.1): the content key under an RSA key, PKCS #1 v1.5 (RFC 3370) or OAEP (RFC 3560). */
import { type KeyObject, constants, privateDecrypt, publicEncrypt } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import type { EncryptionChoice } from '../../standard.ts'
import {
  type AlgorithmId,
  type Digest,
  RSA_ENCRYPTION,
  digestByName,
  isAbsentOrNull,
  readAlgorithm,
  readDigestAlgorithm,
  readMgf1,
} from '../algorithms.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import { type Node, parseDer, readOid } from '../asn1/der-reader.ts'
import { NULL, contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import type { ContentKey } from './content-key.ts'
import { type EntityId, issuerAndSerial, readEntityId } from './entity-id.ts'
import { type OaepDigests, decryptOaep } from './rsa-oaep.ts'
import { RSA_MODULUS_MIN_BITS, detailsOf } from '../../key-object.ts'

const RSAES_OAEP = '1.2.840.113549.1.1.7'
const MGF1 = '1.2.840.113549.1.1.8'
const P_SPECIFIED = '1.2.840.113549.1.1.9'

export interface KeyTransport {
  readonly kind: 'key-transport'
  readonly id: EntityId
  readonly algorithm: AlgorithmId
  readonly encryptedKey: Uint8Array
}

export function readKeyTransport(node: Node): Result<KeyTransport> {
  const [version, rid, algorithmNode, keyNode, more] = node.children
  const id = readEntityId(rid)
  const encryptedKey = keyNode === undefined ? undefined : joinedOctets(keyNode)
  const algorithm = algorithmNode === undefined ? fail('') : readAlgorithm(algorithmNode)
  if (
    version?.tag !== TAG.INTEGER ||
    id === undefined ||
    !algorithm.ok ||
    encryptedKey === undefined ||
    more !== undefined
  )
    return fail('KeyTransRecipientInfo is malformed')
  return ok({ kind: 'key-transport', id, algorithm: algorithm.value, encryptedKey })
}

/** Unwraps the content key. `publicKey`: its other half, which is asked for its length because it is the same one for each mail. */
export function unwrapTransportedKey(info: KeyTransport, key: KeyObject, publicKey: KeyObject): Result<ContentKey> {
  const padding = readPadding(info.algorithm)
  if (!padding.ok) return padding
  if (key.asymmetricKeyType !== 'rsa') return fail('the key is not an RSA key')
  const weak = !isLongEnough(publicKey)
  try {
    const { value } = padding
    const contentKey =
      'maskDigest' in value
        ? decryptOaep(value, key, info.encryptedKey)
        : privateDecrypt({ key, ...value }, info.encryptedKey)
    return ok({ key: contentKey, weak })
  } catch {
    return ok({ key: undefined, weak })
  }
}

const isLongEnough = (key: KeyObject): boolean => (detailsOf(key)?.modulusLength ?? 0) >= RSA_MODULUS_MIN_BITS

/** Old mail to a shorter key is read; none is written to it (RFC 8551 appendix B.4). */
export const canTransportTo = (key: KeyObject): boolean => key.asymmetricKeyType === 'rsa' && isLongEnough(key)

/** DER of a KeyTransRecipientInfo that gives `contentKey` to this certificate. */
export function writeKeyTransport(
  certificate: SmimeCertificate,
  keyTransport: EncryptionChoice['keyTransport'],
  contentKey: Uint8Array,
): Uint8Array {
  const { padding, algorithm } = keyTransport === 'rsa-oaep' ? OAEP : PKCS1
  const encryptedKey = publicEncrypt({ key: certificate.publicKey, ...padding }, contentKey)
  return sequence(VERSION, issuerAndSerial(certificate), algorithm, octetString(encryptedKey))
}

interface RsaPadding {
  readonly padding: number
  readonly oaepHash?: string
  readonly oaepLabel?: Uint8Array
}

function readPadding(algorithm: AlgorithmId): Result<RsaPadding | OaepDigests> {
  switch (algorithm.oid) {
    case RSA_ENCRYPTION:
      return isAbsentOrNull(algorithm) ? ok(PKCS1.padding) : fail('unexpected parameters of RSA PKCS #1 v1.5')
    case RSAES_OAEP:
      return readOaep(algorithm.parameters)
    default:
      return fail(`unknown key encryption algorithm ${algorithm.oid}`)
  }
}

/** RSAES-OAEP-params (RFC 4055 §4.1); every field has a default, absent parameters are all of them. */
function readOaep(parameters: Uint8Array | undefined): Result<RsaPadding | OaepDigests> {
  const malformed = fail('malformed RSAES-OAEP parameters')
  const parsed = parameters === undefined ? undefined : parseDer(parameters)
  if (parsed?.ok === false || (parsed?.ok === true && parsed.value.tag !== TAG.SEQUENCE)) return malformed
  const sha1 = digestByName('sha1')
  let digest: Digest | undefined = sha1
  let maskDigest: Digest | undefined = sha1
  let label: Uint8Array | undefined = new Uint8Array()
  let lastTag = 0
  for (const field of parsed?.value.children ?? []) {
    const [inner, more] = field.children
    if (field.tag <= lastTag || inner === undefined || more !== undefined) return malformed
    lastTag = field.tag
    if (field.tag === contextConstructed(0)) digest = readDigestAlgorithm(inner)
    else if (field.tag === contextConstructed(1)) maskDigest = readMgf1(inner)
    else if (field.tag === contextConstructed(2)) {
      label = readLabel(inner)
      if (label === undefined) return malformed
    } else return malformed
  }
  if (digest === undefined || maskDigest === undefined) return fail('unknown digest in the RSAES-OAEP parameters')
  if (digest !== maskDigest) return ok({ digest, maskDigest, label })
  const base = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: digest.name }
  return ok(label.length === 0 ? base : { ...base, oaepLabel: label })
}

/** Whether these parameters are the ones that we write, however they are encoded. */
export function isOurOaep({ oid: dotted, parameters }: AlgorithmId): boolean {
  const read = dotted === RSAES_OAEP ? readOaep(parameters) : undefined
  return (
    read?.ok === true &&
    'oaepHash' in read.value &&
    read.value.oaepHash === OAEP.padding.oaepHash &&
    read.value.oaepLabel === undefined
  )
}

function readLabel(source: Node): Uint8Array | undefined {
  const [name, label] = source.children
  if (name?.tag !== TAG.OID || readOid(name.content) !== P_SPECIFIED) return undefined
  return label?.tag === TAG.OCTET_STRING ? label.content : undefined
}

const VERSION = integer(0) // RFC 5652 §6.2.1: 0 with issuerAndSerialNumber

interface KeyTransportRow {
  readonly padding: RsaPadding
  readonly algorithm: Uint8Array
}

const PKCS1: KeyTransportRow = {
  padding: { padding: constants.RSA_PKCS1_PADDING },
  algorithm: sequence(oid(RSA_ENCRYPTION), NULL),
}
const SHA256 = sequence(oid(digestByName('sha256').oid), NULL)

/** OAEP with SHA-256 and MGF1-SHA-256 (RFC 4055 §4.1); also announced as an ability (RFC 3560 §5). */
export const OAEP_ALGORITHM = sequence(
  oid(RSAES_OAEP),
  sequence(contextTagged(0, SHA256), contextTagged(1, sequence(oid(MGF1), SHA256))),
)
const OAEP: KeyTransportRow = {
  padding: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  algorithm: OAEP_ALGORITHM,
}
