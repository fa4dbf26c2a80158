/** The gateway's side of large-opening-job.ts: asks a worker thread to open a large mail, and for what it may have of it. */
import { deserialize } from 'node:v8'
import type { WorkerOutcome } from '../base/job-thread.ts'
import { type LargePeelJob, type LargeReport, MESSAGE, REPORTS, question } from './large-opening-job.ts'
import type { ProtectionPool } from './protect.ts'
import type { ProtectionOutcome } from './protection-worker.ts'

type Ended = WorkerOutcome<ProtectionOutcome>
type OnChunk = (chunk: Uint8Array) => Promise<void> | void

/** The worker did not do what was asked: it crashed, or took too long. */
export class OpeningFailed extends Error {
  override readonly name = 'OpeningFailed'
  readonly outcome: Ended

  constructor(outcome: Ended) {
    super(`a large mail could not be opened: ${outcome.kind}`)
    this.outcome = outcome
  }
}

/** `await using opening = new LargeOpening(pool, job)`: its thread is free, and its spills are gone, when the block ends. */
export class LargeOpening implements AsyncDisposable {
  readonly #asked: Uint8Array[] = [question(0)]
  readonly #reports = Promise.withResolvers<readonly LargeReport[]>()
  readonly #ended: Promise<Ended>
  #message: { readonly onChunk: OnChunk; readonly end: PromiseWithResolvers<void> } | undefined
  /** Nothing more will come, and why. */
  #over: { readonly error: unknown } | undefined
  #copied: Promise<void> = Promise.resolve()
  #closed = false
  #wake: () => void = () => {}

  constructor(pool: ProtectionPool, job: LargePeelJob) {
    this.#reports.promise.catch(() => {}) // whoever waits for it hears of it
    this.#ended = pool.runStream(job, this.#questions(), (chunk, channel) => this.#take(chunk, channel))
    const fail = (error: unknown): void => {
      this.#over = { error }
      this.#reports.reject(error)
      this.#message?.end.reject(error)
    }
    this.#ended.then((outcome) => fail(new OpeningFailed(outcome)), fail)
  }

  /** When every layer of every recipient's copy has been verified. Rejects with OpeningFailed. */
  reports(): Promise<readonly LargeReport[]> {
    return this.#reports.promise
  }

  /** What the recipient with this index is shown, in chunks; the first holds all of the header. One after the other. */
  copy(index: number, onChunk: OnChunk): Promise<void> {
    const copied = this.#copied.then(() => this.#copy(index, onChunk))
    this.#copied = copied.catch(() => {})
    return copied
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#wake()
    await this.#ended.catch(() => {})
  }

  async #copy(index: number, onChunk: OnChunk): Promise<void> {
    if (this.#over !== undefined) throw this.#over.error
    const end = Promise.withResolvers<void>()
    this.#message = { onChunk, end }
    this.#asked.push(question(index))
    this.#wake()
    try {
      await end.promise
    } finally {
      this.#message = undefined
    }
  }

  async *#questions(): AsyncGenerator<Uint8Array, void, undefined> {
    while (!this.#closed) {
      const next = this.#asked.shift()
      if (next !== undefined) yield next
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }

  async #take(chunk: Uint8Array, channel: number): Promise<void> {
    if (channel === REPORTS) this.#reports.resolve(deserialize(chunk) as readonly LargeReport[])
    else if (channel !== MESSAGE || this.#message === undefined) return
    else if (chunk.length === 0) this.#message.end.resolve()
    else await this.#message.onChunk(chunk)
  }
}
