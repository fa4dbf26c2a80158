import { Buffer } from 'node:buffer'
import { CR, LF } from '../base/bytes.ts'

/**
 * Cuts a message, chunk by chunk, to what TOP shows (RFC 1939 §7): the header, the empty line, and the first lines of the
 * body. A line ends at LF, with or without CR before it, so that a message with bare LF is cut where a reader sees lines.
 */
export class TopCutter {
  #bodyLinesLeft: number
  #inHeader = true
  #done = false
  /** Length of the current header line so far, its CR not counted. */
  #headerLineBytes = 0

  /** `bodyLines`: how many lines of the body to show, 0 or more. */
  constructor(bodyLines: number) {
    this.#bodyLinesLeft = bodyLines
  }

  /** True when nothing of what follows is shown. */
  get done(): boolean {
    return this.#done
  }

  /** The part of the chunk that is shown. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#done) return chunk.subarray(0, 0)
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    while (!this.#done && at < bytes.length)
      at = this.#inHeader ? this.#headerLine(bytes, at) : this.#bodyLine(bytes, at)
    return chunk.subarray(0, at)
  }

  #headerLine(bytes: Buffer, start: number): number {
    const lf = bytes.indexOf(LF, start)
    const end = lf === -1 ? bytes.length : lf
    // A CR is not counted wherever it stands: a line of nothing but CRs ends the header for TOP, as it does for readers.
    for (let i = start; i < end && this.#headerLineBytes === 0; i++) if (bytes[i] !== CR) this.#headerLineBytes++
    if (lf === -1) return bytes.length
    if (this.#headerLineBytes === 0) {
      this.#inHeader = false
      this.#done = this.#bodyLinesLeft === 0
    }
    this.#headerLineBytes = 0
    return lf + 1
  }

  #bodyLine(bytes: Buffer, start: number): number {
    const lf = bytes.indexOf(LF, start)
    if (lf === -1) return bytes.length
    this.#bodyLinesLeft--
    this.#done = this.#bodyLinesLeft === 0
    return lf + 1
  }
}
