/**
 * Literal data (RFC 9580 §5.9). Its format, its file name and its date are not signed, and nobody looks at them; only that it
 * is one of the known formats.
 */
import { Buffer } from 'node:buffer'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'

/** `b`, `t`, `u`; `m` of a draft; `l` and `1`, a local text (RFC 9580 §5.9). */
const FORMATS: ReadonlySet<number | undefined> = new Set(Buffer.from('btuml1'))
/** Before and after the file name: format and its length, the date. */
const FIXED_BYTES = [2, 4] as const

/** Takes the body of the packet; what comes out is the content. */
export function literalSink(out: ByteSink): ByteSink {
  let head: Uint8Array | undefined = new Uint8Array()
  return {
    write(chunk) {
      if (head === undefined) return out.write(chunk)
      head = concatBytes([head, chunk])
      const [format, nameBytes] = head
      if (nameBytes === undefined) return
      if (!FORMATS.has(format)) throw new Malformed('the literal data has an unknown format')
      const headBytes = FIXED_BYTES[0] + nameBytes + FIXED_BYTES[1]
      if (head.length < headBytes) return
      const content = head.subarray(headBytes)
      head = undefined
      if (content.length > 0) out.write(content)
    },
    end() {
      if (head !== undefined) throw new Malformed('the literal data ends too early')
      out.end()
    },
  }
}

/** The body of the packet as we write it: binary, without a name and a date. */
export const LITERAL_HEAD = Uint8Array.of(0x62, 0, 0, 0, 0, 0)
