/** Symmetric ciphers (RFC 9580 §9.3), one row each: what we may write, and what is only read, because old mail was sealed with it. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Weakness } from '../../weakness.ts'
import { type BlockCipher, runCfb } from './block-cfb.ts'
import { blowfish } from './blowfish.ts'
import { cast5 } from './cast5.ts'
import { idea } from './idea.ts'
import { ParallelCfbDecryption } from './parallel-cfb.ts'

export interface CipherRow {
  readonly id: number
  /** Without its mode, which the container gives it. */
  readonly name: string
  readonly keyBytes: number
  readonly blockBytes: number
  /** Encrypts blocks, where node:crypto does not know the cipher. */
  readonly blocks?: (key: Uint8Array) => BlockCipher
  /** Since when it protects nobody any more, and who says so. Such a cipher is read, reported as weak, and never written. */
  readonly weak?: Weakness
  /** Not written although not weak, and why. */
  readonly readOnly?: string
}

const BLOCK_BYTES = 16
/** Of the ciphers of the nineties. */
const SHORT_BLOCK_BYTES = 8

/** Blocks of 64 bits repeat within a large mail (Sweet32). */
const SHORT_BLOCK: Weakness = { since: 2016, source: 'CVE-2016-2183' }

const aes = (id: number, bits: 128 | 192 | 256): CipherRow => ({
  id,
  name: `aes-${bits}`,
  keyBytes: bits / 8,
  blockBytes: BLOCK_BYTES,
})

/** RFC 5581. */
const camellia = (id: number, bits: 128 | 192 | 256): CipherRow => ({
  id,
  name: `camellia-${bits}`,
  keyBytes: bits / 8,
  blockBytes: BLOCK_BYTES,
  readOnly: 'every program that knows it knows AES',
})

/** Twofish (10) is deliberately absent: OpenSSL has it not, and no program wrote it unless it was told to. */
export const CIPHERS: readonly CipherRow[] = [
  aes(9, 256),
  aes(8, 192),
  aes(7, 128),
  camellia(13, 256),
  camellia(12, 192),
  camellia(11, 128),
  { id: 2, name: 'des-ede3', keyBytes: 24, blockBytes: SHORT_BLOCK_BYTES, weak: SHORT_BLOCK },
  { id: 3, name: 'cast5', keyBytes: 16, blockBytes: SHORT_BLOCK_BYTES, blocks: cast5, weak: SHORT_BLOCK },
  { id: 4, name: 'blowfish', keyBytes: 16, blockBytes: SHORT_BLOCK_BYTES, blocks: blowfish, weak: SHORT_BLOCK },
  { id: 1, name: 'idea', keyBytes: 16, blockBytes: SHORT_BLOCK_BYTES, blocks: idea, weak: SHORT_BLOCK },
]

export const cipherById = (id: number): CipherRow | undefined => CIPHERS.find((row) => row.id === id)

/** The row of a cipher by name; throws on any other name, which is our own mistake. */
export function cipherByName(name: string): CipherRow {
  const row = CIPHERS.find((cipher) => cipher.name === name)
  if (row === undefined) throw new TypeError(`${name} is not a cipher of OpenPGP`)
  return row
}

export const isWritten = ({ weak, readOnly }: CipherRow): boolean => weak === undefined && readOnly === undefined

/** A run of a cipher in CFB mode: as many octets come out as go in. */
export interface CfbRun {
  update(chunk: Uint8Array): Uint8Array
}

/** `key` must have the row's length, `iv` that of a block. */
export const encryptCfb = ({ name, blocks }: CipherRow, key: Uint8Array, iv: Uint8Array): CfbRun =>
  blocks === undefined ? createCipheriv(`${name}-cfb`, key, iv) : runCfb(blocks(key), iv, 'encrypt')

export function decryptCfb({ name, blocks, blockBytes }: CipherRow, key: Uint8Array, iv: Uint8Array): CfbRun {
  if (blocks !== undefined) return runCfb(blocks(key), iv, 'decrypt')
  return blockBytes === BLOCK_BYTES
    ? new ParallelCfbDecryption(name, key, iv)
    : createDecipheriv(`${name}-cfb`, key, iv)
}
