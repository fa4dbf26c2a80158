/** Makes new inputs out of known ones. The same random numbers make the same inputs. */
import { Buffer } from 'node:buffer'
import type { Random } from './random.ts'

/** Longest input made; large enough for every limit of a header or a structure, small enough to be fast. */
export const INPUT_MAX_BYTES = 64 * 1024
const EDITS_MAX = 6
const REPEATS_MAX = 400

const INTERESTING_BYTES = [
  0, 1, 9, 10, 13, 32, 34, 40, 41, 45, 46, 48, 58, 59, 60, 61, 62, 64, 92, 127, 128, 129, 132, 160, 255,
]
/** Words of the grammars we read, and bytes that begin or end something in them. */
const TOKENS = [
  '\r\n \n \r \r\n\r\n \r\n.\r\n \r\n-- -- \0 " \\ <> <@ =?utf-8?B? ?= %00 From: charset*0*= message/rfc822 base64 =\r\n'.split(
    ' ',
  ),
  ['Content-Type: multipart/mixed; boundary='],
]
  .flat()
  .map((text) => Buffer.from(text, 'latin1'))
const STRUCTURES = [
  [0x30, 0x80],
  [0x00, 0x00],
  [0x24, 0x80],
  [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
  [0xa0, 0x80],
  [0x04, 0x82, 0xff, 0xff],
  [0x1f, 0xff, 0xff, 0x7f],
  [0xc3, 0x28],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
].map((bytes) => Buffer.from(bytes))

type Edit = (input: Buffer, random: Random, others: readonly Uint8Array[]) => Buffer

export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let input: Buffer = Buffer.from(seeds.length === 0 ? new Uint8Array(0) : random.pick(seeds))
  for (let edits = 1 + random.below(EDITS_MAX); edits > 0; edits--) input = random.pick(EDITS)(input, random, seeds)
  return new Uint8Array(input.subarray(0, INPUT_MAX_BYTES))
}

const EDITS: readonly Edit[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  insertBytes,
  insertBytes,
  deleteRange,
  duplicateRange,
  repeatRange,
  swapRanges,
  spliceOther,
  editLength,
  editLength,
  editDigits,
  truncate,
]

function flipBit(input: Buffer, random: Random): Buffer {
  if (input.length === 0) return input
  const at = random.below(input.length)
  input[at] = (input[at] ?? 0) ^ (1 << random.below(8))
  return input
}

function setByte(input: Buffer, random: Random): Buffer {
  if (input.length > 0) input[random.below(input.length)] = random.pick(INTERESTING_BYTES)
  return input
}

function insertBytes(input: Buffer, random: Random): Buffer {
  return insertAt(input, random.below(input.length + 1), random.pick(random.below(2) === 0 ? TOKENS : STRUCTURES))
}

function deleteRange(input: Buffer, random: Random): Buffer {
  const [from, to] = range(input, random)
  return Buffer.concat([input.subarray(0, from), input.subarray(to)])
}

function duplicateRange(input: Buffer, random: Random): Buffer {
  const [from, to] = range(input, random)
  return insertAt(input, random.below(input.length + 1), input.subarray(from, to))
}

/** Many times the same little thing: what should take linear time shows whether it does. */
function repeatRange(input: Buffer, random: Random): Buffer {
  const [from, to] = range(input, random, 32)
  const many = Array.from({ length: random.below(REPEATS_MAX) }, () => input.subarray(from, to))
  return insertAt(input, to, Buffer.concat(many))
}

function swapRanges(input: Buffer, random: Random): Buffer {
  const [a, b] = range(input, random)
  const c = b + random.below(input.length - b + 1)
  return Buffer.concat([input.subarray(0, a), input.subarray(b, c), input.subarray(a, b), input.subarray(c)])
}

function spliceOther(input: Buffer, random: Random, others: readonly Uint8Array[]): Buffer {
  if (others.length === 0) return input
  const other = Buffer.from(random.pick(others))
  return Buffer.concat([
    input.subarray(0, random.below(input.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ])
}

/** A DER length, or a 16- or 32-bit number: a little more, a little less, or far too much. */
function editLength(input: Buffer, random: Random): Buffer {
  if (input.length < 5) return input
  const at = random.below(input.length - 4)
  const edits = [
    () => (input[at] = ((input[at] ?? 0) + random.below(5) - 2) & 0xff),
    () => (input[at] = 0x80 | random.below(6)),
    () => input.writeUInt16BE((input.readUInt16BE(at) + random.below(9) - 4) & 0xffff, at),
    () => input.writeUInt32BE(random.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff]), at),
  ]
  random.pick(edits)()
  return input
}

/** The next decimal number in the text becomes another one. */
function editDigits(input: Buffer, random: Random): Buffer {
  const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
  let from = random.below(input.length + 1)
  while (from < input.length && !isDigit(input[from] ?? 0)) from++
  let to = from
  while (to < input.length && isDigit(input[to] ?? 0)) to++
  const number = random.pick([
    '',
    '0',
    '-1',
    '1',
    '65536',
    '4294967296',
    '9007199254740993',
    '1e9',
    '99999999999999999999',
  ])
  return Buffer.concat([input.subarray(0, from), Buffer.from(number), input.subarray(to)])
}

function truncate(input: Buffer, random: Random): Buffer {
  return input.subarray(0, random.below(input.length + 1))
}

function insertAt(input: Buffer, at: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]).subarray(0, INPUT_MAX_BYTES)
}

function range(input: Buffer, random: Random, lengthMax = input.length): [from: number, to: number] {
  const from = random.below(input.length + 1)
  return [from, from + random.below(Math.min(lengthMax, input.length - from) + 1)]
}
