/**
 * Session keys by ECDH (RFC 9580 §11.5), on the NIST and Brainpool curves and on Curve25519Legacy: a one-time key and the
 * recipient's give a secret, a hash with the key's own parameters makes a wrapping key of it.
 */
import { Buffer } from 'node:buffer'
import { type KeyObject, createHash, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { detailsOf } from '../../key-object.ts'
import { need } from '../../malformed.ts'
import { type CipherRow, cipherById, isWritten } from '../algorithms/ciphers.ts'
import { type HashRow, hashById } from '../algorithms/hashes.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import type { EcdhParameters } from '../keys/public-material.ts'
import { Cursor, writeMpi } from '../packets/cursor.ts'
import { type Carrier, only } from './carrier.ts'
import { unwrap, wrap } from './key-wrap.ts'
import { readSessionKeyOctets, writeSessionKeyOctets } from './session-key.ts'

/** In front of a point in the curve's own form (RFC 9580 §11.2.2). */
const NATIVE_POINT = 0x40
/** Of the padding. More of it would hide the length of the key, but GnuPG takes no more than sixteen octets. */
const BLOCK_BYTES = 8

export const ecdhCarrier: Carrier = {
  open(fields, { packet, handles }, version) {
    const privateKey = only(handles)
    const cursor = new Cursor(fields)
    const publicKey = importPoint(cursor.mpi(), only(packet.publicKeys))
    const wrapped = cursor.take(cursor.u8())
    const secret = diffieHellman({ privateKey, publicKey })
    const octets = withoutPadding(unwrap(deriveWrappingKey(packet, secret), wrapped))
    return octets === undefined ? undefined : readSessionKeyOctets(octets, version)
  },
  write(packet, sessionKey) {
    const publicKey = only(packet.publicKeys)
    const oneTime = generateLike(publicKey)
    const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey })
    const wrapped = wrap(deriveWrappingKey(packet, secret), withPadding(writeSessionKeyOctets(sessionKey)))
    return concatBytes([writeMpi(exportPoint(oneTime.publicKey)), Uint8Array.of(wrapped.length), wrapped])
  },
  canWriteTo: ({ ecdh }) => ecdh !== undefined && derivationOf(ecdh) !== undefined,
}

interface Derivation {
  readonly hash: HashRow
  readonly cipher: CipherRow
}

/** `undefined` for what is not ours. The wrapping key is one of AES. */
function derivationOf(parameters: EcdhParameters): Derivation | undefined {
  const [hash, cipher] = [hashById(parameters.hash), cipherById(parameters.cipher)]
  if (hash === undefined || hash.weak !== undefined || cipher === undefined || !isWritten(cipher)) return undefined
  return hash.lengthBytes < cipher.keyBytes ? undefined : { hash, cipher }
}

/** One-step key derivation with the recipient's key in it, so that a packet opens for nobody else (RFC 9580 §11.5). */
function deriveWrappingKey({ ecdh, fingerprint, algorithm }: KeyPacket, secret: Uint8Array): Uint8Array {
  const parameters = need(ecdh, 'a key without parameters of its derivation')
  const { hash, cipher } = need(derivationOf(parameters), 'unknown parameters of the key derivation')
  const digest = createHash(hash.name)
    .update(COUNTER)
    .update(secret)
    .update(Uint8Array.of(parameters.curve.length))
    .update(parameters.curve)
    .update(Uint8Array.of(algorithm, KDF_BYTES, KDF_VERSION, parameters.hash, parameters.cipher))
    .update(ANONYMOUS_SENDER)
    .update(Buffer.from(fingerprint, 'hex'))
    .digest()
  return digest.subarray(0, cipher.keyBytes)
}

const COUNTER = Uint8Array.of(0, 0, 0, 1)
const KDF_BYTES = 3
const KDF_VERSION = 1
const ANONYMOUS_SENDER = Buffer.from('Anonymous Sender    ', 'latin1')

/** A point on the curve of this key. Throws when it is none. */
function importPoint(point: Uint8Array, like: KeyObject): KeyObject {
  const namedCurve = detailsOf(like)?.namedCurve
  if (namedCurve !== undefined)
    return createPublicKey({ key: point, format: 'raw-public', asymmetricKeyType: 'ec', namedCurve })
  const native = point[0] === NATIVE_POINT ? point.subarray(1) : point
  return createPublicKey({ key: native, format: 'raw-public', asymmetricKeyType: 'x25519' })
}

function exportPoint(key: KeyObject): Uint8Array {
  const point = key.export({ format: 'raw-public' })
  return key.asymmetricKeyType === 'ec' ? point : concatBytes([Uint8Array.of(NATIVE_POINT), point])
}

/** A new pair on the same curve. */
function generateLike(key: KeyObject): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  const namedCurve = detailsOf(key)?.namedCurve
  return namedCurve === undefined ? generateKeyPairSync('x25519') : generateKeyPairSync('ec', { namedCurve })
}

/** PKCS #5: as many octets as are missing, each saying how many. */
function withPadding(octets: Uint8Array): Uint8Array {
  const missing = BLOCK_BYTES - (octets.length % BLOCK_BYTES)
  return concatBytes([octets, new Uint8Array(missing).fill(missing)])
}

function withoutPadding(octets: Uint8Array): Uint8Array | undefined {
  const count = octets.at(-1) ?? 0
  const end = octets.length - count
  if (count === 0 || end < 0 || octets.length % BLOCK_BYTES !== 0) return undefined
  return octets.subarray(end).every((octet) => octet === count) ? octets.subarray(0, end) : undefined
}
