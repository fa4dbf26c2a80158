/**
 * Proof that a message has CRLF line ends only, chunk by chunk. The SMTP library would turn a bare CR or LF into CRLF
 * (dependencies trap 11), which breaks signatures: such a message is not sent at all.
 */
import { Buffer } from 'node:buffer'
import { CR, LF } from '../base/bytes.ts'

/** With the byte before or behind it; the edges of a chunk are looked at apart. */
const BARE = /\r[^\n]|(?<=[^\r])\n/
/** Looked at as one text: a chunk can be a mail of megabytes. */
const PIECE_BYTES = 64 * 2 ** 10

export class LineEndCheck {
  #last = 0

  /** False when a bare CR or LF is in what has been given so far. */
  accepts(chunk: Uint8Array): boolean {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let at = 0; at < bytes.length; at += PIECE_BYTES)
      if (!this.#acceptsPiece(bytes.subarray(at, at + PIECE_BYTES))) return false
    return true
  }

  /** False when the message ended in a bare CR. */
  ends(): boolean {
    return this.#last !== CR
  }

  #acceptsPiece(piece: Buffer): boolean {
    if ((this.#last === CR) !== (piece[0] === LF)) return false
    this.#last = piece[piece.length - 1] as number
    return !BARE.test(piece.toString('latin1'))
  }
}
