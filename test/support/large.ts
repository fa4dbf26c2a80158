/** Bytes that are read as if they were too many for memory, in slices of any size. */
import { type ByteKeeper, ByteRange, type OpenSpill } from '../../src/base/byte-range.ts'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes } from '../../src/base/bytes.ts'

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

/** Spills that stay in memory. `open` holds those that were not dropped. */
export function memorySpills(sliceBytes: number): { readonly openSpill: OpenSpill; readonly open: Set<unknown> } {
  const open = new Set<unknown>()
  const openSpill: OpenSpill = () => {
    const collector = new Collector()
    let kept: Uint8Array = new Uint8Array()
    const keeper = slicing(() => kept, sliceBytes)
    const spill = {
      write: (chunk: Uint8Array) => collector.write(Uint8Array.from(chunk)),
      end: () => {
        kept = concatBytes(collector.take())
      },
      get range() {
        return new ByteRange(keeper)
      },
      drop: () => void open.delete(spill),
    }
    open.add(spill)
    return spill
  }
  return { openSpill, open }
}
