/**
 * Proof that a message has CRLF line ends only, chunk by chunk. The SMTP library would turn a bare CR or LF into CRLF
 * (dependencies trap 11), which breaks signatures: such a message is not sent at all.
 */
import { Buffer } from 'node:buffer'
import { CR, LF } from '../base/bytes.ts'

export class LineEndCheck {
  #last = 0

  /** False when a bare CR or LF is in what has been given so far. */
  accepts(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return true
    if (this.#last === CR && chunk[0] !== LF) return false
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (bytes[0] === LF && this.#last !== CR) return false
    for (let at = bytes.indexOf(LF, 1); at >= 0; at = bytes.indexOf(LF, at + 1)) if (bytes[at - 1] !== CR) return false
    for (let at = bytes.indexOf(CR); at >= 0 && at < bytes.length - 1; at = bytes.indexOf(CR, at + 1))
      if (bytes[at + 1] !== LF) return false
    this.#last = bytes[bytes.length - 1] as number
    return true
  }

  /** False when the message ended in a bare CR. */
  ends(): boolean {
    return this.#last !== CR
  }
}
