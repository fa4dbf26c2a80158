/** How the content is encrypted and decrypted: the parameters of each cipher, and a run of it, whole or chunk by chunk. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { type Node, parseDer, readSmallInteger } from '../asn1/der-reader.ts'
import { integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { withoutPadding } from '../padding.ts'
import { decryptRc2Cbc } from '../rc2.ts'
import { CIPHERS, type CipherRow } from './ciphers.ts'

/** Nonce and tag that we write (RFC 5084 §3.2 recommends a nonce of 12 octets; RFC 8103 has no other). */
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What others may send: tags as RFC 5084 §3 has them, but none that can be guessed; nonces that are sane. */
const TAG_DEFAULT_BYTES = 12
const TAG_MIN_BYTES = 12
const GCM_NONCE_BYTES = { min: 8, max: 64 }
const CCM_NONCE_BYTES = { min: 7, max: 13 }
/** Ciphers that node:crypto cannot run chunk by chunk are given the content in one piece, up to this size. */
const HELD_MAX_BYTES = 64 * 2 ** 20

export const ivBytesOf = ({ mode, blockBytes }: CipherRow): number => (mode === 'cbc' ? blockBytes : NONCE_BYTES)

/** DER of the contentEncryptionAlgorithm of a cipher that we write. */
export function cipherAlgorithmDer(row: CipherRow, iv: Uint8Array): Uint8Array {
  switch (row.mode) {
    case 'cbc': // RFC 3565 §4.1
    case 'chacha20': // RFC 8103
      return sequence(oid(row.oid), octetString(iv))
    case 'gcm':
      return sequence(oid(row.oid), sequence(octetString(iv), integer(TAG_BYTES)))
    case 'ccm':
    case 'rc2-cbc':
      throw new TypeError(`${row.name} is not written`)
  }
}

/** A cipher with the parameters that came with the message. */
export interface ContentCipher {
  readonly row: CipherRow
  readonly iv: Uint8Array
  /** Zero without a tag. */
  readonly tagBytes: number
  /** AlgorithmIdentifier in DER that the content key is bound to (RFC 9709); missing when the key is used as it came. */
  readonly boundTo?: Uint8Array
}

const CEK_HKDF_SHA256 = '1.2.840.113549.1.9.16.3.31'

export function readContentCipher(algorithm: AlgorithmId): Result<ContentCipher> {
  if (algorithm.oid === CEK_HKDF_SHA256) return readBoundCipher(algorithm)
  const row = CIPHERS.find((cipher) => cipher.oid === algorithm.oid)
  if (row === undefined) return fail(`unknown content encryption algorithm ${algorithm.oid}`)
  const parsed = algorithm.parameters === undefined ? fail('') : parseDer(algorithm.parameters)
  const cipher = parsed.ok ? readParameters(row, parsed.value) : undefined
  return cipher === undefined ? fail('malformed parameters of the content encryption algorithm') : ok(cipher)
}

/** The cipher is the parameter; another one in its place would make another key (RFC 9709 §3). */
function readBoundCipher({ parameters }: AlgorithmId): Result<ContentCipher> {
  const parsed = parameters === undefined ? fail('') : parseDer(parameters)
  const inner = parsed.ok ? readAlgorithm(parsed.value) : fail('')
  if (parameters === undefined || !inner.ok) return fail('malformed parameters of id-alg-cek-hkdf-sha256')
  if (inner.value.oid === CEK_HKDF_SHA256) return fail('id-alg-cek-hkdf-sha256 within itself')
  const cipher = readContentCipher(inner.value)
  return cipher.ok ? ok({ ...cipher.value, boundTo: parameters }) : cipher
}

/** CMS_CEK_HKDF_SHA256 (RFC 9709 §2), where the cipher asks for it; else the key itself. */
export function keyForCipher({ boundTo }: ContentCipher, contentKey: Uint8Array): Uint8Array {
  if (boundTo === undefined) return contentKey
  return new Uint8Array(hkdfSync('sha256', contentKey, BINDING_SALT, boundTo, contentKey.length))
}

const BINDING_SALT = utf8('The Cryptographic Message Syntax')

function readParameters(row: CipherRow, node: Node): ContentCipher | undefined {
  switch (row.mode) {
    case 'cbc':
      return isOctets(node, row.blockBytes) ? { row, iv: node.content, tagBytes: 0 } : undefined
    case 'chacha20':
      return isOctets(node, NONCE_BYTES) ? { row, iv: node.content, tagBytes: TAG_BYTES } : undefined
    case 'gcm':
      return readNonceAndTag(row, node, GCM_NONCE_BYTES)
    case 'ccm':
      return readNonceAndTag(row, node, CCM_NONCE_BYTES)
    case 'rc2-cbc':
      return readRc2(node)
  }
}

const isOctets = (node: Node | undefined, length: number): boolean =>
  node?.tag === TAG.OCTET_STRING && node.content.length === length

/** GCMParameters and CCMParameters (RFC 5084 §3.1, §3.2). */
function readNonceAndTag(
  row: CipherRow,
  node: Node,
  nonceBytes: { readonly min: number; readonly max: number },
): ContentCipher | undefined {
  const [nonce, length, more] = node.children
  if (node.tag !== TAG.SEQUENCE || nonce?.tag !== TAG.OCTET_STRING || more !== undefined) return undefined
  if (nonce.content.length < nonceBytes.min || nonce.content.length > nonceBytes.max) return undefined
  if (length !== undefined && length.tag !== TAG.INTEGER) return undefined
  const tagBytes = length === undefined ? TAG_DEFAULT_BYTES : readSmallInteger(length.content)
  if (tagBytes === undefined || tagBytes < TAG_MIN_BYTES || tagBytes > TAG_BYTES) return undefined
  return { row, iv: nonce.content, tagBytes }
}

/** rc2ParameterVersion of RC2CBCParameter (RFC 3370 §5.2): it stands for the effective bits of the key. */
const RC2_NAMES: ReadonlyMap<number | undefined, string> = new Map([
  [58, 'rc2-128-cbc'],
  [120, 'rc2-64-cbc'],
  [160, 'rc2-40-cbc'],
])

function readRc2({ tag, children: [version, iv, more] }: Node): ContentCipher | undefined {
  const name = version?.tag === TAG.INTEGER ? RC2_NAMES.get(readSmallInteger(version.content)) : undefined
  const row = CIPHERS.find((cipher) => cipher.name === name)
  if (tag !== TAG.SEQUENCE || row === undefined || iv === undefined || more !== undefined) return undefined
  return isOctets(iv, row.blockBytes) ? { row, iv: iv.content, tagBytes: 0 } : undefined
}

/** An encryption under way. `finish` gives what is left of the ciphertext, and the tag where there is one. */
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
    case 'gcm':
    case 'chacha20': {
      const cipher = createCipheriv(row.name as AeadName, key, iv, { authTagLength: TAG_BYTES })
      return {
        update: (chunk) => cipher.update(chunk),
        finish: () => ({ rest: cipher.final(), tag: cipher.getAuthTag() }),
      }
    }
    case 'ccm':
    case 'rc2-cbc':
      throw new TypeError(`${row.name} is not written`)
  }
}

/** Length of the ciphertext without the tag: padding (RFC 5652 §6.3) always adds to CBC. */
export const ciphertextBytes = ({ mode, blockBytes }: CipherRow, plaintextBytes: number): number =>
  mode === 'cbc' ? plaintextBytes + blockBytes - (plaintextBytes % blockBytes) : plaintextBytes

/** What is known before the first octet of the ciphertext. */
export interface DecryptionInput {
  readonly cipher: ContentCipher
  /** Must have the row's length. */
  readonly key: Uint8Array
  /** With a tag only: authenticated attributes. They stand behind the content, so whoever streams must fetch them first. */
  readonly associatedData?: Uint8Array | undefined
}

/** A decryption under way. Nothing that `update` gave may be released before `finish` said yes (invariant 7). */
export interface Decryption {
  /** Plaintext so far; CBC keeps back its last block, CCM and RC2 all. */
  update(chunk: Uint8Array): Uint8Array
  /** The rest of the plaintext; `undefined` when padding or tag is wrong, without saying which. `last` may be empty. */
  finish(last: Uint8Array, tag: Uint8Array | undefined): Uint8Array | undefined
}

export function startDecryption(input: DecryptionInput): Decryption {
  const { row, iv } = input.cipher
  switch (row.mode) {
    case 'cbc': {
      const decipher = createDecipheriv(row.name, input.key, iv)
      return {
        update: (chunk) => decipher.update(chunk),
        finish: quietly((last) => {
          decipher.setAutoPadding(false) // OpenSSL kept back the last block so far; now it hands out all it has
          const padded = decipher.update(last)
          const kept = decipher.final() // throws when the last block is not whole
          return withoutPadding(padded.length === 0 ? kept : padded, row.blockBytes)
        }),
      }
    }
    case 'gcm':
    case 'chacha20': {
      const decipher = openAead(input)
      if (input.associatedData !== undefined) decipher.setAAD(input.associatedData)
      return {
        update: (chunk) => decipher.update(chunk),
        finish: quietly((last, tag) => {
          if (tag?.length !== input.cipher.tagBytes) return undefined
          decipher.setAuthTag(tag)
          const rest = decipher.update(last)
          decipher.final() // throws when the tag is wrong
          return rest
        }),
      }
    }
    case 'ccm':
      return inOnePiece((ciphertext, tag) => decryptCcm(input, ciphertext, tag))
    case 'rc2-cbc':
      return inOnePiece((ciphertext) => {
        const padded = decryptRc2Cbc(input.key, row.keyBytes * 8, iv, ciphertext)
        return padded === undefined ? undefined : withoutPadding(padded, row.blockBytes)
      })
  }
}

type Finish = Decryption['finish']

const quietly =
  (finish: Finish): Finish =>
  (last, tag) => {
    try {
      return finish(last, tag)
    } catch {
      return undefined
    }
  }

/** Keeps what comes, and decrypts it at the end. */
function inOnePiece(decrypt: Finish): Decryption {
  const held: Uint8Array[] = []
  let heldBytes = 0
  const hold = (chunk: Uint8Array): void => {
    heldBytes += chunk.length
    if (heldBytes <= HELD_MAX_BYTES) held.push(chunk)
  }
  return {
    update: (chunk) => {
      hold(Uint8Array.from(chunk)) // the caller may use its memory again
      return EMPTY
    },
    finish: quietly((last, tag) => {
      hold(last)
      return heldBytes > HELD_MAX_BYTES ? undefined : decrypt(concatBytes(held), tag)
    }),
  }
}

function decryptCcm(
  input: DecryptionInput,
  ciphertext: Uint8Array,
  tag: Uint8Array | undefined,
): Uint8Array | undefined {
  if (tag?.length !== input.cipher.tagBytes) return undefined
  const decipher = openAead(input).setAuthTag(tag)
  if (input.associatedData !== undefined) decipher.setAAD(input.associatedData, { plaintextLength: ciphertext.length })
  const plaintext = decipher.update(ciphertext)
  decipher.final() // throws when the tag is wrong
  return plaintext
}

/** In node:crypto each family has a type of its own; this one fits them all. */
type AeadName = 'aes-256-gcm'

const openAead = ({ cipher: { row, iv, tagBytes }, key }: DecryptionInput) =>
  createDecipheriv(row.name as AeadName, key, iv, { authTagLength: tagBytes })

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
