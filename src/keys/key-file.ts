/** Key files as people have them: PEM, DER and PKCS#12 in, PEM and PKCS#12 out. */
import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { utf8 } from '../base/bytes.ts'
import { type Result, fail, ok } from '../base/result.ts'
import { type SmimeCertificate, parseCertificate } from '../protection/smime/certificate.ts'
import { readCertificates, readPrivateKey, writeCertificatePem } from '../protection/smime/pem.ts'
import { readPkcs12, writePkcs12 } from '../protection/smime/pkcs12.ts'
import type { Certificate } from '../protection/standard.ts'

export interface KeyFile {
  readonly certificates: readonly SmimeCertificate[]
  /** Private keys with the certificate of the file that each belongs to. */
  readonly keys: readonly { readonly key: KeyObject; readonly certificate: SmimeCertificate }[]
  /** A private key whose certificate is not in the file. */
  readonly strayKeys: readonly KeyObject[]
}

/** Whatever certificates and private keys a file holds; an error when there is nothing in it that can be read. */
export function readKeyFile(bytes: Uint8Array, password = ''): Result<KeyFile> {
  const bundle = readPkcs12(bytes, password)
  const encoded = bundle.ok ? bundle.value.certificates : readCertificatesOrNone(bytes)
  const single = bundle.ok ? undefined : readPrivateKey(bytes, password)
  const keys = bundle.ok ? bundle.value.keys : single?.ok === true ? [single.value] : []
  const parsed = encoded.map((der) => parseCertificate(der))
  const broken = parsed.find((each) => !each.ok)
  if (broken !== undefined && !broken.ok) return fail(`A certificate cannot be read: ${broken.error}`)
  const certificates = parsed.flatMap((each) => (each.ok ? [each.value] : []))
  if (certificates.length === 0 && keys.length === 0)
    return fail(`No key or certificate can be read: ${bundle.ok ? 'the file is empty' : bundle.error}`)
  return ok({ certificates, ...pair(certificates, keys) })
}

function pair(
  certificates: readonly SmimeCertificate[],
  keys: readonly KeyObject[],
): Pick<KeyFile, 'keys' | 'strayKeys'> {
  const owners = keys.map((key) => {
    const publicKey = createPublicKey(key)
    return { key, certificate: certificates.find((each) => each.publicKey.equals(publicKey)) }
  })
  return {
    keys: owners.flatMap(({ key, certificate }) => (certificate === undefined ? [] : [{ key, certificate }])),
    strayKeys: owners.flatMap(({ key, certificate }) => (certificate === undefined ? [key] : [])),
  }
}

function readCertificatesOrNone(bytes: Uint8Array): readonly Uint8Array[] {
  const read = readCertificates(bytes)
  return read.ok ? read.value : []
}

/** A certificate as PEM; with its private key as PKCS#12 under the password. */
export function writeKeyFile(
  content:
    | { readonly certificate: Certificate }
    | {
        readonly certificate: Certificate
        readonly chain: readonly Certificate[]
        readonly key: KeyObject
        readonly password: string
      },
): Uint8Array {
  if (!('key' in content)) return utf8(writeCertificatePem(content.certificate.encoded))
  const certificates = [content.certificate, ...content.chain].map((each) => each.encoded)
  return writePkcs12({ key: content.key, certificates, password: content.password })
}
