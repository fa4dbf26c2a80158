/** Reads an object that comes in chunks of any size. */
import type { ObjectReader } from './large-objects.ts'
import { BytesDamaged } from './sealing.ts'

export class ChunkReader implements ObjectReader {
  #chunk: Uint8Array
  readonly #more: AsyncGenerator<Uint8Array, void, undefined>

  constructor(first: Uint8Array, more: AsyncGenerator<Uint8Array, void, undefined>) {
    this.#chunk = first
    this.#more = more
  }

  async fill(buffer: Uint8Array): Promise<Uint8Array> {
    for (let filled = 0; filled < buffer.length;) {
      if (this.#chunk.length === 0) this.#chunk = await this.#next()
      const some = this.#chunk.subarray(0, buffer.length - filled)
      buffer.set(some, filled)
      filled += some.length
      this.#chunk = this.#chunk.subarray(some.length)
    }
    return buffer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#more.return()
  }

  async #next(): Promise<Uint8Array> {
    const { value } = await this.#more.next()
    if (value === undefined) throw new BytesDamaged('The bytes of a message are cut off')
    return value
  }
}
