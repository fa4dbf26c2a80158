/** What every standard asks of a key: its name, its size, whether it is the same as another. */
import type { AsymmetricKeyDetails, KeyObject } from 'node:crypto'
import { Malformed } from './malformed.ts'

export const RSA_BITS_MAX = 8192
export const RSA_EXPONENT_MAX = 2n ** 64n // one signature check with a larger one costs as much as hundreds
export const DSA_BITS_MAX = 4096
/** Shorter ones prove and protect nothing any more. */
export const RSA_MODULUS_MIN_BITS = 2048

const SHORT_CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'p256',
  secp384r1: 'p384',
  secp521r1: 'p521',
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

const knownDetails = new WeakMap<KeyObject, AsymmetricKeyDetails | undefined>()

/** As KeyObject.asymmetricKeyDetails, which asks OpenSSL each time and so costs as much as parsing a signature. */
export function detailsOf(key: KeyObject): AsymmetricKeyDetails | undefined {
  if (!knownDetails.has(key)) knownDetails.set(key, key.asymmetricKeyDetails)
  return knownDetails.get(key)
}
