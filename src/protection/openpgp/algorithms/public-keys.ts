/** Public-key algorithms of OpenPGP (RFC 9580 §9.1, RFC 9980), one table row each. */
import type { Weakness } from '../../weakness.ts'

/** One key pair whose parts are written in the algorithm's own form, with fixed lengths; a composite has two. */
export interface NativePart {
  /** As node:crypto calls it. */
  readonly type: NativeType
  readonly publicBytes: number
  readonly secretBytes: number
  /** How node:crypto takes the secret part. */
  readonly secretFormat: 'raw-private' | 'raw-seed'
  /** Missing where it does not sign. */
  readonly signatureBytes?: number
}

export type NativeType =
  | 'ed25519'
  | 'ed448'
  | 'x25519'
  | 'x448'
  | 'ml-dsa-65'
  | 'ml-dsa-87'
  | 'ml-kem-768'
  | 'ml-kem-1024'
  | 'slh-dsa-shake-128s'
  | 'slh-dsa-shake-128f'
  | 'slh-dsa-shake-256s'

/** How the fields of keys and signatures are written. */
export type KeyLayout =
  | { readonly kind: 'rsa' | 'dsa' | 'elgamal' | 'ecdh' | 'ecdsa' | 'eddsa-legacy' }
  | { readonly kind: 'native'; readonly parts: readonly NativePart[] }

export interface PublicKeyRow {
  readonly id: number
  /** Without the size, which is the key's own. */
  readonly name: string
  readonly layout: KeyLayout
  readonly signs?: true
  readonly encrypts?: true
  /** Versions of key packets that it may stand in; all where nothing is said. */
  readonly keyVersions?: readonly number[]
  readonly weak?: Weakness
}

const ED25519 = nativePart('ed25519', 32, 32, 64)
const ED448 = nativePart('ed448', 57, 57, 114)
const X25519 = nativePart('x25519', 32, 32)
const X448 = nativePart('x448', 56, 56)
const ML_DSA_65 = seedPart('ml-dsa-65', 1952, 32, 3309)
const ML_DSA_87 = seedPart('ml-dsa-87', 2592, 32, 4627)
const ML_KEM_768 = seedPart('ml-kem-768', 1184, 64)
const ML_KEM_1024 = seedPart('ml-kem-1024', 1568, 64)

/** Everything of RFC 9980 is for version 6, but ML-KEM-768+X25519, which subkeys of version 4 may be too. */
const V6_ONLY = [6]

export const PUBLIC_KEY_ALGORITHMS: readonly PublicKeyRow[] = [
  { id: 1, name: 'rsa', layout: { kind: 'rsa' }, signs: true, encrypts: true },
  { id: 2, name: 'rsa-encrypt-only', layout: { kind: 'rsa' }, encrypts: true },
  { id: 3, name: 'rsa-sign-only', layout: { kind: 'rsa' }, signs: true },
  { id: 16, name: 'elgamal', layout: { kind: 'elgamal' }, encrypts: true, keyVersions: [4] },
  { id: 17, name: 'dsa', layout: { kind: 'dsa' }, signs: true, weak: { since: 2024, source: 'RFC 9580' } },
  { id: 18, name: 'ecdh', layout: { kind: 'ecdh' }, encrypts: true },
  { id: 19, name: 'ecdsa', layout: { kind: 'ecdsa' }, signs: true },
  { id: 22, name: 'eddsa-legacy', layout: { kind: 'eddsa-legacy' }, signs: true, keyVersions: [4] },
  { id: 25, name: 'x25519', layout: native(X25519), encrypts: true },
  { id: 26, name: 'x448', layout: native(X448), encrypts: true },
  { id: 27, name: 'ed25519', layout: native(ED25519), signs: true },
  { id: 28, name: 'ed448', layout: native(ED448), signs: true },
  {
    id: 30,
    name: 'ml-dsa-65+ed25519',
    layout: native(ED25519, ML_DSA_65),
    signs: true,
    keyVersions: V6_ONLY,
  },
  { id: 31, name: 'ml-dsa-87+ed448', layout: native(ED448, ML_DSA_87), signs: true, keyVersions: V6_ONLY },
  {
    id: 32,
    name: 'slh-dsa-shake-128s',
    layout: native(nativePart('slh-dsa-shake-128s', 32, 64, 7856)),
    signs: true,
    keyVersions: V6_ONLY,
  },
  {
    id: 33,
    name: 'slh-dsa-shake-128f',
    layout: native(nativePart('slh-dsa-shake-128f', 32, 64, 17_088)),
    signs: true,
    keyVersions: V6_ONLY,
  },
  {
    id: 34,
    name: 'slh-dsa-shake-256s',
    layout: native(nativePart('slh-dsa-shake-256s', 64, 128, 29_792)),
    signs: true,
    keyVersions: V6_ONLY,
  },
  { id: 35, name: 'ml-kem-768+x25519', layout: native(X25519, ML_KEM_768), encrypts: true },
  { id: 36, name: 'ml-kem-1024+x448', layout: native(X448, ML_KEM_1024), encrypts: true, keyVersions: V6_ONLY },
]

export const publicKeyAlgorithm = (id: number): PublicKeyRow | undefined =>
  PUBLIC_KEY_ALGORITHMS.find((row) => row.id === id)

function native(...parts: readonly NativePart[]): KeyLayout {
  return { kind: 'native', parts }
}

function nativePart(type: NativeType, publicBytes: number, secretBytes: number, signatureBytes?: number): NativePart {
  const lengths = { publicBytes, secretBytes, ...(signatureBytes === undefined ? {} : { signatureBytes }) }
  return { type, ...lengths, secretFormat: 'raw-private' }
}

/** ML-DSA and ML-KEM: the secret part is the seed from which the key is made. */
function seedPart(type: NativeType, publicBytes: number, secretBytes: number, signatureBytes?: number): NativePart {
  return { ...nativePart(type, publicBytes, secretBytes, signatureBytes), secretFormat: 'raw-seed' }
}
