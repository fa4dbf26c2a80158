import { Buffer } from 'node:buffer'
import { CR, LF } from '../base/bytes.ts'

const DOT = 0x2e
const LINE_START_DOT = Buffer.from('\n.')

/**
 * Makes a message the body of a multi-line answer (RFC 1939 §3), chunk by chunk: a line that begins with a dot gets one
 * more, and a message whose last line is not ended gets its CRLF, since the closing dot needs a line of its own.
 *
 * A line starts after any LF, not after CRLF only. Nearly every client cuts at LF and would otherwise take LF-dot-CRLF
 * inside a message for its end, and what follows for the server's next answer (docs/decisions/0008-pop3-without-lock.md).
 */
export class DotStuffer {
  #last = LF
  #beforeLast = CR

  /** The chunk as it goes on the wire; the chunk itself when there is nothing to stuff. */
  push(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return chunk
    const afterLf = this.#last === LF
    if (chunk.length > 1) this.#beforeLast = chunk[chunk.length - 2] as number
    else this.#beforeLast = this.#last
    this.#last = chunk[chunk.length - 1] as number
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (afterLf && bytes[0] === DOT) return stuffFrom(bytes, 0)
    const first = bytes.indexOf(LINE_START_DOT)
    return first === -1 ? chunk : stuffFrom(bytes, first + 1)
  }

  /** What is still missing before the line with the closing dot: CRLF or nothing. */
  end(): Uint8Array {
    return this.#last === LF && this.#beforeLast === CR ? Buffer.alloc(0) : Buffer.from('\r\n')
  }
}

/** Copies `bytes`, doubling the dot at `firstDot` and every later one that follows an LF. */
function stuffFrom(bytes: Buffer, firstDot: number): Uint8Array {
  // At worst every second byte from the first dot on is a dot to double.
  const out = Buffer.allocUnsafe(bytes.length + ((bytes.length - firstDot + 1) >> 1))
  bytes.copy(out, 0, 0, firstDot)
  out[firstDot] = DOT
  let written = firstDot + 1
  let last = DOT
  for (let i = firstDot; i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (byte === DOT && last === LF) out[written++] = DOT
    out[written++] = byte
    last = byte
  }
  return out.subarray(0, written)
}
