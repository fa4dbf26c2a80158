/** Cuts what is pushed into frames of one size, in the pieces it came in: joining them would cost a copy of all of it. */

export class FrameQueue {
  readonly #frameBytes: number
  #pieces: Uint8Array[] = []
  #keptBytes = 0

  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes
  }

  /** Not taken yet. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  push(chunk: Uint8Array): void {
    this.#pieces.push(chunk)
    this.#keptBytes += chunk.length
  }

  /** All full frames, each in pieces; but at least one byte is kept, for only at the end it is known which frame is the last. */
  takeFrames(): Uint8Array[][] {
    const frames: Uint8Array[][] = []
    let pieces: Uint8Array[] = []
    let wantedBytes = this.#frameBytes
    for (let piece of this.#pieces) {
      while (piece.length >= wantedBytes && this.#keptBytes > this.#frameBytes) {
        frames.push([...pieces, piece.subarray(0, wantedBytes)])
        piece = piece.subarray(wantedBytes)
        pieces = []
        wantedBytes = this.#frameBytes
        this.#keptBytes -= this.#frameBytes
      }
      pieces.push(piece)
      wantedBytes -= piece.length
    }
    this.#pieces = pieces
    return frames
  }

  /** What is left: the last frame. */
  takeRest(): Uint8Array[] {
    this.#keptBytes = 0
    return this.#pieces.splice(0)
  }
}
