/** Blowfish with keys of 128 bits (Schneier 1993). To read only: OpenSSL keeps it among what is obsolete. */
import type { BlockCipher } from './block-cfb.ts'

const ROUNDS = 16
const SUBKEYS = ROUNDS + 2
const BOXES = 4
const BOX_WORDS = 256
const WORD_BITS = 32n
const PI_WORDS = SUBKEYS + BOXES * BOX_WORDS
/** So that the last word is right although every term is cut off. */
const GUARD_BITS = 64n

/** The subkeys, then the boxes: before the key comes in, the binary digits of pi behind the point. */
let digitsOfPi: Uint32Array | undefined

/** Machin's formula. It takes some tens of milliseconds, once. */
function computePi(): Uint32Array {
  const bits = BigInt(PI_WORDS) * WORD_BITS
  const one = 1n << (bits + GUARD_BITS)
  const pi = 4n * (4n * arcCotangent(5n, one) - arcCotangent(239n, one))
  const fraction = (pi % one) >> GUARD_BITS
  const octets = Buffer.from(fraction.toString(16).padStart(8 * PI_WORDS, '0'), 'hex')
  return Uint32Array.from({ length: PI_WORDS }, (_, at) => octets.readUInt32BE(4 * at))
}

function arcCotangent(x: bigint, one: bigint): bigint {
  let sum = 0n
  let term = one / x
  for (let n = 1n; term !== 0n; n += 2n) {
    sum += n % 4n === 1n ? term / n : -(term / n)
    term /= x * x
  }
  return sum
}

type Halves = readonly [left: number, right: number]

function encryptHalves(words: Uint32Array, [left, right]: Halves): Halves {
  const at = (i: number): number => words[i] ?? 0
  const box = (number: number, octet: number): number => at(SUBKEYS + number * BOX_WORDS + (octet & 0xff))
  let [a, b] = [left, right]
  for (let round = 0; round < ROUNDS; round++) {
    a ^= at(round)
    b ^= (((box(0, a >>> 24) + box(1, a >>> 16)) ^ box(2, a >>> 8)) + box(3, a)) | 0
    ;[a, b] = [b, a]
  }
  return [(b ^ at(ROUNDS + 1)) >>> 0, (a ^ at(ROUNDS)) >>> 0]
}

function expandKey(key: Uint8Array): Uint32Array {
  digitsOfPi ??= computePi()
  const octets = Buffer.from(key)
  const words = digitsOfPi.map((word, at) =>
    at < SUBKEYS ? word ^ octets.readUInt32BE((4 * at) % octets.length) : word,
  )
  let halves: Halves = [0, 0]
  for (let at = 0; at < words.length; at += 2) {
    halves = encryptHalves(words, halves)
    words.set(halves, at)
  }
  return words
}

export function blowfish(key: Uint8Array): BlockCipher {
  const words = expandKey(key)
  return (block) => {
    const [left, right] = encryptHalves(words, [block.readUInt32BE(0), block.readUInt32BE(4)])
    block.writeUInt32BE(left, 0)
    block.writeUInt32BE(right, 4)
  }
}
