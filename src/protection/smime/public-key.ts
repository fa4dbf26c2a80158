/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) → a key that is safe to compute with, and what we call its algorithm. */
import { type KeyObject, createPublicKey } from 'node:crypto'
import { type Node, readOid } from './asn1/der-reader.ts'
import { TAG } from './asn1/tlv.ts'
import { describeKey } from '../key-object.ts'
import { Malformed } from '../malformed.ts'
import { expectTag, oidOf } from './asn1/der-fields.ts'

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

export interface PublicKey {
  readonly key: KeyObject
  /** `rsa-2048`, `rsa-pss-2048`, `ec-p256`, `ec-brainpoolp256r1`, `ed25519`, `x25519`, `dsa-1024`, `ml-dsa-65` … */
  readonly algorithm: string
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
