/** Writes a packet whose length is not known when it begins (RFC 9580 §4.2.1.4). */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { writeLength } from './packet-header.ts'

const PART_BITS = 16
/** What is not longer is written in one piece with its length in front. */
const PART_BYTES = 2 ** PART_BITS

/** Takes the body; writes the packet in parts, and a short one in a single write. The type must be one of data. */
export function partialBodySink(type: number, out: ByteSink): ByteSink {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let tag = [0xc0 | type]
  return {
    write: (chunk) => {
      held.push(chunk)
      heldBytes += chunk.length
      if (heldBytes <= PART_BYTES) return
      const bytes = concatBytes(held)
      let at = 0
      for (; bytes.length - at > PART_BYTES; at += PART_BYTES) {
        out.write(Uint8Array.of(...tag, 0xe0 | PART_BITS))
        out.write(bytes.subarray(at, at + PART_BYTES))
        tag = []
      }
      held = [bytes.subarray(at)]
      heldBytes = bytes.length - at
    },
    end: () => {
      out.write(concatBytes([Uint8Array.of(...tag, ...writeLength(heldBytes)), ...held]))
      out.end()
    },
  }
}
