/** Ciphers of the content, one row each (RFC 3565, RFC 5084): how they are named, keyed and run. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import { parseDer, readSmallInteger } from '../asn1/der-reader.ts'
import { integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import type { AlgorithmId } from '../algorithms.ts'

export type CipherMode = 'cbc' | 'gcm'

export interface CipherRow {
  readonly oid: string
  readonly name: 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' | 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'
  readonly mode: CipherMode
  readonly keyBytes: number
}

export const CIPHERS: readonly CipherRow[] = [
  { oid: '2.16.840.1.101.3.4.1.2', name: 'aes-128-cbc', mode: 'cbc', keyBytes: 16 },
  { oid: '2.16.840.1.101.3.4.1.22', name: 'aes-192-cbc', mode: 'cbc', keyBytes: 24 },
  { oid: '2.16.840.1.101.3.4.1.42', name: 'aes-256-cbc', mode: 'cbc', keyBytes: 32 },
  { oid: '2.16.840.1.101.3.4.1.6', name: 'aes-128-gcm', mode: 'gcm', keyBytes: 16 },
  { oid: '2.16.840.1.101.3.4.1.26', name: 'aes-192-gcm', mode: 'gcm', keyBytes: 24 },
  { oid: '2.16.840.1.101.3.4.1.46', name: 'aes-256-gcm', mode: 'gcm', keyBytes: 32 },
]

export const BLOCK_BYTES = 16
/** Nonce and tag that we write (RFC 5084 §3.2 recommends a nonce of 12 octets). */
const GCM_NONCE_BYTES = 12
export const GCM_TAG_BYTES = 16
/** What others may send: tags as RFC 5084 §3.2 has them, nonces that are sane. */
const GCM_TAG_DEFAULT_BYTES = 12
const GCM_TAG_MIN_BYTES = 12
const GCM_NONCE_MIN_BYTES = 8
const GCM_NONCE_MAX_BYTES = 64

export const ivBytesOf = (row: CipherRow): number => (row.mode === 'cbc' ? BLOCK_BYTES : GCM_NONCE_BYTES)

/** DER of the contentEncryptionAlgorithm: CBC has its IV as parameters (RFC 3565 §4.1), GCM nonce and tag length. */
export function cipherAlgorithmDer(row: CipherRow, iv: Uint8Array): Uint8Array {
  switch (row.mode) {
    case 'cbc':
      return sequence(oid(row.oid), octetString(iv))
    case 'gcm':
      return sequence(oid(row.oid), sequence(octetString(iv), integer(GCM_TAG_BYTES)))
  }
}

/** A cipher with the parameters that came with the message. */
export interface ContentCipher {
  readonly row: CipherRow
  readonly iv: Uint8Array
  /** GCM only. */
  readonly tagBytes: number
}

export function readContentCipher(algorithm: AlgorithmId): Result<ContentCipher> {
  const row = CIPHERS.find((cipher) => cipher.oid === algorithm.oid)
  if (row === undefined) return fail(`unknown content encryption algorithm ${algorithm.oid}`)
  const parsed = algorithm.parameters === undefined ? fail('') : parseDer(algorithm.parameters)
  if (!parsed.ok) return fail('malformed parameters of the content encryption algorithm')
  const { tag, content, children } = parsed.value
  switch (row.mode) {
    case 'cbc':
      if (tag === TAG.OCTET_STRING && content.length === BLOCK_BYTES) return ok({ row, iv: content, tagBytes: 0 })
      break
    case 'gcm': {
      const [nonce, length, more] = children
      const tagBytes = length === undefined ? GCM_TAG_DEFAULT_BYTES : readSmallInteger(length.content)
      const nonceBytes = nonce?.tag === TAG.OCTET_STRING ? nonce.content.length : 0
      const lengthFits = length === undefined || length.tag === TAG.INTEGER
      if (tag !== TAG.SEQUENCE || nonce === undefined || !lengthFits || more !== undefined) break
      if (nonceBytes < GCM_NONCE_MIN_BYTES || nonceBytes > GCM_NONCE_MAX_BYTES) break
      if (tagBytes === undefined || tagBytes < GCM_TAG_MIN_BYTES || tagBytes > GCM_TAG_BYTES) break
      return ok({ row, iv: nonce.content, tagBytes })
    }
  }
  return fail('malformed parameters of the content encryption algorithm')
}

/** An encryption under way. `finish` gives what is left of the ciphertext, and for GCM the tag. */
export interface Encryption {
  update(chunk: Uint8Array): Uint8Array
  finish(): { readonly rest: Uint8Array; readonly tag: Uint8Array | undefined }
}

export function startEncryption(row: CipherRow, key: Uint8Array, iv: Uint8Array): Encryption {
  switch (row.mode) {
    case 'cbc': {
      const cipher = createCipheriv(row.name, key, iv)
      return {
        update: (chunk) => cipher.update(chunk),
        finish: () => ({ rest: cipher.final(), tag: undefined }),
      }
    }
    case 'gcm': {
      const cipher = createGcm(row, key, iv)
      return {
        update: (chunk) => cipher.update(chunk),
        finish: () => ({ rest: cipher.final(), tag: cipher.getAuthTag() }),
      }
    }
  }
}

/** Length of the ciphertext without the tag: PKCS #7 padding (RFC 5652 §6.3) always adds to CBC. */
export const ciphertextBytes = (row: CipherRow, plaintextBytes: number): number =>
  row.mode === 'cbc' ? plaintextBytes + BLOCK_BYTES - (plaintextBytes % BLOCK_BYTES) : plaintextBytes

/** What is known before the first octet of the ciphertext. */
export interface DecryptionInput {
  readonly cipher: ContentCipher
  /** Must have the row's length. */
  readonly key: Uint8Array
  /** GCM only: authenticated attributes. They stand behind the content, so whoever streams must fetch them first. */
  readonly associatedData?: Uint8Array | undefined
}

/** A decryption under way. Nothing that `update` gave may be released before `finish` said yes (invariant 7). */
export interface Decryption {
  /** Plaintext so far; CBC keeps back its last block. */
  update(chunk: Uint8Array): Uint8Array
  /** The rest of the plaintext; `undefined` when padding or tag is wrong, without saying which. `last` may be empty. */
  finish(last: Uint8Array, tag: Uint8Array | undefined): Uint8Array | undefined
}

export function startDecryption({ cipher: { row, iv, tagBytes }, key, associatedData }: DecryptionInput): Decryption {
  switch (row.mode) {
    case 'cbc': {
      const decipher = createDecipheriv(row.name, key, iv)
      return {
        update: (chunk) => decipher.update(chunk),
        finish: quietly((last) => {
          decipher.setAutoPadding(false) // OpenSSL kept back the last block so far; now it hands out all it has
          const padded = decipher.update(last)
          const kept = decipher.final() // throws when the last block is not whole
          return withoutPadding(padded.length === 0 ? kept : padded)
        }),
      }
    }
    case 'gcm': {
      const decipher = openGcm(row, key, iv, tagBytes)
      if (associatedData !== undefined) decipher.setAAD(associatedData)
      return {
        update: (chunk) => decipher.update(chunk),
        finish: quietly((last, tag) => {
          if (tag?.length !== tagBytes) return undefined
          decipher.setAuthTag(tag)
          const rest = decipher.update(last)
          decipher.final() // throws when the tag is wrong
          return rest
        }),
      }
    }
  }
}

const quietly =
  (finish: Decryption['finish']): Decryption['finish'] =>
  (last, tag) => {
    try {
      return finish(last, tag)
    } catch {
      return undefined
    }
  }

const EMPTY = new Uint8Array()

/** Decrypts a whole content, slice by slice into one array; a single slice is not copied. Errors as with `finish`. */
export function decryptContent(
  input: DecryptionInput,
  slices: readonly Uint8Array[],
  tag: Uint8Array | undefined,
): Uint8Array | undefined {
  const decryption = startDecryption(input)
  const last = slices.at(-1) ?? EMPTY
  if (slices.length <= 1) return decryption.finish(last, tag)
  const joined = Buffer.allocUnsafeSlow(slices.reduce((total, slice) => total + slice.length, 0))
  let length = 0
  const join = (decrypted: Uint8Array): void => {
    joined.set(decrypted, length) // while it is still in the processor's cache
    length += decrypted.length
  }
  for (const slice of slices.slice(0, -1)) join(decryption.update(slice))
  const rest = decryption.finish(last, tag)
  if (rest === undefined) return undefined
  join(rest)
  return joined.subarray(0, length)
}

/** Removes PKCS #7 padding; looks at all of the last block whatever it holds. */
function withoutPadding(padded: Uint8Array): Uint8Array | undefined {
  const count = padded.at(-1) ?? 0
  let wrong = count === 0 || count > BLOCK_BYTES || padded.length < BLOCK_BYTES ? 1 : 0
  for (let i = 1; i <= BLOCK_BYTES; i++) wrong |= i <= count ? (padded.at(-i) ?? 0) ^ count : 0
  return wrong === 0 ? padded.subarray(0, padded.length - count) : undefined
}

type GcmName = 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'
const isGcm = (name: CipherRow['name']): name is GcmName => name.endsWith('-gcm')

function createGcm({ name }: CipherRow, key: Uint8Array, iv: Uint8Array) {
  if (!isGcm(name)) throw new TypeError(`${name} has no tag`)
  return createCipheriv(name, key, iv, { authTagLength: GCM_TAG_BYTES })
}

function openGcm({ name }: CipherRow, key: Uint8Array, iv: Uint8Array, authTagLength: number) {
  if (!isGcm(name)) throw new TypeError(`${name} has no tag`)
  return createDecipheriv(name, key, iv, { authTagLength })
}
