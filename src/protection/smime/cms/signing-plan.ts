/** Which algorithms a key signs with, and the signature itself: one row per kind of key. */
import { type KeyObject, constants, sign } from 'node:crypto'
import { oid, sequence, NULL } from '../asn1/der-writer.ts'
import type { SigningChoice } from '../../standard.ts'
import {
  type Digest,
  type DigestName,
  RSA_ENCRYPTION,
  detailsOf,
  digestByName,
  pssAlgorithmDer,
} from '../algorithms.ts'

export interface SigningPlan {
  /** Of the content, and in `micalg`. */
  readonly digest: Digest
  /** DER of SignerInfo.signatureAlgorithm. */
  readonly algorithm: Uint8Array
  sign(message: Uint8Array, key: KeyObject): Uint8Array
}

/** Curves and the digest of matching strength (RFC 8551 §2.2, RFC 5753 §8). */
const ECDSA: Readonly<Record<string, DigestName>> = { prime256v1: 'sha256', secp384r1: 'sha384', secp521r1: 'sha512' }
const ECDSA_OIDS = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
} as const
const ED25519 = '1.3.101.112'

/** Throws for keys that cannot sign mail: they are refused where they are made or imported. */
export function planSignature(key: KeyObject, choice: SigningChoice): SigningPlan {
  const type: string = key.asymmetricKeyType ?? 'none'
  switch (type) {
    case 'rsa':
      return choice.signature === 'rsa-pss' ? pssPlan(choice) : pkcs1Plan(choice)
    case 'rsa-pss':
      return pssPlan(choice)
    case 'ec':
      return ecdsaPlan(detailsOf(key)?.namedCurve ?? '', choice)
    case 'ed25519':
      return ED25519_PLAN
    default:
      throw new TypeError(`a key of type ${type} cannot sign mail`)
  }
}

function pkcs1Plan(choice: SigningChoice): SigningPlan {
  const digest = digestByName(choice.digest ?? 'sha256')
  return {
    digest,
    algorithm: sequence(oid(RSA_ENCRYPTION), NULL), // RFC 3370 §3.2: this OID is the one everybody must know
    sign: (message, key) => sign(digest.name, message, key),
  }
}

function pssPlan(choice: SigningChoice): SigningPlan {
  const digest = digestByName(choice.digest ?? 'sha256')
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digest.lengthBytes }
  return {
    digest,
    algorithm: pssAlgorithmDer(digest),
    sign: (message, key) => sign(digest.name, message, { key, ...options }),
  }
}

function ecdsaPlan(curve: string, choice: SigningChoice): SigningPlan {
  const usual = ECDSA[curve]
  if (usual === undefined) throw new TypeError(`a key on curve ${curve} cannot sign mail`)
  const name = choice.digest ?? usual
  if (name === 'sha1' || name === 'sha224') throw new TypeError(`${name} is not signed with`)
  return {
    digest: digestByName(name),
    algorithm: sequence(oid(ECDSA_OIDS[name])), // parameters absent (RFC 5754 §3.3)
    sign: (message, key) => sign(name, message, { key, dsaEncoding: 'der' }),
  }
}

/** RFC 8419: the content's digest is SHA-512 whatever is chosen; the signature is PureEdDSA over the attributes. */
const ED25519_PLAN: SigningPlan = {
  digest: digestByName('sha512'),
  algorithm: sequence(oid(ED25519)),
  sign: (message, key) => sign(undefined, message, key),
}
