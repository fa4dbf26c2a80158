/** The public keys of DKIM and ARC, as they stand in the DNS (RFC 6376 §3.6.1, RFC 8463 §4). */
import { type KeyObject, createPublicKey } from 'node:crypto'
import { type Result, fail, ok } from '../base/result.ts'
import type { DkimAlgorithm, DkimSignature } from './dkim-signature.ts'
import { base64Tag, colonList, parseTagList } from './tag-list.ts'

/** RFC 8301 §3.2: a verifier takes no shorter key. */
const RSA_BITS_MIN = 1_024
/** Longer keys cost their verifier more than they are worth. */
const RSA_BITS_MAX = 4_096
/** With an exponent as long as the modulus, to verify is as slow as to sign. */
const RSA_EXPONENT_MAX = 2n ** 32n
const ED25519_KEY_BYTES = 32
/** A record that holds more than the longest key we take. */
const RECORD_MAX_CHARS = 4_096

export interface DkimKey {
  readonly algorithm: DkimAlgorithm
  readonly key: KeyObject
  /** Signs for its own domain only, not for those below it (`t=s`). */
  readonly exactDomain: boolean
}

/** `permerror`: it is no key, or revoked. `policy`: one that we do not take. */
export interface BadKey {
  readonly result: 'permerror' | 'policy'
  readonly why: string
}

export function parseDkimKey(record: string): Result<DkimKey, BadKey> {
  const tags = record.length > RECORD_MAX_CHARS ? undefined : parseTagList(record)
  if (tags === undefined || (tags.get('v') ?? 'DKIM1') !== 'DKIM1') return noKey('the key record cannot be read')
  if (!colonList(tags.get('s') ?? '*').some((service) => service === '*' || service === 'email'))
    return noKey('the key is not for mail')
  if (!colonList(tags.get('h') ?? 'sha256').includes('sha256')) return noKey('the key is not for SHA-256')
  if (tags.get('p') === '') return noKey('the key is revoked')
  const encoded = base64Tag(tags.get('p'))
  if (encoded === undefined) return noKey('the key record has no key')
  const exactDomain = colonList(tags.get('t') ?? '').includes('s')
  switch (tags.get('k') ?? 'rsa') {
    case 'rsa':
      return rsaKey(encoded, exactDomain)
    case 'ed25519':
      return ed25519Key(encoded, exactDomain)
    default:
      return noKey('the kind of key is unknown')
  }
}

/** Whether the key may speak for this signature. */
export function keyFault({ algorithm, exactDomain }: DkimKey, signature: SignedBy): BadKey | undefined {
  if (algorithm !== signature.algorithm) return { result: 'permerror', why: 'the key is of another algorithm' }
  if (exactDomain && signature.identityDomain !== signature.domain)
    return { result: 'permerror', why: 'the key is not for subdomains' }
  return undefined
}

type SignedBy = Pick<DkimSignature, 'algorithm' | 'domain' | 'identityDomain'>

const noKey = (why: string): { readonly ok: false; readonly error: BadKey } => fail({ result: 'permerror', why })

/** SubjectPublicKeyInfo as all write it, or the RSAPublicKey that RFC 6376 §3.6.1 names. */
function rsaKey(der: Uint8Array, exactDomain: boolean): Result<DkimKey, BadKey> {
  const key = readRsa(der, 'spki') ?? readRsa(der, 'pkcs1')
  const { modulusLength = 0, publicExponent = 0n } = key?.asymmetricKeyDetails ?? {}
  if (key === undefined) return noKey('the key cannot be read')
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX || publicExponent > RSA_EXPONENT_MAX)
    return fail({ result: 'policy', why: `${modulusLength}-bit key` })
  return ok({ algorithm: 'rsa-sha256', key, exactDomain })
}

function readRsa(der: Uint8Array, type: 'spki' | 'pkcs1'): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type })
    return key.asymmetricKeyType === 'rsa' ? key : undefined
  } catch {
    return undefined // whatever the DNS has there
  }
}

function ed25519Key(raw: Uint8Array, exactDomain: boolean): Result<DkimKey, BadKey> {
  if (raw.length !== ED25519_KEY_BYTES) return noKey('the key cannot be read')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }
  return ok({ algorithm: 'ed25519-sha256', key: createPublicKey({ key: jwk, format: 'jwk' }), exactDomain })
}
