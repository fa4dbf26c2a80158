/**
 * The one question every CMS writer answers: does the content fit into memory, then its length is known and the message
 * is DER; or does it not, then it streams as an indefinite-length string in pieces of one size (X.690 §8.7.3).
 */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { derHeader } from '../asn1/der-writer.ts'
import { CONSTRUCTED, TAG } from '../asn1/tlv.ts'

/** Content up to this size is held back until its end, and written with its length. */
export const WHOLE_MAX_BYTES = 2 ** 20
/** Size of the pieces of a longer one; the last may be shorter. */
export const PIECE_BYTES = 64 * 2 ** 10

export const INDEFINITE = 0x80
export const endOfContents = (count: number): Uint8Array => new Uint8Array(2 * count)
/** Tag and indefinite length of a constructed encoding. */
export const openTag = (tag: number): Uint8Array => Uint8Array.of(tag | CONSTRUCTED, INDEFINITE)

const PIECE_HEADER = derHeader(TAG.OCTET_STRING, PIECE_BYTES)

/** Cuts what is pushed into OCTET STRINGs of PIECE_BYTES, without copying. */
export class PieceSink {
  readonly #out: ByteSink
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    let rest = chunk
    while (this.#pendingBytes + rest.length >= PIECE_BYTES) {
      const missing = PIECE_BYTES - this.#pendingBytes
      this.#pending.push(rest.subarray(0, missing))
      rest = rest.subarray(missing)
      this.#writePiece(PIECE_HEADER)
    }
    if (rest.length > 0) {
      this.#pending.push(rest)
      this.#pendingBytes += rest.length
    }
  }

  /** Writes what is left; the out sink stays open. */
  finish(): void {
    if (this.#pendingBytes > 0) this.#writePiece(derHeader(TAG.OCTET_STRING, this.#pendingBytes))
  }

  #writePiece(header: Uint8Array): void {
    this.#out.write(header)
    for (const piece of this.#pending) this.#out.write(piece)
    this.#pending = []
    this.#pendingBytes = 0
  }
}
