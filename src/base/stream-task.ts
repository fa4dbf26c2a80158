/** A job of a worker pool whose bytes come and go in chunks (`WorkerPool.runStream`). */
import type { JobThread, Task, WorkerOutcome } from './job-thread.ts'
import { ownBytes, type FromWorker } from './serve-jobs.ts'

/** Input chunks of one stream that may be on their way to its thread. */
const CHUNKS_IN_FLIGHT_MAX = 8

/** Takes the output of a stream, chunk by chunk; the next comes when the promise resolves. */
export type OnOutput = (chunk: Uint8Array, channel: number) => Promise<void> | void

/** `feeding` until the thread has answered or died, or the caller's side failed (then the thread is told to `abort`). */
type State = 'feeding' | 'aborting' | 'released'

export class StreamTask<Job, Outcome> implements Task<Job, Outcome> {
  readonly unrepeatable = true
  leftMs: number
  readonly #job: Job
  readonly #onOutput: OnOutput
  readonly #outcome = Promise.withResolvers<WorkerOutcome<Outcome>>()
  readonly #begun = Promise.withResolvers<void>()
  #thread: JobThread<Job, Outcome> | undefined
  #state: State = 'feeding'
  /** The caller has, or is about to get, the outcome. */
  #settled = false
  /** Questions that the thread has not answered. */
  #owed = 0
  /** Outputs that the caller has not taken, and the last of them. */
  #outputs = 0
  #lastTaken: Promise<void> = Promise.resolve()
  /** Wakes `feed` from whatever it waits for. */
  #wake: () => void = () => {}

  constructor(job: Job, timeoutMs: number, onOutput: OnOutput) {
    this.#job = job
    this.leftMs = timeoutMs
    this.#onOutput = onOutput
    this.#outcome.promise.catch(() => {}) // `feed` hands it to the caller, perhaps a moment later
  }

  /** The thread is not to blame while it waits for us to take its output. */
  get waiting(): boolean {
    return this.#state === 'aborting' || (this.#owed > 0 && this.#outputs === 0)
  }

  begin(thread: JobThread<Job, Outcome>): void {
    thread.post({ kind: 'open', job: this.#job })
    this.#thread = thread
    this.#begun.resolve()
  }

  /** Pulls the chunks into the thread. Rejects with what `chunks` or `onOutput` threw. */
  async feed(chunks: AsyncIterable<Uint8Array>): Promise<WorkerOutcome<Outcome>> {
    await this.#begun.promise
    try {
      if (!this.#settled) await this.#feedAll(chunks[Symbol.asyncIterator]())
    } catch (error) {
      this.#giveUp(error)
    }
    return await this.#outcome.promise
  }

  onMessage(message: FromWorker<Outcome>): boolean {
    switch (message.kind) {
      case 'output':
        this.#takeOutput(message.chunk, message.channel)
        return false
      case 'consumed':
        this.#owed--
        this.#wake()
        return false
      case 'done': {
        this.#state = 'released'
        const { value } = message
        // Only when the caller has taken the last output; had that failed, the outcome is settled by then.
        void this.#lastTaken.then(() => this.fail({ kind: 'done', value }))
        return true
      }
      case 'aborted':
        this.#state = 'released'
        return true
      case 'ready':
        return false
    }
  }

  fail(outcome: WorkerOutcome<Outcome>): void {
    this.#outcome.resolve(outcome)
    this.#settle()
  }

  reject(error: unknown): void {
    this.#outcome.reject(error)
    this.#settle()
  }

  async #feedAll(iterator: AsyncIterator<Uint8Array>): Promise<void> {
    for (;;) {
      const next = await this.#nextOrSettled(iterator)
      if (next === undefined) return
      if (next.done === true) return this.#ask(() => this.#thread?.post({ kind: 'end' }))
      while (this.#owed >= CHUNKS_IN_FLIGHT_MAX && !this.#settled) await this.#answerOrSettled()
      const chunk = ownBytes(next.value)
      this.#ask(() => this.#thread?.post({ kind: 'chunk', chunk }, [chunk.buffer]))
    }
  }

  /** Not Promise.race with the outcome: that would keep every chunk alive until the outcome is there. */
  #nextOrSettled(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array> | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        if (this.#settled) resolve(undefined)
      }
      this.#wake()
      if (!this.#settled) iterator.next().then(resolve, reject)
    })
  }

  #answerOrSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #ask(post: () => void): void {
    if (this.#settled) return
    this.#owed++
    post()
    this.#thread?.watch()
  }

  #takeOutput(chunk: Uint8Array, channel: number): void {
    this.#outputs++
    this.#lastTaken = this.#lastTaken.then(async () => {
      try {
        if (!this.#settled) await this.#onOutput(chunk, channel)
        if (this.#state === 'feeding') this.#thread?.post({ kind: 'taken', lengthBytes: chunk.length })
      } catch (error) {
        this.#giveUp(error)
      }
      this.#outputs--
      this.#thread?.watch()
    })
  }

  /** The caller's own side failed: the thread forgets the stream and is free for the next. */
  #giveUp(error: unknown): void {
    this.reject(error)
    if (this.#state !== 'feeding') return
    this.#state = 'aborting'
    this.#thread?.post({ kind: 'abort' })
    this.#thread?.watch()
  }

  #settle(): void {
    this.#settled = true
    this.#begun.resolve()
    this.#wake()
  }
}
