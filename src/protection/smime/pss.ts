/** RSASSA-PSS (RFC 4055 §3, RFC 8017 §8.1): its parameters, and what OpenSSL through Node does not check. */
import { type KeyObject, constants, createHash, createPublicKey, publicDecrypt, verify } from 'node:crypto'
import { concatBytes, equalBytes } from '../../base/bytes.ts'
import { type Result, fail, ok } from '../../base/result.ts'
import { detailsOf } from '../key-object.ts'
import {
  type Digest,
  RSA_ENCRYPTION,
  digestByName,
  hashOf,
  mgf1AlgorithmDer,
  readDigestAlgorithm,
  readMgf1,
} from './algorithms.ts'
import { type Node, parseDer, readSmallInteger } from './asn1/der-reader.ts'
import { NULL, contextTagged, integer, oid, sequence } from './asn1/der-writer.ts'
import { TAG, contextConstructed } from './asn1/tlv.ts'
import { RSASSA_PSS } from './signature-algorithms.ts'

export interface PssParameters {
  readonly digest: Digest
  /** Of MGF1; SHAKE makes its mask without it (RFC 8702 §3.2.1). */
  readonly mask: Digest
  readonly saltLengthBytes: number
}

/** RSASSA-PSS-params (RFC 4055 §3.1) with MGF1 over the same digest and a salt as long as the digest. */
export function pssAlgorithmDer(digest: Digest): Uint8Array {
  // RFC 4055 §2.1: hash identifiers inside the PSS and OAEP parameters carry NULL.
  const hash = sequence(oid(digest.oid), NULL)
  const parameters = sequence(
    contextTagged(0, hash),
    contextTagged(1, mgf1AlgorithmDer(hash)),
    contextTagged(2, integer(digest.lengthBytes)),
  )
  return sequence(oid(RSASSA_PSS), parameters)
}

/** RSASSA-PSS-params: every field has a default, and all of them are SHA-1's. */
export function readPssParameters(parameters: Uint8Array | undefined): Result<PssParameters> {
  if (parameters === undefined) return fail('RSASSA-PSS without parameters')
  const parsed = parseDer(parameters)
  if (!parsed.ok || parsed.value.tag !== TAG.SEQUENCE) return fail('malformed RSASSA-PSS parameters')
  const fields = new Map(parsed.value.children.map((child) => [child.tag, child]))
  if (fields.size !== parsed.value.children.length) return fail('malformed RSASSA-PSS parameters')
  const field = <T>(number: number, read: (inner: Node) => T | undefined, otherwise: T): T | undefined => {
    const node = fields.get(contextConstructed(number))
    fields.delete(contextConstructed(number))
    return node === undefined ? otherwise : explicit(node, read)
  }
  const sha1 = digestByName('sha1')
  const digest = field(0, readDigestAlgorithm, sha1)
  const mask = field(1, readMgf1, sha1)
  const saltLengthBytes = field(2, readInteger, 20)
  const trailerField = field(3, readInteger, 1)
  if (fields.size > 0) return fail('malformed RSASSA-PSS parameters')
  if (digest === undefined || mask === undefined) return fail('unknown digest in the RSASSA-PSS parameters')
  if (isShake(digest) || isShake(mask)) return fail('SHAKE in RSASSA-PSS parameters, where it has names of its own')
  if (saltLengthBytes === undefined || trailerField !== 1) return fail('malformed RSASSA-PSS parameters')
  return ok({ digest, mask, saltLengthBytes })
}

/** RFC 8702 §3.2.1: a salt as long as the digest. */
export const shakePss = (digest: Digest): PssParameters => ({
  digest,
  mask: digest,
  saltLengthBytes: digest.lengthBytes,
})

const readInteger = (node: Node): number | undefined =>
  node.tag === TAG.INTEGER ? readSmallInteger(node.content) : undefined

function explicit<T>(wrapper: Node, read: (inner: Node) => T | undefined): T | undefined {
  const [inner, more] = wrapper.children
  return inner === undefined || more !== undefined ? undefined : read(inner)
}

const isShake = (digest: Digest): boolean => digest.name === 'shake128' || digest.name === 'shake256'

/** Whether a key that is for certain parameters only allows these (RFC 4055 §3.3). */
export function allowsParameters(key: KeyObject, { digest, mask, saltLengthBytes }: PssParameters): boolean {
  const details = detailsOf(key)
  if (key.asymmetricKeyType !== 'rsa-pss' || details?.hashAlgorithm === undefined) return true
  const sameDigests = details.hashAlgorithm === digest.name && details.mgf1HashAlgorithm === mask.name
  return sameDigests && saltLengthBytes >= (details.saltLength ?? 0)
}

/** May throw where OpenSSL does: for an absurd salt, for instance. */
export function verifyPss(key: KeyObject, message: Uint8Array, signature: Uint8Array, pss: PssParameters): boolean {
  const { digest, mask, saltLengthBytes } = pss
  if (digest !== mask || isShake(digest)) return verifyByHand(key, message, signature, pss)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return verify(digest.name, message, { key, padding, saltLength: saltLengthBytes }, signature)
}

/** RFC 8017 §8.1.2 and §9.1.2, for masks that Node's `verify` cannot be told. Nothing in it is secret. */
function verifyByHand(key: KeyObject, message: Uint8Array, signature: Uint8Array, pss: PssParameters): boolean {
  const { digest, saltLengthBytes } = pss
  const modulusBits = detailsOf(key)?.modulusLength ?? 0
  if (signature.length !== Math.ceil(modulusBits / 8)) return false
  const raw = publicDecrypt({ key: asPlainRsa(key), padding: constants.RSA_NO_PADDING }, signature)
  const encodedBits = modulusBits - 1
  const encoded = raw.subarray(raw.length - Math.ceil(encodedBits / 8))
  const maskedLength = encoded.length - digest.lengthBytes - 1
  const zeros = maskedLength - saltLengthBytes - 1
  if (zeros < 0 || encoded.at(-1) !== 0xbc || (encoded.length < raw.length && raw[0] !== 0)) return false
  const topMask = 0xff >> (8 * encoded.length - encodedBits)
  const masked = encoded.subarray(0, maskedLength)
  const first = masked[0] ?? 0
  if ((first & ~topMask) !== 0) return false
  const hashed = encoded.subarray(maskedLength, -1)
  const mask = maskOf(pss.mask, hashed, maskedLength)
  const block = masked.map((octet, i) => octet ^ (mask[i] ?? 0))
  block[0] = (block[0] ?? 0) & topMask
  if (block.subarray(0, zeros).some((octet) => octet !== 0) || block[zeros] !== 1) return false
  const salt = block.subarray(zeros + 1)
  return equalBytes(hashOf(digest, concatBytes([EIGHT_ZEROS, hashOf(digest, message), salt])), hashed)
}

const EIGHT_ZEROS = new Uint8Array(8)

/** MGF1 (RFC 8017 §B.2.1), or the output of SHAKE itself (RFC 8702 §3.2.1). */
function maskOf(digest: Digest, seed: Uint8Array, lengthBytes: number): Uint8Array {
  if (isShake(digest)) return createHash(digest.name, { outputLength: lengthBytes }).update(seed).digest()
  const pieces: Uint8Array[] = []
  for (let counter = 0; counter * digest.lengthBytes < lengthBytes; counter++)
    pieces.push(hashOf(digest, concatBytes([seed, Uint8Array.of(0, 0, counter >> 8, counter & 0xff)])))
  return concatBytes(pieces).subarray(0, lengthBytes)
}

/** The same modulus without the restriction to PSS, with which OpenSSL refuses the bare RSA operation. */
function asPlainRsa(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'rsa-pss') return key
  const parsed = parseDer(key.export({ format: 'der', type: 'spki' }))
  const bits = parsed.ok ? parsed.value.children[1] : undefined
  if (bits === undefined) throw new TypeError('not a SubjectPublicKeyInfo')
  const spki = sequence(sequence(oid(RSA_ENCRYPTION), NULL), bits.raw)
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
}
