/** Is a signature the one that this key makes over these data? Cryptography only; what it means is judged elsewhere. */
import { type KeyObject, constants, publicDecrypt, verify } from 'node:crypto'
import { concatBytes, equalBytes } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { RSA_MODULUS_MIN_BITS, detailsOf } from '../../key-object.ts'
import { Malformed } from '../../malformed.ts'
import type { SignatureProblem } from '../../weakness.ts'
import { type HashRow, hashById } from '../algorithms/hashes.ts'
import { type PublicKeyRow, publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { curveOf } from '../keys/public-material.ts'
import { Cursor } from '../packets/cursor.ts'
import type { SignatureDigest } from './signature-hash.ts'
import type { Signature } from './signature-packet.ts'

/** With a composite of RFC 9980 and with SLH-DSA the digest may not be shorter. */
const POST_QUANTUM_DIGEST_MIN_BYTES = 32

/**
 * Checks the signature over what was hashed. `ok` carries the name of what made it, such as `rsa-sha256` or
 * `ed25519-sha512`; `weak` is said of signatures that match. Never throws on foreign bytes. The digest of DSA and of
 * ECDSA can be asked once.
 */
export function verifySignature(
  signature: Signature,
  digest: SignatureDigest,
  key: KeyPacket,
): Result<string, SignatureProblem> {
  const row = publicKeyAlgorithm(signature.algorithm)
  const hash = hashById(signature.hash)
  if (row?.signs !== true || hash === undefined || key.publicKeys.length === 0)
    return fail({ kind: 'unsupported', why: `unknown signature algorithm ${signature.algorithm}/${signature.hash}` })
  const problem = contradiction(signature, row, hash, key)
  if (problem !== undefined) return wrong(problem)
  if (
    ((digest.bytes[0] ?? 0) << 8) + (digest.bytes[1] ?? 0) !== signature.left16 ||
    !matches(row, hash, signature, digest, key)
  )
    return wrong('the signature does not match')
  const weakness = findWeakness(row, hash, key)
  return weakness === undefined ? ok(describeSignature(signature, key)) : fail({ kind: 'weak', why: weakness })
}

/** For reports: the kind of key, as far as it is known, and the hash. */
export function describeSignature({ algorithm, hash }: Pick<Signature, 'algorithm' | 'hash'>, key?: KeyPacket): string {
  const row = publicKeyAlgorithm(algorithm)
  const name = row?.layout.kind === 'eddsa-legacy' ? 'ed25519' : row?.layout.kind === 'rsa' ? 'rsa' : row?.name
  return `${name ?? key?.algorithmName ?? `unknown-${algorithm}`}-${hashById(hash)?.name ?? `unknown-${hash}`}`
}

const wrong = (why: string): Result<never, SignatureProblem> => fail({ kind: 'wrong', why })

function contradiction(
  { algorithm, version }: Signature,
  row: PublicKeyRow,
  hash: HashRow,
  key: KeyPacket,
): string | undefined {
  if (algorithm !== key.algorithm) return 'the key is of another algorithm'
  if ((version === 6) !== (key.version === 6)) return `a key of version ${key.version} makes no such signature`
  if (version === 6 && hash.saltBytes === undefined) return 'the hash is not allowed in a signature of version 6'
  if (row.layout.kind === 'native' && row.id >= 30 && hash.lengthBytes < POST_QUANTUM_DIGEST_MIN_BYTES)
    return 'the digest is too short for the algorithm'
  return undefined
}

function findWeakness(row: PublicKeyRow, hash: HashRow, key: KeyPacket): string | undefined {
  if (hash.weak !== undefined) return `${hash.name} is too weak`
  return weaknessOfKey(key, row)
}

/** Why nobody should rely on a key of this kind and size any more. */
export function weaknessOfKey(key: KeyPacket, row = publicKeyAlgorithm(key.algorithm)): string | undefined {
  if (row?.weak !== undefined) return `${row.name.toUpperCase()} is too weak`
  const bits = row?.layout.kind === 'rsa' ? bitsOf(key.publicKeys[0]) : undefined
  return bits !== undefined && bits < RSA_MODULUS_MIN_BITS ? `an RSA key of ${bits} bits is too weak` : undefined
}

function matches(
  { layout }: PublicKeyRow,
  hash: HashRow,
  { values }: Signature,
  digest: SignatureDigest,
  { publicKeys }: KeyPacket,
): boolean {
  const key = publicKeys[0] as KeyObject
  const cursor = new Cursor(values)
  try {
    switch (layout.kind) {
      case 'rsa':
        return matchesRsa(key, hash, cursor.mpi(), digest) && cursor.left === 0
      case 'dsa':
      case 'ecdsa': {
        const sizeBytes = layout.kind === 'dsa' ? subgroupBytes(key) : curveOf(key).sizeBytes
        const pair = concatBytes([fixed(cursor.mpi(), sizeBytes), fixed(cursor.mpi(), sizeBytes)])
        return cursor.left === 0 && digest.streamed?.verify({ key, dsaEncoding: 'ieee-p1363' }, pair) === true
      }
      case 'eddsa-legacy': {
        const pair = concatBytes([fixed(cursor.mpi(), 32), fixed(cursor.mpi(), 32)])
        return cursor.left === 0 && verify(undefined, digest.bytes, key, pair)
      }
      case 'native': // both of a composite, or it does not count (RFC 9980)
        return (
          layout.parts.every(({ signatureBytes = 0 }, at) =>
            verify(undefined, digest.bytes, publicKeys[at] as KeyObject, cursor.take(signatureBytes)),
          ) && cursor.left === 0
        )
      case 'elgamal':
      case 'ecdh':
        return false
    }
  } catch {
    return false // OpenSSL throws on some lengths and numbers, the cursor where the signature ends too early
  }
}

/** RSASSA-PKCS1-v1_5 by comparison of the whole encoding (RFC 8017 §8.2.2); padding of any other form is refused. */
function matchesRsa(key: KeyObject, hash: HashRow, number: Uint8Array, digest: SignatureDigest): boolean {
  const length = Math.ceil((bitsOf(key) ?? 0) / 8)
  const encoded = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, fixed(number, length))
  return equalBytes(encoded, concatBytes([hash.digestInfo, digest.bytes]))
}

const bitsOf = (key: KeyObject | undefined): number | undefined => key && detailsOf(key)?.modulusLength
export const subgroupBytes = (key: KeyObject): number => Math.ceil((detailsOf(key)?.divisorLength ?? 0) / 8)

/** A number with leading zeros up to the length. Throws Malformed when it is longer. */
export function fixed(number: Uint8Array, length: number): Uint8Array {
  if (number.length > length) throw new Malformed('a number is too large')
  const padded = new Uint8Array(length)
  padded.set(number, length - number.length)
  return padded
}
