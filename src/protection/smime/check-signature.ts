/** The one place where a signature is checked, of a message, a certificate or a revocation list. */
import { type KeyObject, verify } from 'node:crypto'
import { type Result, fail, ok } from '../../base/result.ts'
import { type AlgorithmId, type Digest, digestByName, isAbsentOrNull } from './algorithms.ts'
import { type PssParameters, allowsParameters, readPssParameters, shakePss, verifyPss } from './pss.ts'
import { type SignatureRow, ecdsaCurveOf, signatureRow } from './signature-algorithms.ts'
import { RSA_BITS_MAX, RSA_MODULUS_MIN_BITS, detailsOf } from '../key-object.ts'
import type { SignatureProblem } from '../weakness.ts'

export interface SignatureInput {
  readonly algorithm: AlgorithmId
  /** The digest named beside the signature (SignerInfo); must agree with the algorithm where that names one too. */
  readonly digest?: Digest
  readonly key: KeyObject
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** Lets weak algorithms and short keys pass: archives and test suites only. */
  readonly allowWeak?: boolean
}

/**
 * Checks one signature. `ok` carries the algorithm's name, such as `rsa-sha256`, `rsa-pss-sha256`, `ecdsa-sha384`,
 * `ed25519`, `ml-dsa-65`; the error is one sentence. Never throws on foreign bytes.
 */
export function verifySignature(input: SignatureInput): Result<string> {
  const checked = checkSignature(input)
  return checked.ok ? checked : fail(checked.error.why)
}

/** `verifySignature` that also says which kind of problem it was. */
export function checkSignature(input: SignatureInput): Result<string, SignatureProblem> {
  const resolved = resolve(input.algorithm, input.digest)
  if (!resolved.ok) return resolved
  const problem = unfitKey(resolved.value, input.key)
  if (problem !== undefined) return fail(problem)
  if (input.allowWeak !== true) {
    const weakness = findWeakness(resolved.value, input.key)
    if (weakness !== undefined) return fail({ kind: 'weak', why: weakness })
  }
  return matches(resolved.value, input) ? ok(nameOf(resolved.value)) : wrong('the signature does not match')
}

/** Name for reports of an algorithm that may be unknown or wrongly used; then its OID. */
export function describeSignature(algorithm: AlgorithmId, digest: Digest | undefined): string {
  const resolved = resolve(algorithm, digest)
  return resolved.ok ? nameOf(resolved.value) : algorithm.oid
}

/** The algorithm takes the message itself: where nothing else is hashed, the digest beside it says nothing. */
export const isPure = (algorithm: AlgorithmId): boolean => signatureRow(algorithm.oid)?.scheme === 'pure'

/** A key of this kind can make such a signature. */
export const fitsKey = (algorithm: AlgorithmId, key: KeyObject): boolean =>
  signatureRow(algorithm.oid)?.keyTypes.includes(key.asymmetricKeyType ?? 'none') === true

function nameOf({ row, digest }: Resolved): string {
  const name = digest?.name ?? 'unknown'
  switch (row.scheme) {
    case 'rsa-pkcs1':
      return `rsa-${name}`
    case 'rsa-pss':
    case 'ecdsa':
    case 'dsa':
      return `${row.scheme}-${name}`
    case 'pure':
      return row.keyTypes.join()
  }
}

interface Resolved {
  readonly row: SignatureRow
  /** What the signature algorithm hashes with; missing where it is pure. */
  readonly digest?: Digest
  readonly pss?: PssParameters
}

const wrong = (why: string): Result<never, SignatureProblem> => fail({ kind: 'wrong', why })
const unsupported = (why: string): Result<never, SignatureProblem> => fail({ kind: 'unsupported', why })

function resolve(algorithm: AlgorithmId, beside: Digest | undefined): Result<Resolved, SignatureProblem> {
  const row = signatureRow(algorithm.oid)
  if (row === undefined) return unsupported(`unknown signature algorithm ${algorithm.oid}`)
  const named = namedIn(row, algorithm)
  if (!named.ok) return named
  if (row.scheme === 'pure') return ok({ row })
  const digest = named.value.digest ?? beside
  if (digest === undefined) return unsupported('the signature algorithm names no digest')
  if (beside !== undefined && beside !== digest) return wrong('the digest is not the one of the signature algorithm')
  return ok({ ...named.value, row, digest })
}

/** What the row and the parameters say together. */
function namedIn(row: SignatureRow, algorithm: AlgorithmId): Result<Omit<Resolved, 'row'>, SignatureProblem> {
  if (row.parameters === 'pss') {
    const pss = readPssParameters(algorithm.parameters)
    return pss.ok ? ok({ digest: pss.value.digest, pss: pss.value }) : unsupported(pss.error)
  }
  const fits = row.parameters === 'absent' ? algorithm.parameters === undefined : isAbsentOrNull(algorithm)
  if (!fits) return wrong('unexpected parameters of the signature algorithm')
  if (row.digest === undefined) return ok({})
  const digest = digestByName(row.digest)
  return ok(row.scheme === 'rsa-pss' ? { digest, pss: shakePss(digest) } : { digest })
}

function unfitKey({ row, pss }: Resolved, key: KeyObject): SignatureProblem | undefined {
  const type = key.asymmetricKeyType ?? 'none'
  if (!row.keyTypes.includes(type))
    return { kind: 'wrong', why: `a key of type ${type} cannot make this kind of signature` }
  if (row.scheme === 'ecdsa' && ecdsaCurveOf(key) === undefined)
    return { kind: 'unsupported', why: 'unknown elliptic curve' }
  if (row.keyTypes.includes('rsa') && (detailsOf(key)?.modulusLength ?? 0) > RSA_BITS_MAX)
    return { kind: 'unsupported', why: 'RSA key too large' }
  if (pss !== undefined && !allowsParameters(key, pss))
    return { kind: 'wrong', why: 'the key is for other RSASSA-PSS parameters' }
  return undefined
}

function findWeakness({ row, digest, pss }: Resolved, key: KeyObject): string | undefined {
  if (row.weak !== undefined) return `${row.scheme.toUpperCase()} is too weak`
  for (const each of [digest, pss?.mask]) if (each?.weak !== undefined) return `${each.name} is too weak`
  const bits = row.keyTypes.includes('rsa') ? detailsOf(key)?.modulusLength : undefined
  return bits !== undefined && bits < RSA_MODULUS_MIN_BITS ? `an RSA key of ${bits} bits is too weak` : undefined
}

function matches({ row, digest, pss }: Resolved, { key, message, signature }: SignatureInput): boolean {
  try {
    switch (row.scheme) {
      case 'rsa-pkcs1':
        return verify(digest?.name, message, key, signature)
      case 'rsa-pss':
        return pss !== undefined && verifyPss(key, message, signature, pss)
      case 'ecdsa':
      case 'dsa':
        return verify(digest?.name, message, { key, dsaEncoding: 'der' }, signature)
      case 'pure':
        return verify(undefined, message, key, signature)
    }
  } catch {
    return false // OpenSSL throws on some keys and lengths (an absurd salt, a number beyond the modulus)
  }
}
