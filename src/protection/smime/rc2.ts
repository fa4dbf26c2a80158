/**
 * RC2 in CBC mode (RFC 2268), to read only: Windows exported PKCS#12 files with it for two
 * decades, S/MIME 2 had no other cipher in common, OpenSSL dropped it.
 */
import { Buffer } from 'node:buffer'

const BLOCK_BYTES = 8

/** Decrypts, padding and all; `undefined` when the lengths are wrong. */
export function decryptRc2Cbc(
  key: Uint8Array,
  effectiveBits: number,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  if (ciphertext.length === 0 || ciphertext.length % BLOCK_BYTES !== 0 || iv.length !== BLOCK_BYTES) return undefined
  const schedule = expandKey(key, effectiveBits)
  const plain = new Uint8Array(ciphertext.length)
  for (let at = 0; at < ciphertext.length; at += BLOCK_BYTES) {
    const previous = at === 0 ? iv : ciphertext.subarray(at - BLOCK_BYTES, at)
    const block = decryptBlock(schedule, ciphertext.subarray(at, at + BLOCK_BYTES))
    for (let i = 0; i < BLOCK_BYTES; i++) plain[at + i] = (block[i] ?? 0) ^ (previous[i] ?? 0)
  }
  return plain
}

const PITABLE = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32' +
    'bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a' +
    '961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e' +
    'c5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
)

/** RFC 2268 §2. */
function expandKey(key: Uint8Array, effectiveBits: number): Uint16Array {
  const bytes = new Uint8Array(128)
  bytes.set(key)
  const at = (i: number): number => bytes[i] ?? 0
  for (let i = key.length; i < 128; i++) bytes[i] = PITABLE[(at(i - 1) + at(i - key.length)) & 0xff] ?? 0
  const effectiveBytes = Math.ceil(effectiveBits / 8)
  const mask = 0xff >> (8 * effectiveBytes - effectiveBits)
  bytes[128 - effectiveBytes] = PITABLE[at(128 - effectiveBytes) & mask] ?? 0
  for (let i = 127 - effectiveBytes; i >= 0; i--) bytes[i] = PITABLE[at(i + 1) ^ at(i + effectiveBytes)] ?? 0
  return Uint16Array.from({ length: 64 }, (_, i) => at(2 * i) | (at(2 * i + 1) << 8))
}

/** RFC 2268 §4: five mixing rounds, a mashing one, six, a mashing one, five; all backwards. */
function decryptBlock(schedule: Uint16Array, block: Uint8Array): Uint8Array {
  const words = Uint16Array.from({ length: 4 }, (_, i) => (block[2 * i] ?? 0) | ((block[2 * i + 1] ?? 0) << 8))
  let at = 63
  for (const [rounds, mash] of ROUNDS) {
    for (let round = 0; round < rounds; round++) at = unmix(words, schedule, at)
    if (mash) unmash(words, schedule)
  }
  return Uint8Array.from({ length: BLOCK_BYTES }, (_, i) => ((words[i >> 1] ?? 0) >> (8 * (i & 1))) & 0xff)
}

const ROUNDS = [
  [5, true],
  [6, true],
  [5, false],
] as const
const SHIFTS = [1, 2, 3, 5] as const

function unmix(words: Uint16Array, schedule: Uint16Array, start: number): number {
  const word = (i: number): number => words[i & 3] ?? 0
  for (let i = 3; i >= 0; i--) {
    const shift = SHIFTS[i] ?? 0
    const rotated = (word(i) >> shift) | (word(i) << (16 - shift))
    const mixed = (word(i + 3) & word(i + 2)) + (~word(i + 3) & word(i + 1))
    words[i] = rotated - mixed - (schedule[start - (3 - i)] ?? 0)
  }
  return start - 4
}

function unmash(words: Uint16Array, schedule: Uint16Array): void {
  for (let i = 3; i >= 0; i--) words[i] = (words[i] ?? 0) - (schedule[(words[(i + 3) & 3] ?? 0) & 63] ?? 0)
}
