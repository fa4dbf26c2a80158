/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) → a key that is safe to compute with, and what we call its algorithm. */
import { type KeyObject, createPublicKey } from 'node:crypto'
import { type Node, readOid } from './asn1/der-reader.ts'
import { TAG } from './asn1/tlv.ts'
import { Malformed } from '../malformed.ts'
import { expectTag, oidOf } from './asn1/der-fields.ts'

export const RSA_BITS_MAX = 8192
export const RSA_EXPONENT_MAX = 2n ** 64n // one signature check with a larger one costs as much as hundreds
export const DSA_BITS_MAX = 4096

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

export interface PublicKey {
  readonly key: KeyObject
  /** `rsa-2048`, `rsa-pss-2048`, `ec-p256`, `ec-brainpoolp256r1`, `ed25519`, `x25519`, `dsa-1024`, `ml-dsa-65` … */
  readonly algorithm: string
}

const SHORT_CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'p256',
  secp384r1: 'p384',
  secp521r1: 'p521',
}

/** Reads a SubjectPublicKeyInfo; throws Malformed for broken, unknown and outsized keys. */
export function readPublicKey(spki: Node): PublicKey {
  expectTag(spki, TAG.SEQUENCE, 'subjectPublicKeyInfo')
  const [oid, parameters] = expectTag(spki.children[0], TAG.SEQUENCE, 'public key algorithm').children
  // Explicit curve parameters let an attacker choose the base point (CVE-2020-0601); RFC 5480 §2.1.1 forbids them.
  if (
    oidOf(oid, 'public key algorithm') === EC_PUBLIC_KEY &&
    readOid(parameters?.content ?? new Uint8Array()) === undefined
  )
    throw new Malformed('elliptic curve is not a named one')
  const key = importSpki(spki.raw)
  return { key, algorithm: describeKey(key) }
}

function importSpki(der: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  } catch {
    throw new Malformed('public key is malformed or of an unknown kind')
  }
}

/**
 * Whether these are the same key. The types are compared first, because KeyObject.equals of two different ones leaves an
 * error behind in OpenSSL, for which the next createPrivateKey of an expanded ML-KEM or ML-DSA key then fails (Node 26.10).
 */
export const isSameKey = (one: KeyObject, other: KeyObject): boolean =>
  one.asymmetricKeyType === other.asymmetricKeyType && one.equals(other)

/** The name of a key's algorithm and size; throws Malformed for sizes beyond our limits. Works for private keys too. */
export function describeKey(key: KeyObject): string {
  const type: string = key.asymmetricKeyType ?? 'unknown'
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (type) {
    case 'rsa':
    case 'rsa-pss':
      if (modulusLength > RSA_BITS_MAX || publicExponent > RSA_EXPONENT_MAX) throw new Malformed('RSA key is too large')
      // with exponent 1 anybody signs; the others have no private key (RFC 8017 §3.1)
      if (publicExponent < 3n || publicExponent % 2n === 0n) throw new Malformed('RSA exponent is out of range')
      return `${type}-${modulusLength}`
    case 'dsa':
      if (modulusLength > DSA_BITS_MAX) throw new Malformed('DSA key is too large')
      return `dsa-${modulusLength}`
    case 'ec':
      if (namedCurve === undefined) throw new Malformed('elliptic curve is not a named one')
      return `ec-${SHORT_CURVES[namedCurve] ?? namedCurve.toLowerCase()}`
    default: // ed25519, x25519, ml-dsa-65 …: the type says it all
      return type
  }
}
