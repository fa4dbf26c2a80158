/** Which algorithms a key signs mail with, and the signature itself: one row per kind of key. */
import { type KeyObject, constants, sign } from 'node:crypto'
import type { SigningChoice } from '../../standard.ts'
import { type Digest, RSA_ENCRYPTION, digestAlgorithmDer, digestByName, shake256LenDer } from '../algorithms.ts'
import { NULL, oid, sequence } from '../asn1/der-writer.ts'
import { pssAlgorithmDer } from '../pss.ts'
import { SIGNATURES, ecdsaCurveOf } from '../signature-algorithms.ts'

export interface SigningPlan {
  /** Of the content, and in `micalg`. */
  readonly digest: Digest
  /** DER of SignerInfo.digestAlgorithm. */
  readonly digestAlgorithm: Uint8Array
  /** DER of SignerInfo.signatureAlgorithm. */
  readonly algorithm: Uint8Array
  sign(message: Uint8Array, key: KeyObject): Uint8Array
}

/** Throws for keys that cannot sign mail: they are refused where they are made or imported. */
export function planSignature(key: KeyObject, choice: SigningChoice): SigningPlan {
  const type: string = key.asymmetricKeyType ?? 'none'
  switch (type) {
    case 'rsa':
      return choice.signature === 'rsa-pss' ? pssPlan(choice) : pkcs1Plan(choice)
    case 'rsa-pss':
      return pssPlan(choice)
    case 'ec':
      return ecdsaPlan(key, choice)
    default:
      return purePlan(type)
  }
}

function pkcs1Plan(choice: SigningChoice): SigningPlan {
  const digest = digestByName(choice.digest ?? 'sha256')
  return {
    digest,
    digestAlgorithm: digestAlgorithmDer(digest),
    algorithm: sequence(oid(RSA_ENCRYPTION), NULL), // RFC 3370 §3.2: this OID is the one everybody must know
    sign: (message, key) => sign(digest.name, message, key),
  }
}

function pssPlan(choice: SigningChoice): SigningPlan {
  const digest = digestByName(choice.digest ?? 'sha256')
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digest.lengthBytes }
  return {
    digest,
    digestAlgorithm: digestAlgorithmDer(digest),
    algorithm: pssAlgorithmDer(digest),
    sign: (message, key) => sign(digest.name, message, { key, ...options }),
  }
}

/** A digest shorter than the curve asks for is never used (RFC 5753 §8). */
function ecdsaPlan(key: KeyObject, choice: SigningChoice): SigningPlan {
  const curve = ecdsaCurveOf(key)
  if (curve === undefined) throw new TypeError('a key on this elliptic curve cannot sign mail')
  const [usual, chosen] = [digestByName(curve.digest), digestByName(choice.digest ?? curve.digest)]
  const digest = chosen.lengthBytes > usual.lengthBytes ? chosen : usual
  const row = SIGNATURES.find((each) => each.scheme === 'ecdsa' && each.digest === digest.name && each.signs === true)
  if (row === undefined) throw new TypeError('a key on this elliptic curve cannot sign mail')
  return {
    digest,
    digestAlgorithm: digestAlgorithmDer(digest),
    algorithm: sequence(oid(row.oid)), // parameters absent (RFC 5754 §3.3)
    sign: (message, signingKey) => sign(digest.name, message, { key: signingKey, dsaEncoding: 'der' }),
  }
}

/**
 * The content's digest is the one that the RFCs name, whatever is chosen: SHA-512, which every reader of these must know
 * (RFC 8419 §3.1 for Ed25519, RFC 9882 §3.3), and SHAKE256 for Ed448. The attributes are signed unhashed.
 */
function purePlan(type: string): SigningPlan {
  const row = SIGNATURES.find((each) => each.scheme === 'pure' && each.keyTypes.includes(type) && each.signs === true)
  if (row === undefined) throw new TypeError(`a key of type ${type} cannot sign mail`)
  const digest = digestByName(type === 'ed448' ? 'shake256' : 'sha512')
  return {
    digest,
    digestAlgorithm: type === 'ed448' ? shake256LenDer() : digestAlgorithmDer(digest),
    algorithm: sequence(oid(row.oid)),
    sign: (message, key) => sign(undefined, message, key),
  }
}
