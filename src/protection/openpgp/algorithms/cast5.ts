/** CAST-128 with keys of 128 bits (RFC 2144), GnuPG's own choice until 2.1. To read only: OpenSSL keeps it among what is obsolete. */
import { Buffer } from 'node:buffer'
import type { BlockCipher } from './block-cfb.ts'
import { BOX_WORDS, CAST_BOXES } from './cast5-boxes.ts'

const ROUNDS = 16
const KEY_BYTES = 16

type Box = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

const s = (box: Box, octet: number): number => CAST_BOXES[(box - 1) * BOX_WORDS + (octet & 0xff)] ?? 0

/** Where the octets stand that go through S5, S6, S7, S8, and the fifth with its box (RFC 2144 §2.4). */
type Mix = readonly [a: number, b: number, c: number, d: number, fifth: number, box: Box]
/** A word of what was, and what is mixed into it. */
type Turn = readonly [from: number, mix: Mix]

const FORTH: readonly Turn[] = [
  [0x0, [0xd, 0xf, 0xc, 0xe, 0x8, 7]],
  [0x8, [0x0, 0x2, 0x1, 0x3, 0xa, 8]],
  [0xc, [0x7, 0x6, 0x5, 0x4, 0x9, 5]],
  [0x4, [0xa, 0x9, 0xb, 0x8, 0xb, 6]],
]
const BACK: readonly Turn[] = [
  [0x8, [0x5, 0x7, 0x4, 0x6, 0x0, 7]],
  [0x0, [0x0, 0x2, 0x1, 0x3, 0x2, 8]],
  [0x4, [0x7, 0x6, 0x5, 0x4, 0x1, 5]],
  [0xc, [0xa, 0x9, 0xb, 0x8, 0x3, 6]],
]

/** After each turn four subkeys are made of the octets as they then are. */
const TURNS: readonly (readonly [turn: readonly Turn[], subkeys: readonly Mix[]])[] = [
  [
    FORTH,
    [
      [0x8, 0x9, 0x7, 0x6, 0x2, 5],
      [0xa, 0xb, 0x5, 0x4, 0x6, 6],
      [0xc, 0xd, 0x3, 0x2, 0x9, 7],
      [0xe, 0xf, 0x1, 0x0, 0xc, 8],
    ],
  ],
  [
    BACK,
    [
      [0x3, 0x2, 0xc, 0xd, 0x8, 5],
      [0x1, 0x0, 0xe, 0xf, 0xd, 6],
      [0x7, 0x6, 0x8, 0x9, 0x3, 7],
      [0x5, 0x4, 0xa, 0xb, 0x7, 8],
    ],
  ],
  [
    FORTH,
    [
      [0x3, 0x2, 0xc, 0xd, 0x9, 5],
      [0x1, 0x0, 0xe, 0xf, 0xc, 6],
      [0x7, 0x6, 0x8, 0x9, 0x2, 7],
      [0x5, 0x4, 0xa, 0xb, 0x6, 8],
    ],
  ],
  [
    BACK,
    [
      [0x8, 0x9, 0x7, 0x6, 0x3, 5],
      [0xa, 0xb, 0x5, 0x4, 0x7, 6],
      [0xc, 0xd, 0x3, 0x2, 0x8, 7],
      [0xe, 0xf, 0x1, 0x0, 0xd, 8],
    ],
  ],
]

/** Sixteen masks, then sixteen rotations. */
function expandKey(key: Uint8Array): Int32Array {
  const subkeys: number[] = []
  let octets: Buffer = Buffer.from(key)
  for (const [turn, mixes] of [...TURNS, ...TURNS]) {
    octets = turned(octets, turn)
    for (const mix of mixes) subkeys.push(mixed(octets, octets, mix))
  }
  return Int32Array.from(subkeys)
}

function turned(old: Buffer, turn: readonly Turn[]): Buffer {
  const next = Buffer.alloc(KEY_BYTES)
  for (const [at, [from, mix]] of turn.entries())
    next.writeUInt32BE((old.readUInt32BE(from) ^ mixed(at === 0 ? old : next, old, mix)) >>> 0, 4 * at)
  return next
}

function mixed(octets: Buffer, old: Buffer, [a, b, c, d, fifth, box]: Mix): number {
  const at = (i: number): number => octets[i] ?? 0
  return s(5, at(a)) ^ s(6, at(b)) ^ s(7, at(c)) ^ s(8, at(d)) ^ s(box, old[fifth] ?? 0)
}

/** RFC 2144 §2.2. */
function rounded(round: number, mask: number, rotation: number, right: number): number {
  switch (round % 3) {
    case 0: {
      const i = rotated(mask + right, rotation)
      return (s(1, i >>> 24) ^ s(2, i >>> 16)) - s(3, i >>> 8) + s(4, i)
    }
    case 1: {
      const i = rotated(mask ^ right, rotation)
      return (s(1, i >>> 24) - s(2, i >>> 16) + s(3, i >>> 8)) ^ s(4, i)
    }
    default: {
      const i = rotated(mask - right, rotation)
      return ((s(1, i >>> 24) + s(2, i >>> 16)) ^ s(3, i >>> 8)) - s(4, i)
    }
  }
}

/** To the left, by the low five bits of `by`, which is what the operators take. */
const rotated = (word: number, by: number): number => (word << by) | (word >>> -by)

export function cast5(key: Uint8Array): BlockCipher {
  const subkeys = expandKey(key)
  return (block) => {
    let [left, right] = [block.readInt32BE(0), block.readInt32BE(4)]
    for (let round = 0; round < ROUNDS; round++) {
      const next = left ^ rounded(round, subkeys[round] ?? 0, subkeys[ROUNDS + round] ?? 0, right)
      ;[left, right] = [right, next]
    }
    block.writeInt32BE(right, 0)
    block.writeInt32BE(left, 4)
  }
}
