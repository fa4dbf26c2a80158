/** Files with certificates and keys: PEM (RFC 7468), DER, and certificates in a PKCS#7 (certs-only) wrapper. */
import { Buffer } from 'node:buffer'
import { type KeyObject, createPrivateKey } from 'node:crypto'
import { latin1 } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import { parseBer, toDer } from '../asn1/ber-reader.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { Malformed, attempt } from '../../malformed.ts'
import { expectTag, oidOf } from '../asn1/der-fields.ts'
import { ITERATIONS_MAX } from './password-encryption.ts'
import { decryptPrivateKeyInfo, importKey } from './private-key.ts'
import { describeKey } from '../../key-object.ts'

export const PEM_SIZE_MAX_BYTES = 16 * 2 ** 20
export const PEM_BLOCKS_MAX = 1000

export interface PemBlock {
  /** Such as `CERTIFICATE` or `PRIVATE KEY`. */
  readonly label: string
  readonly der: Uint8Array
  /** From BEGIN to END, as it stood. */
  readonly text: string
}

/**
 * Certificates of a file, in its order: PEM blocks (other blocks are passed over), one DER certificate, or a certs-only
 * PKCS#7 in DER or PEM. They are not parsed; a file without any is an error.
 */
export function readCertificates(bytes: Uint8Array): Result<Uint8Array[]> {
  return attempt(() => {
    const found: Uint8Array[] = isPem(bytes)
      ? readPem(bytes).flatMap(({ label, der }) => {
          if (CERTIFICATE_LABELS.has(label)) return [der]
          return PKCS7_LABELS.has(label) ? certificatesIn(der) : []
        })
      : [...certificatesIn(bytes)]
    if (found.length === 0) throw new Malformed('no certificate in the file')
    return found
  })
}

const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])
const PKCS7_LABELS: ReadonlySet<string> = new Set(['PKCS7', 'CMS'])

/** The first private key of a file: PKCS#8, PKCS#1, SEC 1, encrypted or not, PEM or DER (not PKCS#12). */
export function readPrivateKey(bytes: Uint8Array, password?: string): Result<KeyObject> {
  return attempt(() => {
    if (!isPem(bytes)) return readDerKey(bytes, password)
    const block = readPem(bytes).find(({ label }) => label.endsWith('PRIVATE KEY'))
    if (block === undefined) throw new Malformed('no private key in the file')
    // The old form, "Proc-Type: 4,ENCRYPTED" (RFC 1421), has no iterations to limit: OpenSSL may read it.
    return block.text.includes('\nProc-Type:')
      ? readOldEncrypted(block.text, password)
      : readDerKey(block.der, password)
  })
}

function readOldEncrypted(text: string, password: string | undefined): KeyObject {
  try {
    const key = createPrivateKey({ key: text, format: 'pem', passphrase: password ?? '' })
    describeKey(key)
    return key
  } catch {
    throw new Malformed('the password is wrong, or the key is damaged')
  }
}

/** Tells by structure: PrivateKeyInfo, EncryptedPrivateKeyInfo, RSAPrivateKey or ECPrivateKey. */
function readDerKey(bytes: Uint8Array, password: string | undefined): KeyObject {
  const parsed = parseBer(bytes)
  if (!parsed.ok) throw new Malformed(`private key: ${parsed.error}`)
  const [first, second] = expectTag(parsed.value, TAG.SEQUENCE, 'private key').children
  if (first?.tag === TAG.SEQUENCE) {
    if (password === undefined) throw new Malformed('the private key is encrypted and no password was given')
    return importKey(decryptPrivateKeyInfo(parsed.value, password, { iterations: ITERATIONS_MAX }))
  }
  if (second?.tag === TAG.SEQUENCE) return importKey(bytes)
  const type = second?.tag === TAG.INTEGER ? 'pkcs1' : 'sec1'
  try {
    const key = createPrivateKey({ key: Buffer.from(bytes), format: 'der', type })
    describeKey(key)
    return key
  } catch {
    throw new Malformed('the private key is malformed or of an unknown kind')
  }
}

/** PEM blocks in order; text around them is ignored. */
export function readPemBlocks(bytes: Uint8Array): Result<PemBlock[]> {
  return attempt(() => readPem(bytes))
}

const isPem = (bytes: Uint8Array): boolean => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(BEGIN)

const BEGIN = '-----BEGIN '
const END = '-----END '
const DASHES = '-----'

function readPem(bytes: Uint8Array): PemBlock[] {
  if (bytes.length > PEM_SIZE_MAX_BYTES) throw new Malformed('PEM file is too large')
  const blocks: PemBlock[] = []
  let label: string | undefined
  let lines: string[] = []
  for (const line of latin1(bytes).split(/\r\n|\n|\r/)) {
    const text = line.trimEnd()
    if (label === undefined) {
      if (!text.startsWith(BEGIN) || !text.endsWith(DASHES)) continue
      label = text.slice(BEGIN.length, -DASHES.length)
      lines = [text]
      continue
    }
    lines.push(text)
    if (!text.startsWith(END)) continue
    if (text !== `${END}${label}${DASHES}`) throw new Malformed('PEM block ends with another label')
    if (blocks.length === PEM_BLOCKS_MAX) throw new Malformed('too many PEM blocks')
    blocks.push({ label, der: decodeBody(lines.slice(1, -1)), text: `${lines.join('\n')}\n` })
    label = undefined
  }
  if (label !== undefined) throw new Malformed('PEM block is not closed')
  return blocks
}

/** Base64 after the header fields of RFC 1421, if there are any. */
function decodeBody(lines: readonly string[]): Uint8Array {
  const blank = lines[0]?.includes(':') === true ? lines.indexOf('') : -1
  const text = lines.slice(blank + 1).join('')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Malformed('PEM block is not base64')
  return Buffer.from(text, 'base64')
}

const SIGNED_DATA = '1.2.840.113549.1.7.2'

/** One certificate, or those of a SignedData (RFC 5652 §5.1). */
function certificatesIn(bytes: Uint8Array): readonly Uint8Array[] {
  const parsed = parseBer(bytes)
  if (!parsed.ok) throw new Malformed(`certificate: ${parsed.error}`)
  const [first, wrapper] = expectTag(parsed.value, TAG.SEQUENCE, 'certificate').children
  if (first?.tag !== TAG.OID) return [bytes]
  if (oidOf(first, 'PKCS#7') !== SIGNED_DATA) throw new Malformed('the PKCS#7 file holds no certificates')
  const signedData = expectTag(wrapper, contextConstructed(0), 'PKCS#7').children[0]
  const field = signedData?.children.find(({ tag }) => tag === contextConstructed(0))
  return (field?.children ?? []).filter(({ tag }) => tag === TAG.SEQUENCE).map(definite)
}

/** A certificate is DER whatever surrounds it; one written with indefinite lengths is put right. */
const definite = (node: Node): Uint8Array => (node.raw[1] === 0x80 ? toDer(node) : node.raw)

export const writeCertificatePem = (der: Uint8Array): string => writePem('CERTIFICATE', der)

/** PKCS#8, not encrypted. */
export function writePrivateKeyPem(key: KeyObject): string {
  return writePem('PRIVATE KEY', key.export({ type: 'pkcs8', format: 'der' }))
}

/** `label` such as `CERTIFICATE` or `PRIVATE KEY`. */
export function writePem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `${BEGIN}${label}${DASHES}\n${lines.join('\n')}\n${END}${label}${DASHES}\n`
}
