/**
 * Ciphers of the content, one row each: RFC 3565 (AES-CBC), RFC 5084 (AES-GCM, AES-CCM), RFC 8103 (ChaCha20-Poly1305),
 * RFC 3370 (3DES, RC2). What we may write, and what is only read, because old mail was sealed with it.
 */
import type { Weakness } from '../../weakness.ts'

export type CipherMode = 'cbc' | 'gcm' | 'ccm' | 'chacha20' | 'rc2-cbc'

export interface CipherRow {
  readonly oid: string
  /** As node:crypto has it, where that knows it. */
  readonly name: string
  readonly mode: CipherMode
  readonly keyBytes: number
  /** Of the block cipher below it; what CBC pads to. */
  readonly blockBytes: number
  /** Since when it protects nobody any more, and who says so. Such a cipher is read, reported as weak, and never written. */
  readonly weak?: Weakness
  /** Not written although not weak, and why. */
  readonly readOnly?: string
}

const AES_BLOCK_BYTES = 16
const DES_BLOCK_BYTES = 8

const aes = (oid: string, name: string, mode: 'cbc' | 'gcm' | 'ccm', bits: 128 | 192 | 256): CipherRow => {
  const row = { oid: `2.16.840.1.101.3.4.1.${oid}`, name, mode, keyBytes: bits / 8, blockBytes: AES_BLOCK_BYTES }
  return mode === 'ccm' ? { ...row, readOnly: 'it needs the length of the content before its first octet' } : row
}

/** Blocks of 64 bits (Sweet32, CVE-2016-2183), and fewer than 128 bits of security. */
const HISTORIC: Weakness = { since: 2019, source: 'RFC 8551 appendix B.3' }
/** A key that can be searched for; S/MIME 3.2 dropped RC2/40 in 2010. */
const EXPORT: Weakness = { since: 2010, source: 'RFC 8551 appendix B.3' }

const rc2 = (bits: 40 | 64 | 128, weak: Weakness): CipherRow => ({
  oid: '1.2.840.113549.3.2',
  name: `rc2-${bits}-cbc`,
  mode: 'rc2-cbc',
  keyBytes: bits / 8,
  blockBytes: DES_BLOCK_BYTES,
  weak,
})

export const CIPHERS: readonly CipherRow[] = [
  aes('2', 'aes-128-cbc', 'cbc', 128),
  aes('22', 'aes-192-cbc', 'cbc', 192),
  aes('42', 'aes-256-cbc', 'cbc', 256),
  aes('6', 'aes-128-gcm', 'gcm', 128),
  aes('26', 'aes-192-gcm', 'gcm', 192),
  aes('46', 'aes-256-gcm', 'gcm', 256),
  aes('7', 'aes-128-ccm', 'ccm', 128),
  aes('27', 'aes-192-ccm', 'ccm', 192),
  aes('47', 'aes-256-ccm', 'ccm', 256),
  {
    oid: '1.2.840.113549.1.9.16.3.18',
    name: 'chacha20-poly1305',
    mode: 'chacha20',
    keyBytes: 32,
    blockBytes: 1,
  },
  {
    oid: '1.2.840.113549.3.7',
    name: 'des-ede3-cbc',
    mode: 'cbc',
    keyBytes: 24,
    blockBytes: DES_BLOCK_BYTES,
    weak: HISTORIC,
  },
  rc2(128, HISTORIC),
  rc2(64, EXPORT),
  rc2(40, EXPORT),
]

/** A tag proves that nothing was changed; such a cipher belongs into AuthEnvelopedData (RFC 5083), the others into EnvelopedData. */
export function isAuthenticated({ mode }: CipherRow): boolean {
  switch (mode) {
    case 'gcm':
    case 'ccm':
    case 'chacha20':
      return true
    case 'cbc':
    case 'rc2-cbc':
      return false
  }
}

export const isWritten = ({ weak, readOnly }: CipherRow): boolean => weak === undefined && readOnly === undefined

/** The row of a cipher that we may write; throws on any other name, which is our own mistake. */
export function writtenCipher(name: string): CipherRow {
  const row = CIPHERS.find((cipher) => cipher.name === name)
  if (row === undefined || !isWritten(row)) throw new TypeError(`${name} is not written`)
  return row
}
