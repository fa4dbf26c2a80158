/** Bytes that are read as if they were too many for memory, in slices of any size. */
import { type ByteKeeper, ByteRange } from '../../src/base/byte-range.ts'

export const inSlices = (bytes: Uint8Array, sliceBytes: number): ByteRange =>
  new ByteRange(slicing(() => bytes, sliceBytes))

function slicing(kept: () => Uint8Array, sliceBytes: number): ByteKeeper {
  return {
    get lengthBytes() {
      return kept().length
    },
    *slices(from, to) {
      for (let at = from; at < to; at += sliceBytes) yield kept().subarray(at, Math.min(at + sliceBytes, to))
    },
  }
}
