/** Writes a packet whose length is not known when it begins (RFC 9580 §4.2.1.4). */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { FrameQueue } from '../../../base/frame-queue.ts'
import { writeLength } from './packet-header.ts'

const PART_BITS = 16
/** What is not longer is written in one piece with its length in front. */
const PART_BYTES = 2 ** PART_BITS

/** Takes the body; writes the packet in parts, and a short one in a single write. The type must be one of data. */
export function partialBodySink(type: number, out: ByteSink): ByteSink {
  const held = new FrameQueue(PART_BYTES)
  let tag = [0xc0 | type]
  return {
    write: (chunk) => {
      held.push(chunk)
      if (held.keptBytes <= PART_BYTES) return
      for (const part of held.takeFrames()) {
        out.write(Uint8Array.of(...tag, 0xe0 | PART_BITS))
        for (const piece of part) out.write(piece)
        tag = []
      }
    },
    end: () => {
      const length = Uint8Array.of(...tag, ...writeLength(held.keptBytes))
      out.write(concatBytes([length, ...held.takeRest()]))
      out.end()
    },
  }
}
