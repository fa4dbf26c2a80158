/** AlgorithmIdentifiers of X.509 and CMS, and the digests: one table row each. RFC 3370, RFC 5754, RFC 8702. */
import assert from 'node:assert/strict'
import { type Hash, createHash, hash } from 'node:crypto'
import { type Result, fail, ok } from '../../base/result.ts'
import type { Weakness } from '../weakness.ts'
import { type Node, parseDer, readOid, readSmallInteger } from './asn1/der-reader.ts'
import { integer, oid, sequence } from './asn1/der-writer.ts'
import { TAG } from './asn1/tlv.ts'

/** AlgorithmIdentifier (RFC 5280 §4.1.1.2). `parameters` is their whole DER; missing when absent. */
export interface AlgorithmId {
  readonly oid: string
  readonly parameters?: Uint8Array
}

export type DigestName =
  | 'md5'
  | 'sha1'
  | 'sha224'
  | 'sha256'
  | 'sha384'
  | 'sha512'
  | 'sha512-224'
  | 'sha512-256'
  | 'sha3-224'
  | 'sha3-256'
  | 'sha3-384'
  | 'sha3-512'
  | 'shake128'
  | 'shake256'

export interface Digest {
  readonly oid: string
  /** As node:crypto calls it. */
  readonly name: DigestName
  readonly lengthBytes: number
  /** Word of the `micalg` parameter of multipart/signed (RFC 8551 §3.5.3.2); `unknown` where none is registered. */
  readonly micalg: string
  readonly weak?: Weakness
}

const MD5_WEAK = { since: 2011, source: 'RFC 6151' }
const SHA1_WEAK = { since: 2011, source: 'RFC 6194' }
const NIST_HASHES = '2.16.840.1.101.3.4.2'

/** MD2 and MD4 are deliberately absent: OpenSSL computes neither. */
export const DIGESTS: readonly Digest[] = [
  { oid: `${NIST_HASHES}.1`, name: 'sha256', lengthBytes: 32, micalg: 'sha-256' },
  { oid: `${NIST_HASHES}.2`, name: 'sha384', lengthBytes: 48, micalg: 'sha-384' },
  { oid: `${NIST_HASHES}.3`, name: 'sha512', lengthBytes: 64, micalg: 'sha-512' },
  { oid: `${NIST_HASHES}.4`, name: 'sha224', lengthBytes: 28, micalg: 'sha-224' },
  { oid: `${NIST_HASHES}.5`, name: 'sha512-224', lengthBytes: 28, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.6`, name: 'sha512-256', lengthBytes: 32, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.7`, name: 'sha3-224', lengthBytes: 28, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.8`, name: 'sha3-256', lengthBytes: 32, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.9`, name: 'sha3-384', lengthBytes: 48, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.10`, name: 'sha3-512', lengthBytes: 64, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.11`, name: 'shake128', lengthBytes: 32, micalg: 'unknown' },
  { oid: `${NIST_HASHES}.12`, name: 'shake256', lengthBytes: 64, micalg: 'unknown' },
  { oid: '1.3.14.3.2.26', name: 'sha1', lengthBytes: 20, micalg: 'sha-1', weak: SHA1_WEAK },
  { oid: '1.2.840.113549.2.5', name: 'md5', lengthBytes: 16, micalg: 'md5', weak: MD5_WEAK },
]

/** id-shake256-len (RFC 8419 §2.3): SHAKE256 whose output, in bits, is its parameter; what we know is 512. */
const SHAKE256_LEN = `${NIST_HASHES}.18`
const SHAKE256_BITS = 512

export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const MGF1 = '1.2.840.113549.1.1.8'

const digestsByOid = new Map(DIGESTS.map((row) => [row.oid, row]))

export const digestByOid = (dotted: string): Digest | undefined => digestsByOid.get(dotted)
export function digestByName(name: DigestName): Digest {
  const row = DIGESTS.find((digest) => digest.name === name)
  assert(row !== undefined)
  return row
}

/** What `micalg` of multipart/signed names (RFC 8551 §3.5.3.2), in lower case. */
export const digestByMicalg = (micalg: string): Digest | undefined =>
  DIGESTS.find((digest) => digest.micalg === micalg && micalg !== 'unknown')

/** The length is said always, because SHAKE has none of its own. */
export const hashOf = (digest: Digest, bytes: Uint8Array): Uint8Array =>
  hash(digest.name, bytes, { outputEncoding: 'buffer', outputLength: digest.lengthBytes })
export const startHash = (digest: Digest): Hash => createHash(digest.name, { outputLength: digest.lengthBytes })

/** Reads an AlgorithmIdentifier that `parseDer` has parsed. */
export function readAlgorithm(node: Node): Result<AlgorithmId> {
  const [id, parameters, more] = node.children
  if (node.tag !== TAG.SEQUENCE || id?.tag !== TAG.OID || more !== undefined)
    return fail('malformed AlgorithmIdentifier')
  const dotted = readOid(id.content)
  if (dotted === undefined) return fail('malformed OBJECT IDENTIFIER')
  return ok(parameters === undefined ? { oid: dotted } : { oid: dotted, parameters: parameters.raw })
}

/** The DER AlgorithmIdentifier of a digest: parameters absent (RFC 5754 §2). */
export const digestAlgorithmDer = (digest: Digest): Uint8Array => sequence(oid(digest.oid))

/** id-shake256-len with 512 bits, as Ed448 wants it (RFC 8419 §3.1). */
export const shake256LenDer = (): Uint8Array => sequence(oid(SHAKE256_LEN), integer(SHAKE256_BITS))

/** MGF1 AlgorithmIdentifier → its digest; `undefined` when it is something else. Used by PSS and OAEP. */
export function readMgf1(node: Node | undefined): Digest | undefined {
  const algorithm = node === undefined ? undefined : readAlgorithm(node)
  if (algorithm?.ok !== true || algorithm.value.oid !== MGF1) return undefined
  const hash = node?.children[1]
  return hash === undefined ? undefined : readDigestAlgorithm(hash)
}

/** MGF1 over a digest, whose AlgorithmIdentifier is given as DER. */
export const mgf1AlgorithmDer = (digestAlgorithm: Uint8Array): Uint8Array => sequence(oid(MGF1), digestAlgorithm)

/** Digest AlgorithmIdentifier with parameters NULL or absent; `undefined` when unknown or malformed. */
export function readDigestAlgorithm(node: Node): Digest | undefined {
  const algorithm = readAlgorithm(node)
  return algorithm.ok ? digestOf(algorithm.value) : undefined
}

/** The digest that an AlgorithmIdentifier names; `undefined` when it is unknown, or its parameters are not its own. */
export function digestOf(algorithm: AlgorithmId): Digest | undefined {
  if (algorithm.oid === SHAKE256_LEN)
    return outputBitsOf(algorithm) === SHAKE256_BITS ? digestByName('shake256') : undefined
  return isAbsentOrNull(algorithm) ? digestByOid(algorithm.oid) : undefined
}

function outputBitsOf({ parameters }: AlgorithmId): number | undefined {
  const parsed = parameters === undefined ? undefined : parseDer(parameters)
  return parsed?.ok === true && parsed.value.tag === TAG.INTEGER ? readSmallInteger(parsed.value.content) : undefined
}

export const isAbsentOrNull = ({ parameters }: AlgorithmId): boolean =>
  parameters === undefined || (parameters.length === 2 && parameters[0] === TAG.NULL)
