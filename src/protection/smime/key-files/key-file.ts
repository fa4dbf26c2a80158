/** Key files of S/MIME as people have them: PEM, DER and PKCS#12 in, PEM and PKCS#12 out. */
import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { utf8 } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { parseBer } from '../asn1/ber-reader.ts'
import { readSmallInteger } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import { type SmimeCertificate, parseCertificate } from '../x509/certificate.ts'
import { readCertificates, readPemBlocks, readPrivateKey, writeCertificatePem } from './pem.ts'
import { readPkcs12, writePkcs12 } from './pkcs12.ts'
import { isSameKey } from '../../key-object.ts'
import type { KeyFile, KeyFileContent } from '../../standard.ts'

export interface SmimeKeyFile {
  readonly certificates: readonly SmimeCertificate[]
  /** Private keys with the certificate of the file that each belongs to. */
  readonly keys: readonly { readonly key: KeyObject; readonly certificate: SmimeCertificate }[]
  /** A private key whose certificate is not in the file. */
  readonly strayKeys: readonly KeyObject[]
}

/**
 * Whatever certificates and private keys a file holds. A key that cannot be read is an error even beside certificates
 * that can. The password is for what is under one; with files that are under the empty password it does no harm.
 */
export function readKeyFile(bytes: Uint8Array, password = ''): Result<SmimeKeyFile> {
  const given = readContent(bytes, password)
  const content = given.ok || password === '' ? given : readContent(bytes, '')
  if (!content.ok) return given.ok ? content : given
  const parsed = content.value.certificates.map((der) => parseCertificate(der))
  const broken = parsed.find((each) => !each.ok)
  if (broken !== undefined && !broken.ok) return fail(`A certificate cannot be read: ${broken.error}`)
  const certificates = parsed.flatMap((each) => (each.ok ? [each.value] : []))
  if (certificates.length === 0 && content.value.keys.length === 0) return fail('There is no key or certificate in it')
  return ok({ certificates, ...pair(certificates, content.value.keys) })
}

/** PEM or DER, and not the armor of OpenPGP, which looks like PEM. */
export const isKeyFile = (bytes: Uint8Array): boolean => kindOf(bytes) !== undefined

interface Content {
  readonly certificates: readonly Uint8Array[]
  readonly keys: readonly KeyObject[]
}

/** What a file is shows in its outline; only then can a reader say what is wrong with it. */
function readContent(bytes: Uint8Array, password: string): Result<Content> {
  const hint = password === '' ? '; if it is under a password, give it with --password-stdin' : ''
  switch (kindOf(bytes)) {
    case 'pem':
      return readPemContent(bytes, password, hint)
    case 'pkcs12': {
      const bundle = readPkcs12(bytes, password)
      return bundle.ok ? bundle : fail(`The PKCS#12 file cannot be read: ${bundle.error}${hint}`)
    }
    case 'key': {
      const key = readPrivateKey(bytes, password)
      return key.ok ? ok({ certificates: [], keys: [key.value] }) : fail(`The key cannot be read: ${key.error}${hint}`)
    }
    case 'certificates': {
      const certificates = readCertificates(bytes)
      return certificates.ok
        ? ok({ certificates: certificates.value, keys: [] })
        : fail(`No certificate can be read: ${certificates.error}`)
    }
    case undefined:
      return fail('It is neither PEM nor DER')
  }
}

function readPemContent(bytes: Uint8Array, password: string, hint: string): Result<Content> {
  const blocks = readPemBlocks(bytes)
  if (!blocks.ok) return fail(`The PEM file cannot be read: ${blocks.error}`)
  const has = (end: string): boolean => blocks.value.some(({ label }) => label.endsWith(end))
  if (has('PKCS12')) {
    const bundle = readPkcs12(bytes, password)
    return bundle.ok ? bundle : fail(`The PKCS#12 file cannot be read: ${bundle.error}${hint}`)
  }
  const certificates = readCertificates(bytes)
  const key = has('PRIVATE KEY') ? readPrivateKey(bytes, password) : undefined
  if (key?.ok === false) return fail(`The key cannot be read: ${key.error}${hint}`)
  return ok({ certificates: certificates.ok ? certificates.value : [], keys: key === undefined ? [] : [key.value] })
}

/** PFX (RFC 7292 §4) is version 3; PrivateKeyInfo and its relatives begin with a lower one, or with an algorithm. */
function kindOf(bytes: Uint8Array): 'pem' | 'pkcs12' | 'key' | 'certificates' | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (text.includes('-----BEGIN ')) return text.includes('-----BEGIN PGP ') ? undefined : 'pem'
  const parsed = bytes[0] === TAG.SEQUENCE ? parseBer(bytes) : undefined
  if (parsed?.ok !== true) return undefined
  const [first, second] = parsed.value.children
  if (first?.tag === TAG.INTEGER) return readSmallInteger(first.content) === 3 ? 'pkcs12' : 'key'
  return first?.tag === TAG.SEQUENCE && second?.tag === TAG.OCTET_STRING ? 'key' : 'certificates'
}

function pair(
  certificates: readonly SmimeCertificate[],
  keys: readonly KeyObject[],
): Pick<SmimeKeyFile, 'keys' | 'strayKeys'> {
  const owners = keys.map((key) => {
    const publicKey = createPublicKey(key)
    return { key, certificate: certificates.find((each) => isSameKey(each.publicKey, publicKey)) }
  })
  return {
    keys: owners.flatMap(({ key, certificate }) => (certificate === undefined ? [] : [{ key, certificate }])),
    strayKeys: owners.flatMap(({ key, certificate }) => (certificate === undefined ? [key] : [])),
  }
}

/** Certificates as PEM; with their private keys as PKCS#12 under the password. */
export function writeKeyFile(content: KeyFileContent): Uint8Array {
  if ('certificates' in content)
    return utf8(content.certificates.map(({ encoded }) => writeCertificatePem(encoded)).join(''))
  const { keys, password } = content
  const pairs = keys.map(({ key, certificate }) => ({ key, certificate: certificate.encoded }))
  const others = new Map(keys.flatMap(({ chain }) => chain).map(({ fingerprint, encoded }) => [fingerprint, encoded]))
  return writePkcs12({ pairs, others: [...others.values()], password })
}

/** The same, told apart as both standards have it. */
export function sortKeyFile({ certificates, keys, strayKeys }: SmimeKeyFile): KeyFile {
  return {
    certificates: certificates.filter((each) => !each.isAuthority),
    chain: certificates.filter((each) => each.isAuthority && !each.selfIssued),
    anchors: certificates.filter((each) => each.isAuthority && each.selfIssued),
    keys: keys.map((pair) => ({ ...pair, chain: [] })),
    strayKeys,
  }
}
