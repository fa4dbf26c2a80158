/**
 * Signature algorithms of X.509 and CMS, one table row each: which keys fit, what parameters there may be, and since
 * when it is weak. RFC 3370, RFC 4055, RFC 5754, RFC 5758, RFC 8410, RFC 8419, RFC 8702, RFC 9814, RFC 9881, RFC 9882.
 */
import type { KeyObject } from 'node:crypto'
import type { Weakness } from '../weakness.ts'
import { detailsOf } from '../key-object.ts'
import { type DigestName, RSA_ENCRYPTION } from './algorithms.ts'

/** `pure`: the whole message goes into the algorithm, which hashes as it sees fit (EdDSA, ML-DSA, SLH-DSA). */
export type SignatureScheme = 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'dsa' | 'pure'

export interface SignatureRow {
  readonly oid: string
  readonly scheme: SignatureScheme
  /** Missing where the parameters (PSS) or the SignerInfo (rsaEncryption, id-dsa) say it, and for `pure`. */
  readonly digest?: DigestName
  /** Value of KeyObject.asymmetricKeyType that fits. */
  readonly keyTypes: readonly string[]
  readonly parameters: 'absent' | 'absent-or-null' | 'pss'
  /** We sign mail with it as well; others are only verified. */
  readonly signs?: true
  /** Of the algorithm itself; its digest and its key may be weak as well. */
  readonly weak?: Weakness
}

export const RSASSA_PSS = '1.2.840.113549.1.1.10'
const PKCS1 = '1.2.840.113549.1.1'
const ECDSA = '1.2.840.10045.4'
/** Of NIST: DSA, ECDSA and RSA with newer digests, then ML-DSA and SLH-DSA. */
const SIG_ALGS = '2.16.840.1.101.3.4.3'
const SHAKE_SIG = '1.3.6.1.5.5.7.6'
const DSA_WEAK = { since: 2019, source: 'RFC 8551' }

const rsa = (oid: string, digest: DigestName): SignatureRow => ({
  oid,
  scheme: 'rsa-pkcs1',
  digest,
  keyTypes: ['rsa'],
  parameters: 'absent-or-null', // RFC 5754 §3.2: NULL, and absent ones are to be accepted
})
const ecdsa = (oid: string, digest: DigestName): SignatureRow => ({
  oid,
  scheme: 'ecdsa',
  digest,
  keyTypes: ['ec'],
  parameters: 'absent-or-null', // RFC 5754 §3.3 has none; gpgsm 2.2 writes NULL
})
const dsa = (oid: string, digest?: DigestName): SignatureRow => ({
  oid,
  scheme: 'dsa',
  keyTypes: ['dsa'],
  parameters: 'absent-or-null', // RFC 3370 §3.1 has none; senders of its time wrote NULL
  weak: DSA_WEAK,
  ...(digest === undefined ? {} : { digest }),
})
const pure = (oid: string, keyType: string): SignatureRow => ({
  oid,
  scheme: 'pure',
  keyTypes: [keyType],
  parameters: 'absent',
})
const signing = (row: SignatureRow): SignatureRow => ({ ...row, signs: true })

/**
 * ECDSA with SHAKE is absent because OpenSSL 3.5 does not do it; HashML-DSA and HashSLH-DSA because CMS does not use
 * them (RFC 9882 and RFC 9814 know the pure mode only).
 */
export const SIGNATURES: readonly SignatureRow[] = [
  { oid: RSA_ENCRYPTION, scheme: 'rsa-pkcs1', keyTypes: ['rsa'], parameters: 'absent-or-null', signs: true },
  rsa(`${PKCS1}.11`, 'sha256'),
  rsa(`${PKCS1}.12`, 'sha384'),
  rsa(`${PKCS1}.13`, 'sha512'),
  rsa(`${PKCS1}.14`, 'sha224'),
  rsa(`${PKCS1}.15`, 'sha512-224'),
  rsa(`${PKCS1}.16`, 'sha512-256'),
  rsa(`${SIG_ALGS}.13`, 'sha3-224'),
  rsa(`${SIG_ALGS}.14`, 'sha3-256'),
  rsa(`${SIG_ALGS}.15`, 'sha3-384'),
  rsa(`${SIG_ALGS}.16`, 'sha3-512'),
  rsa(`${PKCS1}.5`, 'sha1'),
  rsa('1.3.14.3.2.29', 'sha1'),
  rsa(`${PKCS1}.4`, 'md5'),
  { oid: RSASSA_PSS, scheme: 'rsa-pss', keyTypes: ['rsa', 'rsa-pss'], parameters: 'pss', signs: true },
  pssShake(30, 'shake128'),
  pssShake(31, 'shake256'),
  signing(ecdsa(`${ECDSA}.3.2`, 'sha256')),
  signing(ecdsa(`${ECDSA}.3.3`, 'sha384')),
  signing(ecdsa(`${ECDSA}.3.4`, 'sha512')),
  ecdsa(`${ECDSA}.3.1`, 'sha224'),
  ecdsa(`${SIG_ALGS}.9`, 'sha3-224'),
  ecdsa(`${SIG_ALGS}.10`, 'sha3-256'),
  ecdsa(`${SIG_ALGS}.11`, 'sha3-384'),
  ecdsa(`${SIG_ALGS}.12`, 'sha3-512'),
  ecdsa(`${ECDSA}.1`, 'sha1'),
  signing(pure('1.3.101.112', 'ed25519')),
  signing(pure('1.3.101.113', 'ed448')),
  signing(pure(`${SIG_ALGS}.17`, 'ml-dsa-44')),
  signing(pure(`${SIG_ALGS}.18`, 'ml-dsa-65')),
  signing(pure(`${SIG_ALGS}.19`, 'ml-dsa-87')),
  ...['sha2', 'shake'].flatMap((family, f) =>
    ['128s', '128f', '192s', '192f', '256s', '256f'].map((set, s) =>
      pure(`${SIG_ALGS}.${20 + 6 * f + s}`, `slh-dsa-${family}-${set}`),
    ),
  ),
  dsa('1.2.840.10040.4.3', 'sha1'),
  dsa('1.2.840.10040.4.1'),
  dsa(`${SIG_ALGS}.1`, 'sha224'),
  dsa(`${SIG_ALGS}.2`, 'sha256'),
  dsa(`${SIG_ALGS}.3`, 'sha384'),
  dsa(`${SIG_ALGS}.4`, 'sha512'),
]

/** RSASSA-PSS whose digest and mask are one SHAKE (RFC 8702 §3.2.1): nothing is left to the parameters. */
function pssShake(arc: number, digest: DigestName): SignatureRow {
  const oid = `${SHAKE_SIG}.${arc}`
  return { oid, scheme: 'rsa-pss', digest, keyTypes: ['rsa', 'rsa-pss'], parameters: 'absent' }
}

const rowsByOid = new Map(SIGNATURES.map((row) => [row.oid, row]))
export const signatureRow = (oid: string): SignatureRow | undefined => rowsByOid.get(oid)

export interface Curve {
  /** As OpenSSL names it. */
  readonly name: string
  /** Of matching strength (RFC 5753 §8, RFC 8551 §2.2). */
  readonly digest: 'sha256' | 'sha384' | 'sha512'
}

/** Curves that ECDSA is done on. */
export const ECDSA_CURVES: readonly Curve[] = [
  { name: 'prime256v1', digest: 'sha256' },
  { name: 'secp384r1', digest: 'sha384' },
  { name: 'secp521r1', digest: 'sha512' },
  { name: 'brainpoolP256r1', digest: 'sha256' },
  { name: 'brainpoolP384r1', digest: 'sha384' },
  { name: 'brainpoolP512r1', digest: 'sha512' },
  { name: 'secp224r1', digest: 'sha256' },
]

export const ecdsaCurveOf = (key: KeyObject): Curve | undefined =>
  ECDSA_CURVES.find(({ name }) => name === detailsOf(key)?.namedCurve)

export const SHORT_RSA_WEAK: Weakness = { since: 2014, source: 'NIST SP 800-131A' }
