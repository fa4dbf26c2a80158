/** One block of bzip2: prefix codes, move-to-front, the Burrows-Wheeler transform and runs, all undone. */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { Malformed } from '../../malformed.ts'

const GROUP_SYMBOLS = 50
const TABLES_MIN = 2
const TABLES_MAX = 6
const CODE_MAX_BITS = 20
const RUN_BYTES = 4
const OUT_BYTES = 64 * 2 ** 10

export const damaged = (): Malformed => new Malformed('the compressed content is damaged')

/** Thrown when a block is not all there. */
export class CutOff extends Error {}

/** Most significant bit first. */
export class BitReader {
  readonly #bytes: Uint8Array
  atBits: number

  constructor(bytes: Uint8Array, atBits: number) {
    this.#bytes = bytes
    this.atBits = atBits
  }

  /** At most 32 bits. */
  take(count: number): number {
    let value = 0
    for (let left = count; left > 0;) {
      const byte = this.#bytes[this.atBits >> 3]
      if (byte === undefined) throw new CutOff()
      const room = 8 - (this.atBits & 7)
      const bits = Math.min(room, left)
      value = value * 2 ** bits + ((byte >> (room - bits)) & (2 ** bits - 1))
      this.atBits += bits
      left -= bits
    }
    return value
  }
}

/** A block in the order of the Burrows-Wheeler transform. */
interface Block {
  /** By place: the byte in the low 8 bits, the place of the next one above. */
  readonly chain: Uint32Array
  readonly length: number
  readonly origin: number
}

/** `chain` is room for the longest block there may be. */
export function readBlock(reader: BitReader, chain: Uint32Array): Block {
  if (reader.take(1) === 1) throw new Malformed('bzip2 with randomised blocks is not supported')
  const origin = reader.take(24)
  const length = readSymbols(reader, chain)
  if (origin >= length) throw damaged()
  const next = startsOf(chain.subarray(0, length))
  for (let place = 0; place < length; place++) {
    const byte = at(chain, place) & 0xff
    const target = at(next, byte)
    next[byte] = target + 1
    chain[target] = (at(chain, target) & 0xff) | (place << 8)
  }
  return { chain, length, origin }
}

/** By byte: at which place its first stands when all are sorted. */
function startsOf(bytes: Uint32Array): Uint32Array {
  const counts = new Uint32Array(256)
  for (const byte of bytes) counts[byte] = at(counts, byte) + 1
  let start = 0
  return counts.map((count) => {
    start += count
    return start - count
  })
}

/** Writes the bytes of a block into `chain`; returns how many. */
function readSymbols(reader: BitReader, chain: Uint32Array): number {
  const recent = readAlphabet(reader)
  const endOfBlock = recent.length + 1
  const codeOf = readCodes(reader, recent.length + 2)
  let [length, run, place] = [0, 0, 1]
  for (let count = 0; ; count++) {
    const symbol = readSymbol(reader, codeOf(count))
    if (symbol <= 1) {
      run += place << symbol
      place *= 2
      if (length + run > chain.length) throw damaged()
      continue
    }
    chain.fill(recent[0] as number, length, length + run)
    length += run
    run = 0
    place = 1
    if (symbol === endOfBlock) return length
    if (length === chain.length) throw damaged()
    const byte = recent[symbol - 1] as number
    recent.copyWithin(1, 0, symbol - 1)
    recent[0] = byte
    chain[length++] = byte
  }
}

/** The bytes that occur, sorted. */
function readAlphabet(reader: BitReader): Uint8Array {
  const ranges = reader.take(16)
  const bytes: number[] = []
  for (let range = 0; range < 16; range++)
    if (((ranges >> (15 - range)) & 1) === 1) {
      const used = reader.take(16)
      for (let low = 0; low < 16; low++) if (((used >> (15 - low)) & 1) === 1) bytes.push(range * 16 + low)
    }
  if (bytes.length === 0) throw damaged()
  return Uint8Array.from(bytes)
}

/** How many codes have each length, and the symbols in the order of their codes. */
interface Code {
  readonly counts: Uint32Array
  readonly symbols: readonly number[]
}

/** Which code the symbol of this number is in. */
function readCodes(reader: BitReader, symbols: number): (count: number) => Code {
  const tables = reader.take(3)
  if (tables < TABLES_MIN || tables > TABLES_MAX) throw damaged()
  const selectors = new Uint8Array(reader.take(15))
  const recent = Uint8Array.from({ length: tables }, (_, table) => table)
  for (let index = 0; index < selectors.length; index++) {
    let place = 0
    while (reader.take(1) === 1) if (++place === tables) throw damaged()
    const table = recent[place] as number
    recent.copyWithin(1, 0, place)
    selectors[index] = recent[0] = table
  }
  const codes = Array.from({ length: tables }, () => readCode(reader, symbols))
  return (count) => {
    const code = codes[selectors[Math.floor(count / GROUP_SYMBOLS)] ?? TABLES_MAX]
    if (code === undefined) throw damaged()
    return code
  }
}

function readCode(reader: BitReader, symbols: number): Code {
  const lengths: number[] = []
  const counts = new Uint32Array(CODE_MAX_BITS + 1)
  let length = reader.take(5)
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > CODE_MAX_BITS) throw damaged()
      if (reader.take(1) === 0) break
      length += reader.take(1) === 0 ? 1 : -1
    }
    lengths.push(length)
    counts[length] = at(counts, length) + 1
  }
  const sorted = [...lengths.keys()].sort((a, b) => (lengths[a] as number) - (lengths[b] as number))
  return { counts, symbols: sorted }
}

/** Bit by bit: codes of one length are consecutive numbers, and follow those that are shorter. */
function readSymbol(reader: BitReader, { counts, symbols }: Code): number {
  for (let [length, code, first, index] = [1, 0, 0, 0]; length <= CODE_MAX_BITS; length++) {
    code = 2 * code + reader.take(1)
    const count = at(counts, length)
    if (code - first < count) return symbols[index + code - first] as number
    index += count
    first = 2 * (first + count)
  }
  throw damaged()
}

/** Four equal bytes are followed by how many more of them there are. */
export function writeBlock({ chain, length, origin }: Block, out: ByteSink): void {
  let buffer = new Uint8Array(OUT_BYTES)
  let [used, same, last] = [0, 0, -1]
  let entry = at(chain, origin)
  for (let count = 0; count < length; count++) {
    entry = at(chain, entry >>> 8)
    const byte = entry & 0xff
    const isRun = same === RUN_BYTES
    const times = isRun ? byte : 1
    same = isRun ? 0 : byte === last ? same + 1 : 1
    if (!isRun) last = byte
    buffer.fill(last, used, used + times)
    used += times
    if (used + 0xff <= OUT_BYTES) continue
    out.write(buffer.subarray(0, used))
    buffer = new Uint8Array(OUT_BYTES)
    used = 0
  }
  if (used > 0) out.write(buffer.subarray(0, used))
}

const at = (table: Uint32Array, index: number): number => table[index] as number
