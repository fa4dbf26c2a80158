/**
 * DEFLATE (RFC 1951) undone as the bytes come. Node's own has no synchronous form for a stream, and this runs inside of
 * other sinks; what fits into memory goes through Node's.
 */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { CODE_MAX_BITS, FAST_BITS, type PrefixCode, prefixCode } from './prefix-code.ts'

const WINDOW_BYTES = 32 * 2 ** 10
const FLUSH_AT_BYTES = WINDOW_BYTES + 64 * 2 ** 10
const COPY_MAX_BYTES = 258
/** More than any header of a block, so that it is read in one go. */
const HEADER_ROOM_BYTES = 600
/** More than any symbol with its extra bits. */
const SYMBOL_ROOM_BYTES = 8

const END_OF_BLOCK = 256
const FAST_MASK = 2 ** FAST_BITS - 1
/** By length symbol, from 257 on (§3.2.5). */
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]
const LENGTH_EXTRA_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]
const DISTANCE_EXTRA_BITS = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]
/** In which order the lengths of the code of lengths come (§3.2.7). */
const LENGTH_CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
const LITERALS_MAX = 286
const DISTANCES_MAX = 30

const FIXED_LITERALS = prefixCode(
  Uint8Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
)
const FIXED_DISTANCES = prefixCode(new Uint8Array(32).fill(5))

const damaged = (): Malformed => new Malformed('the compressed content is damaged')

/** What comes behind the last block is ignored. Throws Malformed out of `write` and `end`. */
export class Inflate implements ByteSink {
  readonly #out: ByteSink
  #in: Uint8Array = new Uint8Array()
  #at = 0
  /** Bits that were taken from the input and not used yet, and how many. */
  #hold = 0
  #bits = 0
  #inputEnded = false

  #state: 'header' | 'stored' | 'codes' | 'done' = 'header'
  #isLast = false
  #storedLeftBytes = 0
  #literals = FIXED_LITERALS
  #distances = FIXED_DISTANCES

  /** The last WINDOW_BYTES of what was written, and behind them what was not written yet. */
  readonly #window = new Uint8Array(FLUSH_AT_BYTES + COPY_MAX_BYTES)
  #end = 0
  #written = 0

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#state === 'done') return
    this.#in = concatBytes([this.#in.subarray(this.#at), chunk])
    this.#at = 0
    this.#run()
  }

  end(): void {
    this.#inputEnded = true
    this.#run()
    if (this.#state !== 'done') throw damaged()
    this.#flush()
    this.#out.end()
  }

  #run(): void {
    for (;;) {
      if (this.#state === 'header' && this.#hasRoom(HEADER_ROOM_BYTES)) this.#header()
      else if (this.#state === 'codes' && this.#hasRoom(SYMBOL_ROOM_BYTES)) this.#codes()
      else if (this.#state !== 'stored' || !this.#stored()) return
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#inputEnded || this.#in.length - this.#at >= bytes
  }

  #header(): void {
    this.#isLast = this.#take(1) === 1
    const type = this.#take(2)
    if (type === 3) throw damaged()
    if (type === 0) {
      this.#take(this.#bits & 7)
      const length = this.#take(16)
      if (this.#take(16) !== (length ^ 0xffff)) throw damaged()
      this.#storedLeftBytes = length
      this.#state = 'stored'
      return
    }
    this.#literals = FIXED_LITERALS
    this.#distances = FIXED_DISTANCES
    if (type === 2) this.#readCodes()
    this.#state = 'codes'
  }

  /** The codes of a block that brings its own (§3.2.7). */
  #readCodes(): void {
    const literals = this.#take(5) + 257
    const distances = this.#take(5) + 1
    if (literals > LITERALS_MAX || distances > DISTANCES_MAX) throw damaged()
    const lengthLengths = new Uint8Array(LENGTH_CODE_ORDER.length)
    const count = this.#take(4) + 4
    for (const symbol of LENGTH_CODE_ORDER.slice(0, count)) lengthLengths[symbol] = this.#take(3)
    const lengthCode = prefixCode(lengthLengths)
    const lengths = new Uint8Array(literals + distances)
    for (let at = 0; at < lengths.length;) {
      const symbol = this.#symbol(lengthCode)
      const [value, times] = symbol < 16 ? [symbol, 1] : this.#repetition(symbol, lengths[at - 1])
      if (at + times > lengths.length) throw damaged()
      lengths.fill(value, at, at + times)
      at += times
    }
    if (lengths[END_OF_BLOCK] === 0) throw damaged()
    this.#literals = prefixCode(lengths.subarray(0, literals))
    this.#distances = prefixCode(lengths.subarray(literals))
  }

  #repetition(symbol: number, previous: number | undefined): [value: number, times: number] {
    if (symbol === 17) return [0, 3 + this.#take(3)]
    if (symbol === 18) return [0, 11 + this.#take(7)]
    if (previous === undefined) throw damaged()
    return [previous, 3 + this.#take(2)]
  }

  /** False when there is nothing to be copied yet. */
  #stored(): boolean {
    for (; this.#bits > 0 && this.#storedLeftBytes > 0; this.#storedLeftBytes--) {
      this.#window[this.#end] = this.#take(8)
      this.#advance(this.#end + 1)
    }
    const bytes = Math.min(this.#storedLeftBytes, this.#in.length - this.#at, FLUSH_AT_BYTES - this.#end)
    this.#window.set(this.#in.subarray(this.#at, this.#at + bytes), this.#end)
    this.#at += bytes
    this.#storedLeftBytes -= bytes
    this.#advance(this.#end + bytes)
    if (this.#storedLeftBytes === 0) this.#endBlock()
    return bytes > 0 || this.#state !== 'stored'
  }

  #endBlock(): void {
    this.#state = this.#isLast ? 'done' : 'header'
  }

  #codes(): void {
    while (this.#hasRoom(SYMBOL_ROOM_BYTES)) {
      const symbol = this.#literalsUpTo()
      if (symbol < END_OF_BLOCK) continue
      if (symbol === END_OF_BLOCK) {
        this.#endBlock()
        return
      }
      const length = this.#value(LENGTH_BASE, LENGTH_EXTRA_BITS, symbol - END_OF_BLOCK - 1)
      const distance = this.#value(DISTANCE_BASE, DISTANCE_EXTRA_BITS, this.#symbol(this.#distances))
      if (distance > this.#end) throw damaged()
      this.#copy(length, distance)
    }
  }

  /** Byte by byte: what is copied may be copied again. */
  #copy(length: number, distance: number): void {
    const window = this.#window
    const end = this.#end + length
    for (let to = this.#end; to < end; to++) window[to] = window[to - distance] as number
    this.#advance(end)
  }

  /** The inner loop: literals whose codes are short, one after the other; returns the first symbol that is another, or a literal. */
  #literalsUpTo(): number {
    const [window, input, { fast }] = [this.#window, this.#in, this.#literals]
    let [hold, bits, at, end] = [this.#hold, this.#bits, this.#at, this.#end]
    let found = 0
    while (at + SYMBOL_ROOM_BYTES <= input.length && end < FLUSH_AT_BYTES) {
      for (; bits < CODE_MAX_BITS; bits += 8) hold |= (input[at++] as number) << bits
      found = fast[hold & FAST_MASK] as number
      if (found === 0 || found >> 4 >= END_OF_BLOCK) break
      window[end++] = found >> 4
      hold >>>= found & 15
      bits -= found & 15
    }
    this.#hold = hold
    this.#bits = bits
    this.#at = at
    this.#advance(end)
    const symbol = this.#symbol(this.#literals)
    if (symbol >= END_OF_BLOCK) return symbol
    this.#window[this.#end] = symbol
    this.#advance(this.#end + 1)
    return symbol
  }

  #value(base: readonly number[], extraBits: readonly number[], symbol: number): number {
    const [least, bits] = [base[symbol], extraBits[symbol]]
    if (least === undefined || bits === undefined) throw damaged()
    return least + this.#take(bits)
  }

  #advance(end: number): void {
    this.#end = end
    if (end < FLUSH_AT_BYTES) return
    this.#flush()
    this.#window.copyWithin(0, end - WINDOW_BYTES, end)
    this.#end = this.#written = WINDOW_BYTES
  }

  #flush(): void {
    if (this.#end > this.#written) this.#out.write(this.#window.slice(this.#written, this.#end))
    this.#written = this.#end
  }

  /** The next `count` bits, at most 16. */
  #take(count: number): number {
    while (this.#bits < count) {
      if (this.#at === this.#in.length) throw damaged()
      this.#hold |= (this.#in[this.#at++] as number) << this.#bits
      this.#bits += 8
    }
    const value = this.#hold & ((1 << count) - 1)
    this.#hold >>>= count
    this.#bits -= count
    return value
  }

  #symbol(code: PrefixCode): number {
    while (this.#bits < CODE_MAX_BITS && this.#at < this.#in.length) {
      this.#hold |= (this.#in[this.#at++] as number) << this.#bits
      this.#bits += 8
    }
    const found = code.fast[this.#hold & FAST_MASK] as number
    if (found === 0) return this.#longSymbol(code)
    const length = found & 15
    if (length > this.#bits) throw damaged()
    this.#hold >>>= length
    this.#bits -= length
    return found >> 4
  }

  /** Bit by bit: codes of one length are consecutive numbers, and follow those that are shorter. */
  #longSymbol({ counts, symbols }: PrefixCode): number {
    for (let [length, code, first, index] = [1, 0, 0, 0]; length <= CODE_MAX_BITS; length++) {
      code = 2 * code + this.#take(1)
      const count = counts[length] as number
      if (code - first < count) return symbols[index + code - first] as number
      index += count
      first = 2 * (first + count)
    }
    throw damaged()
  }
}
