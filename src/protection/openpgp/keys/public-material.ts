/** The algorithm's own part of a public key (RFC 9580 §5.5.5, RFC 9980), and the key that node:crypto makes of it. */
import { type KeyObject, createPublicKey } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { DSA_BITS_MAX, describeKey } from '../../key-object.ts'
import { Malformed } from '../../malformed.ts'
import { bitString, oid, sequence, unsigned } from '../../smime/asn1/der-writer.ts'
import { type Curve, CURVE25519_LEGACY, ED25519_LEGACY, curveByName, curveByOid } from '../algorithms/curves.ts'
import type { NativePart, PublicKeyRow } from '../algorithms/public-keys.ts'
import { type Cursor, writeMpi } from '../packets/cursor.ts'

/** What the key derivation of ECDH takes from the key (RFC 9580 §11.5). */
export interface EcdhParameters {
  /** Content octets of the curve's object identifier. */
  readonly curve: Uint8Array
  /** Hash and cipher of the derivation, by their numbers. */
  readonly hash: number
  readonly cipher: number
}

export interface PublicMaterial {
  readonly keys: readonly KeyObject[]
  /** `rsa-2048`, `ec-p256`, `ed25519` … */
  readonly name: string
  readonly ecdh?: EcdhParameters
}

/** In front of a point in the curve's own form (RFC 9580 §11.2.2), and of x and y. */
export const NATIVE_POINT = 0x40
const UNCOMPRESSED_POINT = 0x04
/** Version of the derivation's parameters, and how many octets they have (RFC 9580 §5.5.5.6). */
const KDF_VERSION = 1
const KDF_BYTES = 3

const OID_DSA = oid('1.2.840.10040.4.1')
/** dhKeyAgreement of PKCS #3: a prime and a generator, which is what an Elgamal key is. */
export const OID_DH = oid('1.2.840.113549.1.3.1')

/** `undefined` for curves that are not ours. Throws Malformed for broken and outsized keys. */
export function readPublicMaterial({ layout, name }: PublicKeyRow, cursor: Cursor): PublicMaterial | undefined {
  switch (layout.kind) {
    case 'rsa':
      return named(rsaKey(cursor.mpi(), cursor.mpi()))
    case 'dsa':
      return named(readDsa(cursor))
    case 'elgamal':
      return readElgamal(cursor)
    case 'ecdsa':
    case 'eddsa-legacy':
    case 'ecdh':
      return readOnCurve(layout.kind, cursor)
    case 'native':
      return { keys: layout.parts.map((part) => readNative(part, cursor)), name }
  }
}

export function writePublicMaterial({ layout }: PublicKeyRow, keys: readonly KeyObject[]): Uint8Array {
  if (layout.kind === 'native') return concatBytes(keys.map((key) => key.export({ format: 'raw-public' })))
  const [key] = keys
  if (key === undefined || keys.length > 1) throw new TypeError('one key is one key')
  switch (layout.kind) {
    case 'ecdsa':
    case 'eddsa-legacy':
      return writeOnCurve(key)
    case 'ecdh':
      return concatBytes([writeOnCurve(key), Uint8Array.of(KDF_BYTES, KDF_VERSION, ...derivationFor(key))])
    case 'rsa': {
      const { n = '', e = '' } = key.export({ format: 'jwk' })
      return concatBytes([n, e].map((number) => writeMpi(Buffer.from(number, 'base64url'))))
    }
    case 'dsa':
    case 'elgamal':
      throw new TypeError('no key of this kind is made any more')
  }
}

export function rsaKey(n: Uint8Array, e: Uint8Array): KeyObject {
  const number = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  return imported(() => createPublicKey({ key: { kty: 'RSA', n: number(n), e: number(e) }, format: 'jwk' }))
}

function readDsa(cursor: Cursor): KeyObject {
  const [p, q, g, y] = [cursor.mpi(), cursor.mpi(), cursor.mpi(), cursor.mpi()]
  if (p.length * 8 > DSA_BITS_MAX) throw new Malformed('DSA key is too large')
  return fromSpki(sequence(OID_DSA, sequence(unsigned(p), unsigned(q), unsigned(g))), y)
}

function readElgamal(cursor: Cursor): PublicMaterial {
  const [p, g, y] = [cursor.mpi(), cursor.mpi(), cursor.mpi()]
  if (p.length * 8 > DSA_BITS_MAX) throw new Malformed('Elgamal key is too large')
  const bits = p.length * 8 - Math.clz32(p[0] ?? 0) + 24
  return { keys: [fromSpki(sequence(OID_DH, sequence(unsigned(p), unsigned(g))), y)], name: `elgamal-${bits}` }
}

const CURVES_OF: Readonly<Record<OnCurve, readonly Curve['type'][]>> = {
  ecdsa: ['ec'],
  'eddsa-legacy': ['ed25519'],
  ecdh: ['ec', 'x25519'],
}

type OnCurve = 'ecdsa' | 'eddsa-legacy' | 'ecdh'

function readOnCurve(kind: OnCurve, cursor: Cursor): PublicMaterial | undefined {
  const oidBytes = cursor.take(cursor.u8())
  const curve = curveByOid(oidBytes)
  if (curve === undefined || !CURVES_OF[kind].includes(curve.type)) return undefined
  const material = named(pointKey(curve, cursor.mpi()))
  if (kind !== 'ecdh') return material
  const [length, version, hash, cipher] = [cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8()]
  if (length !== KDF_BYTES || version !== KDF_VERSION) throw new Malformed('ECDH parameters are malformed')
  return { ...material, ecdh: { curve: oidBytes, hash, cipher } }
}

function pointKey({ type, namedCurve, sizeBytes }: Curve, point: Uint8Array): KeyObject {
  const [form, length] = type === 'ec' ? [UNCOMPRESSED_POINT, 2 * sizeBytes] : [NATIVE_POINT, sizeBytes]
  if (point[0] !== form || point.length !== 1 + length) throw new Malformed('the point of the key is malformed')
  return type === 'ec'
    ? imported(() => createPublicKey({ key: point, format: 'raw-public', asymmetricKeyType: 'ec', namedCurve }))
    : imported(() => createPublicKey({ key: point.subarray(1), format: 'raw-public', asymmetricKeyType: type }))
}

function writeOnCurve(key: KeyObject): Uint8Array {
  const curve = curveOf(key)
  const curveOid = Buffer.from(curve.oid, 'hex')
  const point = key.export({ format: 'raw-public' })
  const written = curve.type === 'ec' ? point : concatBytes([Uint8Array.of(NATIVE_POINT), point])
  return concatBytes([Uint8Array.of(curveOid.length), curveOid, writeMpi(written)])
}

/** The curve of a key that is written with a curve's name. */
export function curveOf(key: KeyObject): Curve {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const curve =
    type === 'ed25519' ? ED25519_LEGACY : type === 'x25519' ? CURVE25519_LEGACY : curveByName(details?.namedCurve)
  if (curve === undefined) throw new TypeError(`${type ?? 'this'} is no curve of OpenPGP`)
  return curve
}

/** Hash and cipher, as strong as the curve (RFC 9580 §11.5.1). */
function derivationFor(key: KeyObject): readonly [hash: number, cipher: number] {
  const { sizeBytes } = curveOf(key)
  return sizeBytes <= 32 ? [8, 7] : sizeBytes <= 48 ? [9, 8] : [10, 9]
}

function readNative({ type, publicBytes }: NativePart, cursor: Cursor): KeyObject {
  const key = cursor.take(publicBytes)
  return imported(() => createPublicKey({ key, format: 'raw-public', asymmetricKeyType: type }))
}

function fromSpki(algorithm: Uint8Array, y: Uint8Array): KeyObject {
  const spki = sequence(algorithm, bitString(unsigned(y)))
  return imported(() => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }))
}

const named = (key: KeyObject): PublicMaterial => ({ keys: [key], name: describeKey(key) })

function imported(make: () => KeyObject): KeyObject {
  try {
    return make()
  } catch {
    throw new Malformed('public key is malformed')
  }
}
