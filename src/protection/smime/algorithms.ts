/**
 * Digests and signature algorithms of X.509 and CMS, one table row each, and the one place where a signature is
 * checked. RFC 3370, RFC 4055, RFC 5754, RFC 5758, RFC 8410, RFC 8419.
 */
import assert from 'node:assert/strict'
import { type AsymmetricKeyDetails, type KeyObject, constants, verify } from 'node:crypto'
import { type Result, fail, ok } from '../../base/result.ts'
import { type Node, parseDer, readOid, readSmallInteger } from './asn1/der-reader.ts'
import { NULL, contextTagged, integer, oid, sequence } from './asn1/der-writer.ts'
import { TAG, contextConstructed } from './asn1/tlv.ts'

/** AlgorithmIdentifier (RFC 5280 §4.1.1.2). `parameters` is their whole DER; missing when absent. */
export interface AlgorithmId {
  readonly oid: string
  readonly parameters?: Uint8Array
}

export type DigestName = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

export interface Digest {
  readonly oid: string
  /** As node:crypto calls it. */
  readonly name: DigestName
  readonly lengthBytes: number
  /** Word of the `micalg` parameter of multipart/signed (RFC 8551 §3.5.3.2). */
  readonly micalg: string
  readonly weak: boolean
}

/** MD5 and older are deliberately absent: no policy makes them valid. */
export const DIGESTS: readonly Digest[] = [
  { oid: '2.16.840.1.101.3.4.2.1', name: 'sha256', lengthBytes: 32, micalg: 'sha-256', weak: false },
  { oid: '2.16.840.1.101.3.4.2.2', name: 'sha384', lengthBytes: 48, micalg: 'sha-384', weak: false },
  { oid: '2.16.840.1.101.3.4.2.3', name: 'sha512', lengthBytes: 64, micalg: 'sha-512', weak: false },
  { oid: '2.16.840.1.101.3.4.2.4', name: 'sha224', lengthBytes: 28, micalg: 'sha-224', weak: false },
  { oid: '1.3.14.3.2.26', name: 'sha1', lengthBytes: 20, micalg: 'sha-1', weak: true },
]

export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
export const RSASSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'

export type SignatureScheme = 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'eddsa'

export interface SignatureRow {
  readonly oid: string
  readonly scheme: SignatureScheme
  /** Missing where the parameters (PSS) or the SignerInfo (rsaEncryption) say it. */
  readonly digest?: DigestName
  /** Value of KeyObject.asymmetricKeyType that fits. */
  readonly keyTypes: readonly string[]
}

const RSA = ['rsa']
const EC = ['ec']
export const SIGNATURES: readonly SignatureRow[] = [
  { oid: RSA_ENCRYPTION, scheme: 'rsa-pkcs1', keyTypes: RSA },
  { oid: '1.2.840.113549.1.1.11', scheme: 'rsa-pkcs1', digest: 'sha256', keyTypes: RSA },
  { oid: '1.2.840.113549.1.1.12', scheme: 'rsa-pkcs1', digest: 'sha384', keyTypes: RSA },
  { oid: '1.2.840.113549.1.1.13', scheme: 'rsa-pkcs1', digest: 'sha512', keyTypes: RSA },
  { oid: '1.2.840.113549.1.1.14', scheme: 'rsa-pkcs1', digest: 'sha224', keyTypes: RSA },
  { oid: '1.2.840.113549.1.1.5', scheme: 'rsa-pkcs1', digest: 'sha1', keyTypes: RSA },
  { oid: '1.3.14.3.2.29', scheme: 'rsa-pkcs1', digest: 'sha1', keyTypes: RSA },
  { oid: RSASSA_PSS, scheme: 'rsa-pss', keyTypes: ['rsa', 'rsa-pss'] },
  { oid: '1.2.840.10045.4.3.2', scheme: 'ecdsa', digest: 'sha256', keyTypes: EC },
  { oid: '1.2.840.10045.4.3.3', scheme: 'ecdsa', digest: 'sha384', keyTypes: EC },
  { oid: '1.2.840.10045.4.3.4', scheme: 'ecdsa', digest: 'sha512', keyTypes: EC },
  { oid: '1.2.840.10045.4.3.1', scheme: 'ecdsa', digest: 'sha224', keyTypes: EC },
  { oid: '1.2.840.10045.4.1', scheme: 'ecdsa', digest: 'sha1', keyTypes: EC },
  { oid: '1.3.101.112', scheme: 'eddsa', keyTypes: ['ed25519'] },
  { oid: '1.3.101.113', scheme: 'eddsa', keyTypes: ['ed448'] },
]

/** Curves (as OpenSSL names them) that ECDSA and ECDH are done on. */
export const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']

export const RSA_MODULUS_MIN_BITS = 2048
/** OpenSSL's own limit is 16,384; a public operation of that size already costs milliseconds. */
export const RSA_MODULUS_MAX_BITS = 8192

const digestsByOid = new Map(DIGESTS.map((row) => [row.oid, row]))
const signaturesByOid = new Map(SIGNATURES.map((row) => [row.oid, row]))

export const digestByOid = (dotted: string): Digest | undefined => digestsByOid.get(dotted)
export function digestByName(name: DigestName): Digest {
  const row = DIGESTS.find((digest) => digest.name === name)
  assert(row !== undefined)
  return row
}

/** Reads an AlgorithmIdentifier that `parseDer` has parsed. */
export function readAlgorithm(node: Node): Result<AlgorithmId> {
  const [id, parameters, more] = node.children
  if (node.tag !== TAG.SEQUENCE || id?.tag !== TAG.OID || more !== undefined)
    return fail('malformed AlgorithmIdentifier')
  const dotted = readOid(id.content)
  if (dotted === undefined) return fail('malformed OBJECT IDENTIFIER')
  return ok(parameters === undefined ? { oid: dotted } : { oid: dotted, parameters: parameters.raw })
}

export interface SignatureInput {
  readonly algorithm: AlgorithmId
  /** The digest named beside the signature (SignerInfo); must agree with the algorithm where that names one too. */
  readonly digestOid?: string
  readonly key: KeyObject
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** Lets SHA-1 and RSA below 2048 bits pass: archives and test suites only. */
  readonly allowWeak?: boolean
}

/**
 * Why a signature was not accepted. `wrong`: what was signed, or the signature, was changed, or contradicts itself;
 * `weak` and `unsupported`: it may be right, and still proves nothing to us.
 */
export interface SignatureProblem {
  readonly kind: 'wrong' | 'weak' | 'unsupported'
  readonly why: string
}

/**
 * Checks one signature. `ok` carries the algorithm's name, such as `rsa-sha256`, `rsa-pss-sha256`, `ecdsa-sha384`,
 * `ed25519`; the error is one sentence. Never throws on foreign bytes.
 */
export function verifySignature(input: SignatureInput): Result<string> {
  const checked = checkSignature(input)
  return checked.ok ? checked : fail(checked.error.why)
}

/** `verifySignature` that also says which kind of problem it was. */
export function checkSignature(input: SignatureInput): Result<string, SignatureProblem> {
  const resolved = resolveSignature(input.algorithm, input.digestOid)
  if (!resolved.ok) return resolved
  const { row, digest, saltLengthBytes } = resolved.value
  const keyProblem = unfitKey(row, input.key)
  if (keyProblem !== undefined) return fail(keyProblem)
  if (input.allowWeak !== true) {
    const weakness = findWeakness(digest, input.key)
    if (weakness !== undefined) return fail({ kind: 'weak', why: weakness })
  }
  return matches(row, digest, saltLengthBytes, input)
    ? ok(signatureName(row, digest))
    : fail({ kind: 'wrong', why: 'the signature does not match' })
}

/** Name for reports of an algorithm that may be unknown or wrongly used; then its OID. */
export function describeSignature(algorithm: AlgorithmId, digestOid: string): string {
  const resolved = resolveSignature(algorithm, digestOid)
  return resolved.ok ? signatureName(resolved.value.row, resolved.value.digest) : algorithm.oid
}

/** Name for reports; the digest is left out for EdDSA, which brings its own. */
export function signatureName(row: SignatureRow, digest: Digest | undefined): string {
  switch (row.scheme) {
    case 'rsa-pkcs1':
      return `rsa-${digest?.name ?? 'unknown'}`
    case 'rsa-pss':
    case 'ecdsa':
      return `${row.scheme}-${digest?.name ?? 'unknown'}`
    case 'eddsa':
      return row.keyTypes.join()
  }
}

/** The DER AlgorithmIdentifier of a digest: parameters absent (RFC 5754 §2). */
export const digestAlgorithmDer = (digest: Digest): Uint8Array => sequence(oid(digest.oid))

/** RSASSA-PSS-params (RFC 4055 §3.1) with MGF1 over the same digest and a salt as long as the digest. */
export function pssAlgorithmDer(digest: Digest): Uint8Array {
  // RFC 4055 §2.1: hash identifiers inside the PSS and OAEP parameters carry NULL.
  const hash = sequence(oid(digest.oid), NULL)
  const parameters = sequence(
    contextTagged(0, hash),
    contextTagged(1, sequence(oid(MGF1), hash)),
    contextTagged(2, integer(digest.lengthBytes)),
  )
  return sequence(oid(RSASSA_PSS), parameters)
}

/** MGF1 AlgorithmIdentifier → its digest; `undefined` when it is something else. Used by PSS and OAEP. */
export function readMgf1(node: Node | undefined): Digest | undefined {
  const algorithm = node === undefined ? undefined : readAlgorithm(node)
  if (algorithm?.ok !== true || algorithm.value.oid !== MGF1) return undefined
  const hash = node?.children[1]
  return hash === undefined ? undefined : readDigestAlgorithm(hash)
}

/** Digest AlgorithmIdentifier with parameters NULL or absent; `undefined` when unknown or malformed. */
export function readDigestAlgorithm(node: Node): Digest | undefined {
  const algorithm = readAlgorithm(node)
  return algorithm.ok && isAbsentOrNull(algorithm.value) ? digestByOid(algorithm.value.oid) : undefined
}

export const isAbsentOrNull = ({ parameters }: AlgorithmId): boolean =>
  parameters === undefined || (parameters.length === 2 && parameters[0] === TAG.NULL)

interface ResolvedSignature {
  readonly row: SignatureRow
  /** What the signature algorithm hashes with; missing for EdDSA. */
  readonly digest?: Digest
  readonly saltLengthBytes?: number
}

const wrong = (why: string): Result<never, SignatureProblem> => fail({ kind: 'wrong', why })
const unsupported = (why: string): Result<never, SignatureProblem> => fail({ kind: 'unsupported', why })

function resolveSignature(
  algorithm: AlgorithmId,
  digestOid: string | undefined,
): Result<ResolvedSignature, SignatureProblem> {
  const row = signaturesByOid.get(algorithm.oid)
  if (row === undefined) return unsupported(`unknown signature algorithm ${algorithm.oid}`)
  const beside = digestOid === undefined ? undefined : digestByOid(digestOid)
  if (digestOid !== undefined && beside === undefined) return unsupported(`unknown digest algorithm ${digestOid}`)
  switch (row.scheme) {
    case 'eddsa':
      return algorithm.parameters === undefined ? ok({ row }) : wrong('parameters where RFC 8410 §3 has none')
    case 'rsa-pss': {
      const pss = readPssParameters(algorithm.parameters)
      if (!pss.ok) return unsupported(pss.error)
      const agrees = beside === undefined || beside === pss.value.digest
      return agrees ? ok({ row, ...pss.value }) : wrong('the digest is not the one of the PSS parameters')
    }
    case 'rsa-pkcs1':
    case 'ecdsa': {
      if (!isAbsentOrNull(algorithm)) return wrong('unexpected parameters of the signature algorithm')
      const digest = row.digest === undefined ? beside : digestByName(row.digest)
      if (digest === undefined) return unsupported('the signature algorithm names no digest')
      const agrees = beside === undefined || beside === digest
      return agrees ? ok({ row, digest }) : wrong('the digest is not the one of the signature algorithm')
    }
  }
}

interface PssParameters {
  readonly digest: Digest
  readonly saltLengthBytes: number
}

/** RSASSA-PSS-params (RFC 4055 §3.1): every field has a default, and all of them are SHA-1's. */
function readPssParameters(parameters: Uint8Array | undefined): Result<PssParameters> {
  if (parameters === undefined) return fail('RSASSA-PSS without parameters')
  const parsed = parseDer(parameters)
  if (!parsed.ok || parsed.value.tag !== TAG.SEQUENCE) return fail('malformed RSASSA-PSS parameters')
  const fields = new Map(parsed.value.children.map((child) => [child.tag, child]))
  if (fields.size !== parsed.value.children.length) return fail('malformed RSASSA-PSS parameters')
  const sha1 = digestByName('sha1')
  const field = (number: number): Node | undefined => {
    const node = fields.get(contextConstructed(number))
    fields.delete(contextConstructed(number))
    return node
  }
  const [hash, mask, salt, trailer] = [field(0), field(1), field(2), field(3)]
  if (fields.size > 0) return fail('malformed RSASSA-PSS parameters')
  const digest = hash === undefined ? sha1 : explicit(hash, readDigestAlgorithm)
  const maskDigest = mask === undefined ? sha1 : explicit(mask, readMgf1)
  const saltLengthBytes = salt === undefined ? 20 : explicit(salt, readInteger)
  const trailerField = trailer === undefined ? 1 : explicit(trailer, readInteger)
  if (digest === undefined || maskDigest === undefined) return fail('unknown digest in the RSASSA-PSS parameters')
  if (digest !== maskDigest) return fail('RSASSA-PSS with two different digests')
  if (saltLengthBytes === undefined || trailerField !== 1) return fail('malformed RSASSA-PSS parameters')
  return ok({ digest, saltLengthBytes })
}

const readInteger = (node: Node): number | undefined =>
  node.tag === TAG.INTEGER ? readSmallInteger(node.content) : undefined

function explicit<T>(wrapper: Node, read: (inner: Node) => T | undefined): T | undefined {
  const [inner, more] = wrapper.children
  return inner === undefined || more !== undefined ? undefined : read(inner)
}

const knownDetails = new WeakMap<KeyObject, AsymmetricKeyDetails | undefined>()

/** As KeyObject.asymmetricKeyDetails, which asks OpenSSL each time and so costs as much as parsing a SignerInfo. */
export function detailsOf(key: KeyObject): AsymmetricKeyDetails | undefined {
  if (!knownDetails.has(key)) knownDetails.set(key, key.asymmetricKeyDetails)
  return knownDetails.get(key)
}

function unfitKey(row: SignatureRow, key: KeyObject): SignatureProblem | undefined {
  const type = key.asymmetricKeyType ?? 'none'
  const details = detailsOf(key)
  if (!row.keyTypes.includes(type))
    return { kind: 'wrong', why: `a key of type ${type} cannot make this kind of signature` }
  if (row.scheme === 'ecdsa' && !CURVES.includes(details?.namedCurve ?? ''))
    return { kind: 'unsupported', why: 'unknown elliptic curve' }
  if ((details?.modulusLength ?? 0) > RSA_MODULUS_MAX_BITS) return { kind: 'unsupported', why: 'RSA key too large' }
  return undefined
}

function findWeakness(digest: Digest | undefined, key: KeyObject): string | undefined {
  if (digest?.weak === true) return `${digest.name} is too weak`
  const bits = detailsOf(key)?.modulusLength
  return bits !== undefined && bits < RSA_MODULUS_MIN_BITS ? `an RSA key of ${bits} bits is too weak` : undefined
}

function matches(
  row: SignatureRow,
  digest: Digest | undefined,
  saltLengthBytes: number | undefined,
  { key, message, signature }: SignatureInput,
): boolean {
  try {
    switch (row.scheme) {
      case 'rsa-pkcs1':
        return verify(digest?.name, message, key, signature)
      case 'rsa-pss': {
        const padding = constants.RSA_PKCS1_PSS_PADDING
        return verify(digest?.name, message, { key, padding, saltLength: saltLengthBytes ?? 0 }, signature)
      }
      case 'ecdsa':
        return verify(digest?.name, message, { key, dsaEncoding: 'der' }, signature)
      case 'eddsa':
        return verify(undefined, message, key, signature)
    }
  } catch {
    return false // OpenSSL throws on some keys and lengths (an rsa-pss key with restrictions, an absurd salt)
  }
}
