/** The prefix codes of DEFLATE (RFC 1951 §3.2.2): read from the least significant bit on. */
import { Malformed } from '../../malformed.ts'

export const CODE_MAX_BITS = 15
/** Codes up to this length are looked up at once. A larger table would cost more than it gains on short blocks. */
export const FAST_BITS = 9

export interface PrefixCode {
  /** By the next bits: the symbol times 16, plus how many of the bits are its code; 0 where the code is longer. */
  readonly fast: Uint16Array
  /** How many codes have this length. */
  readonly counts: Uint16Array
  /** In the order of their codes. */
  readonly symbols: Uint16Array
}

/** Throws Malformed when these lengths are no code; one that lacks codes is none either, but for a single code of one bit. */
export function prefixCode(lengths: Uint8Array): PrefixCode {
  const counts = new Uint16Array(CODE_MAX_BITS + 1)
  for (const length of lengths) if (length > 0) counts[length] = at(counts, length) + 1
  checkComplete(counts)
  const next = new Uint16Array(CODE_MAX_BITS + 2)
  for (let length = 1; length <= CODE_MAX_BITS; length++) next[length + 1] = at(next, length) + at(counts, length)
  const symbols = new Uint16Array(at(next, CODE_MAX_BITS + 1))
  for (const [symbol, length] of lengths.entries())
    if (length > 0) {
      symbols[at(next, length)] = symbol
      next[length] = at(next, length) + 1
    }
  return { fast: fastTable(counts, symbols), counts, symbols }
}

function checkComplete(counts: Uint16Array): void {
  let left = 1
  let codes = 0
  for (let length = 1; length <= CODE_MAX_BITS; length++) {
    left = 2 * left - at(counts, length)
    codes += at(counts, length)
    if (left < 0) throw new Malformed('the compressed content is damaged')
  }
  if (left > 0 && codes > at(counts, 1)) throw new Malformed('the compressed content is damaged')
}

function fastTable(counts: Uint16Array, symbols: Uint16Array): Uint16Array {
  const fast = new Uint16Array(2 ** FAST_BITS)
  for (let [length, code, index] = [1, 0, 0]; length <= FAST_BITS; length++, code *= 2)
    for (const end = index + at(counts, length); index < end; index++, code++)
      for (let bits = reversed(code, length); bits < 2 ** FAST_BITS; bits += 2 ** length)
        fast[bits] = at(symbols, index) * 16 + length
  return fast
}

function reversed(code: number, length: number): number {
  let bits = 0
  for (let bit = 0; bit < length; bit++) bits |= ((code >> bit) & 1) << (length - 1 - bit)
  return bits
}

const at = (table: Uint16Array, index: number): number => table[index] as number
