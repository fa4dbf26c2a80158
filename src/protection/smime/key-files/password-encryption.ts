/**
 * Encryption under a password, as PKCS#8 and PKCS#12 files have it: PBES2 (RFC 8018 §6.2) and the PBE schemes of
 * RFC 7292 appendix C. The work that a file may demand is limited.
 */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, hash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { utf8 } from '../../../base/bytes.ts'
import { type Node, readSmallInteger } from '../asn1/der-reader.ts'
import { NULL, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import { Malformed, need } from '../../malformed.ts'
import { expectTag, oidOf } from '../asn1/der-fields.ts'
import { withoutPadding } from '../padding.ts'
import { decryptRc2Cbc } from '../rc2.ts'

/** In one file, all derivations together: about two seconds of PBKDF2. */
export const ITERATIONS_MAX = 5_000_000
/** What we write: 30 to 150 ms for each derivation. */
export const ITERATIONS_WRITTEN = 100_000

/** Counts down; readers give up below zero. */
export interface IterationBudget {
  iterations: number
}

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const HMAC_SHA256 = '1.2.840.113549.2.9'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'

/** PBKDF2's pseudorandom functions (RFC 8018 appendix B.1). */
const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  [HMAC_SHA256]: 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

export const hmacDigest = (dotted: string): string | undefined => HMACS[dotted]

/** Ciphers of PBES2 (RFC 8018 appendix B.2, RFC 3565), as node:crypto calls them. */
const CIPHERS: Readonly<Record<string, { readonly name: string; readonly keyBytes: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  [AES_256_CBC]: { name: 'aes-256-cbc', keyBytes: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24 },
}

/** PBE schemes of RFC 7292 appendix C; RC4 is deliberately absent. */
const LEGACY: Readonly<Record<string, { readonly cipher: '3des' | 'rc2'; readonly keyBytes: number }>> = {
  '1.2.840.113549.1.12.1.3': { cipher: '3des', keyBytes: 24 },
  '1.2.840.113549.1.12.1.4': { cipher: '3des', keyBytes: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'rc2', keyBytes: 16 },
  '1.2.840.113549.1.12.1.6': { cipher: 'rc2', keyBytes: 5 },
}

/** Decrypts with the scheme of an AlgorithmIdentifier; throws Malformed, for a wrong password too. */
export function decryptWithPassword(
  algorithm: Node,
  ciphertext: Uint8Array,
  password: string,
  budget: IterationBudget,
): Uint8Array {
  const [id, parameters] = expectTag(algorithm, TAG.SEQUENCE, 'encryption algorithm').children
  const scheme = oidOf(id, 'encryption algorithm')
  if (scheme === PBES2) return decryptPbes2(parameters, ciphertext, password, budget)
  const legacy = LEGACY[scheme]
  if (legacy === undefined) throw new Malformed(`the password encryption ${scheme} is not supported`)
  const [salt, iterations] = expectTag(parameters, TAG.SEQUENCE, 'encryption parameters').children
  const derive = (purpose: KdfPurpose, lengthBytes: number): Uint8Array =>
    pkcs12Kdf({
      digest: 'sha1',
      password,
      salt: expectTag(salt, TAG.OCTET_STRING, 'salt').content,
      iterations: spend(iterations, budget),
      purpose,
      lengthBytes,
    })
  const key = derive('key', legacy.keyBytes)
  const iv = derive('iv', 8)
  switch (legacy.cipher) {
    case '3des':
      return decipher(
        'des-ede3-cbc',
        key.length === 24 ? key : Buffer.concat([key, key.subarray(0, 8)]),
        iv,
        ciphertext,
      )
    case 'rc2':
      return need(
        withoutPadding(need(decryptRc2Cbc(key, key.length * 8, iv, ciphertext), WRONG_PASSWORD), 8),
        WRONG_PASSWORD,
      )
  }
}

export const WRONG_PASSWORD = 'the password is wrong, or the file is damaged'

function decryptPbes2(
  parameters: Node | undefined,
  ciphertext: Uint8Array,
  password: string,
  budget: IterationBudget,
): Uint8Array {
  const [kdf, scheme] = expectTag(parameters, TAG.SEQUENCE, 'PBES2 parameters').children
  const [cipherId, iv] = expectTag(scheme, TAG.SEQUENCE, 'PBES2 cipher').children
  const cipherOid = oidOf(cipherId, 'PBES2 cipher')
  const cipher = need(CIPHERS[cipherOid], `the cipher ${cipherOid} is not supported`)
  const key = pbkdf2(expectTag(kdf, TAG.SEQUENCE, 'PBES2 key derivation'), cipher.keyBytes, password, budget)
  return decipher(cipher.name, key, expectTag(iv, TAG.OCTET_STRING, 'initialisation vector').content, ciphertext)
}

/** Derives a key by a PBKDF2 AlgorithmIdentifier (RFC 8018 appendix A.2); throws Malformed. */
export function pbkdf2(kdf: Node, keyBytes: number, password: string, budget: IterationBudget): Uint8Array {
  if (oidOf(kdf.children[0], 'key derivation') !== PBKDF2) throw new Malformed('the key derivation is not PBKDF2')
  const [salt, iterations, ...rest] = expectTag(kdf.children[1], TAG.SEQUENCE, 'PBKDF2 parameters').children
  const keyLength = rest[0]?.tag === TAG.INTEGER ? rest.shift() : undefined
  if (keyLength !== undefined && readSmallInteger(keyLength.content) !== keyBytes)
    throw new Malformed('PBKDF2 with a key length that does not fit')
  const prf = rest[0] === undefined ? 'sha1' : HMACS[oidOf(rest[0].children[0], 'PBKDF2 function')]
  const saltBytes = expectTag(salt, TAG.OCTET_STRING, 'salt').content
  const digest = need(prf, 'the PBKDF2 function is not supported')
  return pbkdf2Sync(utf8(password), saltBytes, spend(iterations, budget), keyBytes, digest)
}

/** Reads an iteration count and takes it from the budget; throws Malformed. */
export function spend(node: Node | undefined, budget: IterationBudget): number {
  const iterations = readSmallInteger(expectTag(node, TAG.INTEGER, 'iteration count').content)
  if (iterations === undefined || iterations < 1) throw new Malformed('iteration count is malformed')
  budget.iterations -= iterations
  if (budget.iterations < 0) throw new Malformed('the file demands too many iterations')
  return iterations
}

function decipher(cipher: string, key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  try {
    const state = createDecipheriv(cipher, key, iv)
    return Buffer.concat([state.update(ciphertext), state.final()])
  } catch {
    throw new Malformed(WRONG_PASSWORD)
  }
}

/** PBES2 with AES-256-CBC under PBKDF2 with HMAC-SHA-256: the AlgorithmIdentifier and the ciphertext. */
export function encryptWithPassword(
  plaintext: Uint8Array,
  password: string,
  iterations: number,
): { readonly algorithm: Uint8Array; readonly ciphertext: Uint8Array } {
  const salt = randomBytes(16)
  const iv = randomBytes(16)
  const key = pbkdf2Sync(utf8(password), salt, iterations, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const kdf = sequence(octetString(salt), integer(iterations), sequence(oid(HMAC_SHA256), NULL))
  const algorithm = sequence(
    oid(PBES2),
    sequence(sequence(oid(PBKDF2), kdf), sequence(oid(AES_256_CBC), octetString(iv))),
  )
  return { algorithm, ciphertext: Buffer.concat([cipher.update(plaintext), cipher.final()]) }
}

type KdfPurpose = 'key' | 'iv' | 'mac'
const PURPOSE_IDS = { key: 1, iv: 2, mac: 3 } as const // RFC 7292 appendix B.3

/** In octets: the input block v of RFC 7292 appendix B. */
const BLOCK_BYTES: Readonly<Record<string, number>> = { sha1: 64, sha224: 64, sha256: 64, sha384: 128, sha512: 128 }

interface KdfInput {
  readonly digest: string
  readonly password: string
  readonly salt: Uint8Array
  readonly iterations: number
  readonly purpose: KdfPurpose
  readonly lengthBytes: number
}

/** The key derivation of PKCS#12 (RFC 7292 appendix B.2). */
export function pkcs12Kdf({ digest, password, salt, iterations, purpose, lengthBytes }: KdfInput): Uint8Array {
  const v = need(BLOCK_BYTES[digest], `the digest ${digest} is not supported`)
  const diversifier = new Uint8Array(v).fill(PURPOSE_IDS[purpose])
  const input = Buffer.concat([fillBlocks(salt, v), fillBlocks(bmpPassword(password), v)])
  const pieces: Uint8Array[] = []
  for (let length = 0; length < lengthBytes;) {
    let piece = hash(digest, Buffer.concat([diversifier, input]), 'buffer')
    for (let i = 1; i < iterations; i++) piece = hash(digest, piece, 'buffer')
    pieces.push(piece)
    length += piece.length
    addToBlocks(input, fillBlocks(piece, v).subarray(0, v), v)
  }
  return Buffer.concat(pieces).subarray(0, lengthBytes)
}

/** BMPString with two zero octets at the end (RFC 7292 appendix B.1). */
function bmpPassword(password: string): Uint8Array {
  return Buffer.from(`${password}\0`, 'utf16le').swap16()
}

/** `bytes` repeated to a multiple of `v`; nothing stays nothing. */
function fillBlocks(bytes: Uint8Array, v: number): Uint8Array {
  const length = v * Math.ceil(bytes.length / v)
  return length === 0 ? bytes : Buffer.alloc(length, bytes)
}

/** Adds `addend` + 1 to each block of `blocks`, modulo 2^(8 v). */
function addToBlocks(blocks: Uint8Array, addend: Uint8Array, v: number): void {
  for (let start = 0; start < blocks.length; start += v) {
    let carry = 1
    for (let i = v - 1; i >= 0; i--) {
      carry += (blocks[start + i] ?? 0) + (addend[i] ?? 0)
      blocks[start + i] = carry & 0xff
      carry >>= 8
    }
  }
}
