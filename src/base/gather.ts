/** For formats whose peers cut a message into pieces as short as they like. */

/** Shorter pieces are gathered before they are handed on. */
const PIECE_MIN_BYTES = 512
const GATHER_BYTES = 16 * 2 ** 10

/** Copies short pieces together, lest a piece cost more than its bytes; hands long ones on as they are. */
export class Gather {
  readonly #onSlice: (slice: Uint8Array) => void
  #buffer: Uint8Array | undefined
  #used = 0

  constructor(onSlice: (slice: Uint8Array) => void) {
    this.#onSlice = onSlice
  }

  take(slice: Uint8Array): void {
    if (slice.length >= PIECE_MIN_BYTES) {
      this.flush()
      this.#onSlice(slice)
      return
    }
    if (this.#used + slice.length > GATHER_BYTES) this.flush()
    this.#buffer ??= new Uint8Array(GATHER_BYTES)
    this.#buffer.set(slice, this.#used)
    this.#used += slice.length
  }

  flush(): void {
    if (this.#buffer !== undefined && this.#used > 0) this.#onSlice(this.#buffer.subarray(0, this.#used))
    this.#buffer = undefined
    this.#used = 0
  }
}
