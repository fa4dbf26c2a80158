/** The algorithm's own part of a secret key (RFC 9580 §5.5.5, RFC 9980) ⇄ the private keys of node:crypto. */
import { type KeyObject, createPrivateKey, createPublicKey } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { isSameKey } from '../../key-object.ts'
import { Malformed, need } from '../../malformed.ts'
import { type PublicKeyRow, publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import { type Cursor, writeMpi } from '../packets/cursor.ts'
import { parseDer } from '../../smime/asn1/der-reader.ts'
import { integer, octetString, sequence, unsigned } from '../../smime/asn1/der-writer.ts'
import { fixed } from '../signatures/verify.ts'
import type { KeyPacket } from './key-packet.ts'
import { curveOf } from './public-material.ts'

/**
 * The private keys. Each is proven to belong to its public key, which stands outside of what the password protects: whoever
 * could change it there would else have signatures made with numbers of theirs. Throws Malformed.
 */
export function readSecretMaterial(packet: KeyPacket, cursor: Cursor): readonly KeyObject[] {
  const row = publicKeyAlgorithm(packet.algorithm)
  if (row === undefined || packet.publicKeys.length === 0) throw new Malformed('a secret key of an unknown kind')
  const handles = readHandles(row, packet, cursor)
  if (cursor.left > 0) throw new Malformed('the secret key is longer than its numbers')
  for (const [at, handle] of handles.entries())
    if (!isSameKey(createPublicKey(handle), packet.publicKeys[at] as KeyObject))
      throw new Malformed('the secret key is not the one of the public key')
  return handles
}

function readHandles({ layout }: PublicKeyRow, packet: KeyPacket, cursor: Cursor): readonly KeyObject[] {
  const publicKey = packet.publicKeys[0] as KeyObject
  switch (layout.kind) {
    case 'rsa':
      return [readRsa(publicKey, cursor)]
    case 'dsa':
    case 'elgamal':
      return [fromExponent(publicKey, cursor.mpi())]
    case 'ecdsa':
    case 'ecdh':
    case 'eddsa-legacy': {
      const { sizeBytes, type } = curveOf(publicKey)
      const number = fixed(cursor.mpi(), sizeBytes)
      // Curve25519Legacy has its octets in the order of a number, not of the curve (RFC 9580 §5.5.5.6.1.1)
      return [fromRaw(publicKey, type === 'x25519' ? number.toReversed() : number, 'raw-private')]
    }
    case 'native':
      return layout.parts.map(({ secretBytes, secretFormat }, at) =>
        fromRaw(packet.publicKeys[at] as KeyObject, cursor.take(secretBytes), secretFormat),
      )
  }
}

export function writeSecretMaterial({ algorithm }: KeyPacket, handles: readonly KeyObject[]): Uint8Array {
  const { layout } = publicKeyAlgorithm(algorithm) ?? {}
  const [handle] = handles
  if (handle === undefined) throw new TypeError('no private key to write')
  switch (layout?.kind) {
    case 'rsa':
      return writeRsa(handle)
    case 'dsa':
    case 'elgamal':
      return writeMpi(exponentOf(handle))
    case 'ecdsa':
    case 'ecdh':
    case 'eddsa-legacy': {
      const raw = handle.export({ format: 'raw-private' })
      return writeMpi(handle.asymmetricKeyType === 'x25519' ? raw.toReversed() : raw)
    }
    case 'native':
      return concatBytes(
        layout.parts.map(({ secretFormat }, at) => (handles[at] as KeyObject).export({ format: secretFormat })),
      )
    case undefined:
      throw new TypeError('a secret key of an unknown kind')
  }
}

/** The RFC's u is the inverse of p modulo q, so that q is what everybody else calls the first prime. */
function readRsa(publicKey: KeyObject, cursor: Cursor): KeyObject {
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  const [d, p, q, u] = [cursor.mpi(), cursor.mpi(), cursor.mpi(), cursor.mpi()].map(toNumber)
  const modulus = toNumber(Buffer.from(n, 'base64url'))
  const exponent = toNumber(Buffer.from(e, 'base64url'))
  if (d === undefined || p === undefined || q === undefined || u === undefined) throw new Malformed('no RSA key')
  const fits = p > 1n && q > 1n && p * q === modulus && (u * p) % q === 1n
  if (!fits || (d * exponent) % (p - 1n) !== 1n || (d * exponent) % (q - 1n) !== 1n)
    throw new Malformed('the secret key is not the one of the public key')
  const [dp, dq] = [d % (q - 1n), d % (p - 1n)]
  const numbers = { d: toText(d), p: toText(q), q: toText(p), dp: toText(dp), dq: toText(dq), qi: toText(u) }
  return imported(() => createPrivateKey({ key: { kty: 'RSA', n, e, ...numbers }, format: 'jwk' }))
}

/** Any secret key of node:crypto is written with its primes exchanged, which makes its coefficient the RFC's u. */
function writeRsa(handle: KeyObject): Uint8Array {
  const { d = '', p = '', q = '', qi = '' } = handle.export({ format: 'jwk' })
  return concatBytes([d, q, p, qi].map((number) => writeMpi(Buffer.from(number, 'base64url'))))
}

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`)

function toText(number: bigint): string {
  const digits = number.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex').toString('base64url')
}

function fromRaw(publicKey: KeyObject, key: Uint8Array, format: 'raw-private' | 'raw-seed'): KeyObject {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey
  if (asymmetricKeyType === undefined) throw new TypeError('not an asymmetric key')
  if (asymmetricKeyType === undefined) throw new TypeError('not an asymmetric key')
  const namedCurve = asymmetricKeyDetails?.namedCurve
  const curve = namedCurve === undefined ? {} : { namedCurve }
  return imported(() => createPrivateKey({ key, format, asymmetricKeyType, ...curve }))
}

/** DSA and Elgamal: PKCS #8 with the parameters of the public key. */
function fromExponent(publicKey: KeyObject, x: Uint8Array): KeyObject {
  const spki = parseDer(publicKey.export({ format: 'der', type: 'spki' }))
  const algorithm = need(spki.ok ? spki.value.children[0] : undefined, 'no parameters')
  const pkcs8 = sequence(integer(0), algorithm.raw, octetString(unsigned(x)))
  return imported(() => createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }))
}

function exponentOf(handle: KeyObject): Uint8Array {
  const pkcs8 = parseDer(handle.export({ format: 'der', type: 'pkcs8' }))
  const inside = pkcs8.ok ? parseDer(pkcs8.value.children[2]?.content ?? new Uint8Array()) : pkcs8
  if (!inside.ok) throw new TypeError('a private key that cannot be written')
  return inside.value.content
}

function imported(make: () => KeyObject): KeyObject {
  try {
    return make()
  } catch {
    throw new Malformed('secret key is malformed')
  }
}
