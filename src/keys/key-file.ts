/** Key files as people have them: PEM, DER and PKCS#12 in, PEM and PKCS#12 out. */
import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { utf8 } from '../base/bytes.ts'
import { type Result, fail, ok } from '../base/result.ts'
import { parseBer } from '../protection/smime/asn1/ber-reader.ts'
import { readSmallInteger } from '../protection/smime/asn1/der-reader.ts'
import { TAG } from '../protection/smime/asn1/tlv.ts'
import { type SmimeCertificate, parseCertificate } from '../protection/smime/x509/certificate.ts'
import {
  readCertificates,
  readPemBlocks,
  readPrivateKey,
  writeCertificatePem,
} from '../protection/smime/key-files/pem.ts'
import { readPkcs12, writePkcs12 } from '../protection/smime/key-files/pkcs12.ts'
import type { Certificate, OwnKey } from '../protection/standard.ts'
import { isSameKey } from '../protection/key-object.ts'

export interface KeyFile {
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
export function readKeyFile(bytes: Uint8Array, password = ''): Result<KeyFile> {
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
      return fail('It is no key or certificate file: neither PEM nor DER')
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
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('-----BEGIN ')) return 'pem'
  const parsed = bytes[0] === TAG.SEQUENCE ? parseBer(bytes) : undefined
  if (parsed?.ok !== true) return undefined
  const [first, second] = parsed.value.children
  if (first?.tag === TAG.INTEGER) return readSmallInteger(first.content) === 3 ? 'pkcs12' : 'key'
  return first?.tag === TAG.SEQUENCE && second?.tag === TAG.OCTET_STRING ? 'key' : 'certificates'
}

function pair(
  certificates: readonly SmimeCertificate[],
  keys: readonly KeyObject[],
): Pick<KeyFile, 'keys' | 'strayKeys'> {
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
export function writeKeyFile(
  content:
    { readonly certificates: readonly Certificate[] } | { readonly keys: readonly OwnKey[]; readonly password: string },
): Uint8Array {
  if ('certificates' in content)
    return utf8(content.certificates.map(({ encoded }) => writeCertificatePem(encoded)).join(''))
  const { keys, password } = content
  const pairs = keys.map(({ key, certificate }) => ({ key, certificate: certificate.encoded }))
  const others = new Map(keys.flatMap(({ chain }) => chain).map(({ fingerprint, encoded }) => [fingerprint, encoded]))
  return writePkcs12({ pairs, others: [...others.values()], password })
}
