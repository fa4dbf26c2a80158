/**
 * The worker's side of base/worker-pool.ts: a thread that does one job after the other. What it throws, at whatever
 * time, ends the thread; the pool reports the job as crashed and starts a fresh one.
 */
import assert from 'node:assert/strict'
import { parentPort, type Transferable } from 'node:worker_threads'
import { buffersPassed } from './spent-buffers.ts'

/** Output that may be on its way to the parent before the thread waits with the next input. */
const OUTPUT_IN_FLIGHT_MAX_BYTES = 1024 * 1024

export interface JobHandler<Job, Outcome> {
  /** One job, one answer; both are copied between the threads (structured clone). */
  run(job: Job): Outcome | Promise<Outcome>
  /** What of an answer to `run` need not be copied, because nobody here uses it any more. */
  transfer?(outcome: Outcome): Transferable[]
  /** A job whose bytes come and go in chunks (`WorkerPool.runStream`). */
  open?(job: Job, output: JobOutput): JobStream<Outcome>
}

/** Where a streaming job puts what it makes. */
export interface JobOutput {
  /** Sends a copy of the chunk; the caller keeps its own. `channel` tells several outputs apart. */
  write(chunk: Uint8Array, channel?: number): void
  /** Resolves when the parent has taken so much that more may be made; for those who make much out of little. */
  drained(): Promise<void>
}

/** A streaming job at work. */
export interface JobStream<Outcome> {
  write(chunk: Uint8Array): void | Promise<void>
  end(): Outcome | Promise<Outcome>
  /** The parent has given up: there will be no `end`. Whoever holds nothing but memory needs none. */
  abort?(): void
}

/** What the pool says to its thread. */
export type ToWorker<Job> =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'open'; readonly job: Job }
  | { readonly kind: 'chunk'; readonly chunk: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'abort' }
  | { readonly kind: 'taken'; readonly lengthBytes: number }

/** What the thread says to its pool. Answers come in the order of the questions. */
export type FromWorker<Outcome> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly value: Outcome }
  | { readonly kind: 'output'; readonly chunk: Uint8Array; readonly channel: number }
  | { readonly kind: 'consumed' }
  | { readonly kind: 'aborted' }

/** Serves the jobs of the pool that started this thread, one at a time, in the order they came. */
export function serveJobs<Job, Outcome>(handler: JobHandler<Job, Outcome>): void {
  const port = parentPort
  assert(port !== null, 'serveJobs runs in a worker thread')
  const post = (message: FromWorker<Outcome>, transfer: Transferable[] = []): void =>
    port.postMessage(message, transfer)
  const output = new CreditedOutput((chunk, channel) => {
    const own = ownCopy(chunk)
    post({ kind: 'output', chunk: own, channel }, [own.buffer])
  })
  const inbox: Exclude<ToWorker<Job>, { kind: 'taken' }>[] = []
  let working = false
  let stream: JobStream<Outcome> | undefined

  async function handle(message: (typeof inbox)[number]): Promise<void> {
    switch (message.kind) {
      case 'job': {
        const value = await handler.run(message.job)
        return post({ kind: 'done', value }, handler.transfer?.(value))
      }
      case 'open':
        assert(handler.open !== undefined, 'this worker serves no streams')
        output.restart()
        stream = handler.open(message.job, output)
        return
      case 'chunk':
        assert(stream !== undefined)
        buffersPassed(message.chunk.length)
        await stream.write(message.chunk)
        await output.drained()
        return post({ kind: 'consumed' })
      case 'end': {
        assert(stream !== undefined)
        const value = await stream.end()
        stream = undefined
        return post({ kind: 'done', value })
      }
      case 'abort':
        stream?.abort?.()
        stream = undefined
        return post({ kind: 'aborted' })
    }
  }

  async function work(): Promise<void> {
    working = true
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) await handle(next)
    working = false
  }

  port.on('message', (message: ToWorker<Job>) => {
    if (message.kind === 'taken') return output.taken(message.lengthBytes)
    if (message.kind === 'abort') {
      inbox.length = 0
      output.discard() // nothing more will be taken: do not wait for it
    }
    inbox.push(message)
    if (!working) work().catch(endThread)
  })
  post({ kind: 'ready' })
}

/** A copy in memory of its own: it can be transferred, and carries nothing of a shared pool's other content along. */
export function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length)
  copy.set(bytes)
  return copy
}

/** The bytes themselves when they have a memory of their own, otherwise a copy: to be transferred, and so not to be used again. */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return ownsBuffer(bytes) ? new Uint8Array(bytes.buffer) : ownCopy(bytes)
}

/** Nothing else lies in the memory of these bytes. */
export function ownsBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  const { buffer, length } = bytes
  return length === buffer.byteLength && length > 0 && buffer instanceof ArrayBuffer
}

class CreditedOutput implements JobOutput {
  readonly #send: (chunk: Uint8Array, channel: number) => void
  #inFlightBytes = 0
  #discarding = false
  #wake: (() => void)[] = []

  constructor(send: (chunk: Uint8Array, channel: number) => void) {
    this.#send = send
  }

  write(chunk: Uint8Array, channel = 0): void {
    if (this.#discarding) return
    this.#inFlightBytes += chunk.length
    this.#send(chunk, channel)
  }

  drained(): Promise<void> {
    if (this.#inFlightBytes <= OUTPUT_IN_FLIGHT_MAX_BYTES) return Promise.resolve()
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  taken(lengthBytes: number): void {
    this.#inFlightBytes -= Math.min(lengthBytes, this.#inFlightBytes)
    if (this.#inFlightBytes > OUTPUT_IN_FLIGHT_MAX_BYTES) return
    for (const wake of this.#wake.splice(0)) wake()
  }

  discard(): void {
    this.#discarding = true
    this.taken(this.#inFlightBytes)
  }

  /** For the next stream. What the parent had not taken when the last one ended is never reported as taken. */
  restart(): void {
    this.#discarding = false
    this.#inFlightBytes = 0
  }
}

function endThread(error: unknown): void {
  setImmediate(() => {
    throw error
  })
}
