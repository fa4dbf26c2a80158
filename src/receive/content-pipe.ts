/** Between the socket that pushes a message and the reader who pulls it. */

/** What may wait for the reader; beyond it the client is slowed down. */
export const WAITING_MAX_BYTES = 256 * 2 ** 10

/** A queue of one message's bytes with one reader, who may leave early. */
export class ContentPipe implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = []
  #waitingBytes = 0
  /** The writer's, while too much waits. */
  #resume: (() => void) | undefined
  /** The reader's, while nothing waits. */
  #wake: (() => void) | undefined
  #end: 'open' | 'ended' | 'closed' | Error = 'open'
  #readToEnd = false

  /** True once the reader has been told that there is no more. */
  get readToEnd(): boolean {
    return this.#readToEnd
  }

  /** Takes a chunk; `next` is called when there is room for another: at once, or when the reader has caught up. */
  push(chunk: Uint8Array, next: () => void): void {
    if (this.#end !== 'open') {
      next()
      return
    }
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes < WAITING_MAX_BYTES) next()
    else this.#resume = next
    this.#wakeReader()
  }

  /** No more chunks. */
  end(): void {
    if (this.#end === 'open') this.#end = 'ended'
    this.#wakeReader()
  }

  /** The reader gets this error next, and nothing of what waits. */
  fail(error: Error): void {
    if (this.#end === 'closed' || this.#readToEnd) return
    this.#end = error
    this.#drop()
    this.#wakeReader()
  }

  /** The reader has left: what still comes is dropped. */
  close(): void {
    if (this.#end === 'open' || this.#end === 'ended') this.#end = 'closed'
    this.#drop()
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.length
        if (this.#waitingBytes < WAITING_MAX_BYTES) this.#resumeWriter()
        return { done: false, value: chunk }
      }
      if (this.#end instanceof Error) throw this.#end
      if (this.#end !== 'open') {
        this.#readToEnd = this.#end === 'ended'
        return { done: true, value: undefined }
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #drop(): void {
    this.#chunks = []
    this.#waitingBytes = 0
    this.#resumeWriter()
  }

  #resumeWriter(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
