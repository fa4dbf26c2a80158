/**
 * Threads that do hostile or heavy work away from the event loop: a job that crashes, hangs or eats its memory ends its
 * own thread only. Jobs whose bytes come in chunks get a thread each, lent by the others when it is idle; those share `size`
 * threads.
 */
import type { Transferable } from 'node:worker_threads'
import { JobThread, type Task, type WorkerOutcome } from './job-thread.ts'
import type { FromWorker } from './serve-jobs.ts'
import { StreamTask, type OnOutput } from './stream-task.ts'

export type { WorkerOutcome } from './job-thread.ts'

/** Threads of streams that are kept warm for the next one. */
const STREAM_THREADS_IDLE_MAX = 1
const CLOSED = { kind: 'crashed', why: 'the pool was closed' } as const

export interface WorkerPoolOptions {
  /** A module that calls `serveJobs`. */
  readonly script: URL
  /** Threads for jobs in one piece; about one a core. */
  readonly size: number
  /** What one job may take. */
  readonly timeoutMs: number
  /** What the thread of one stream may take, all its chunks together; waiting for input is not counted. */
  readonly streamTimeoutMs: number
  /** Limit of each thread's JavaScript heap. */
  readonly heapMaxMb: number
  /** Jobs that may wait; one more is `overloaded`. The same number holds for streams. */
  readonly queueMax: number
  /** Streams that may run at once, each in its own thread. */
  readonly streamsMax: number
  /** Jobs posted to one thread at once, so that it need not sleep between two: they are begun in order, one at a time. */
  readonly postedMax?: number
  /** Shown by debuggers and `ps -L`. */
  readonly name?: string
  /** A thread died and another one takes its place. */
  readonly onReplaced?: (why: string) => void
}

/**
 * A crashed or hanging job costs exactly that job: what waited behind it is done by another thread. Rejections are our
 * own bugs (what cannot be cloned), or come from the caller's own `chunks` and `onOutput`.
 */
export class WorkerPool<Job, Outcome> implements AsyncDisposable {
  readonly #options: WorkerPoolOptions
  readonly #threads = new Set<JobThread<Job, Outcome>>()
  readonly #streamThreads = new Set<JobThread<Job, Outcome>>()
  readonly #queue: OneShot<Job, Outcome>[] = []
  readonly #streamQueue: StreamTask<Job, Outcome>[] = []
  #closed = false

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    while (this.#threads.size < options.size) this.#startThread()
  }

  /**
   * Does one job. Views in `job` should own their whole buffer (`ownCopy`): a clone takes along all of the buffer.
   * Buffers in `transfer` are the worker's from now on; such a job is posted to an idle thread only.
   */
  run(job: Job, options: { readonly transfer?: readonly Transferable[] } = {}): Promise<WorkerOutcome<Outcome>> {
    if (this.#closed) return Promise.resolve(CLOSED)
    if (this.#queue.length >= this.#options.queueMax) return Promise.resolve({ kind: 'overloaded' })
    return new Promise((resolve, reject) => {
      this.#queue.push(new OneShot(job, options.transfer ?? [], this.#options.timeoutMs, { resolve, reject }))
      this.#dispatch()
    })
  }

  /**
   * Does one job of any size: pulls `chunks` as the worker consumes them, and hands on what it makes, both with a few
   * chunks in flight. `chunks` is read no further, but not closed, when the outcome is there before its end. What it yields
   * is given away: a chunk that owns its whole buffer is not copied.
   */
  async runStream(job: Job, chunks: AsyncIterable<Uint8Array>, onOutput: OnOutput): Promise<WorkerOutcome<Outcome>> {
    if (this.#closed) return CLOSED
    if (this.#streamQueue.length >= this.#options.queueMax) return { kind: 'overloaded' }
    const task = new StreamTask<Job, Outcome>(job, this.#options.streamTimeoutMs, onOutput)
    this.#streamQueue.push(task)
    this.#dispatchStreams()
    return await task.feed(chunks)
  }

  /** More than half of the places to wait in are taken. */
  get busy(): boolean {
    return Math.max(this.#queue.length, this.#streamQueue.length) > this.#options.queueMax / 2
  }

  /** Ends all threads at once. What runs or waits is answered `crashed`. */
  async close(): Promise<void> {
    this.#closed = true
    for (const task of [...this.#queue.splice(0), ...this.#streamQueue.splice(0)]) task.fail(CLOSED)
    await Promise.all([...this.#threads, ...this.#streamThreads].map((thread) => thread.terminate(CLOSED)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #dispatch(): void {
    for (let task = this.#queue[0]; task !== undefined; task = this.#queue[0]) {
      const thread = this.#threadFor(task)
      if (thread === undefined) return
      this.#queue.shift()
      assignOrReject(thread, task)
    }
  }

  /** The least busy thread that has room for it. */
  #threadFor(task: OneShot<Job, Outcome>): JobThread<Job, Outcome> | undefined {
    const postedMax = task.unrepeatable ? 1 : (this.#options.postedMax ?? 2)
    let best: JobThread<Job, Outcome> | undefined
    for (const thread of this.#threads) if (best === undefined || thread.load < best.load) best = thread
    if ((best === undefined || best.load > 0) && this.#threads.size < this.#options.size) return this.#startThread()
    return best !== undefined && best.load < postedMax ? best : undefined
  }

  #startThread(): JobThread<Job, Outcome> {
    const thread = this.#makeThread(this.#options.name ?? 'worker')
    this.#threads.add(thread)
    return thread
  }

  #dispatchStreams(): void {
    for (let task = this.#streamQueue[0]; task !== undefined; task = this.#streamQueue[0]) {
      const idle = [...this.#streamThreads].find((thread) => thread.load === 0)
      if (idle === undefined && this.#streamThreads.size >= this.#options.streamsMax) return
      this.#streamQueue.shift()
      assignOrReject(idle ?? this.#lendThread() ?? this.#startStreamThread(), task)
    }
  }

  /** A thread with nothing to do, where another is left: a thread more would take some 30 MB. */
  #lendThread(): JobThread<Job, Outcome> | undefined {
    const idle = [...this.#threads].find((thread) => thread.load === 0 && thread.wasReady)
    if (idle === undefined || this.#threads.size === 1) return undefined
    this.#threads.delete(idle)
    this.#streamThreads.add(idle)
    return idle
  }

  #startStreamThread(): JobThread<Job, Outcome> {
    const thread = this.#makeThread(`${this.#options.name ?? 'worker'} (stream)`)
    this.#streamThreads.add(thread)
    return thread
  }

  /** What is done when it has room or is gone goes by what it does then: it may have been lent. */
  #makeThread(name: string): JobThread<Job, Outcome> {
    const { script, heapMaxMb } = this.#options
    return new JobThread<Job, Outcome>({
      script,
      name,
      heapMaxMb,
      onRoom: (thread) => (this.#streamThreads.has(thread) ? this.#onStreamEnd(thread) : this.#dispatch()),
      onGone: (gone, why, again) => {
        if (this.#streamThreads.has(gone)) return this.#onStreamThreadGone(gone, why)
        if (!this.#threads.delete(gone)) return // retired
        if (this.#closed) return again.forEach((task) => task.fail(CLOSED))
        this.#queue.unshift(...again.filter((task) => task instanceof OneShot))
        if (gone.wasReady) this.#startThread() // if not, only for the next job: a broken script must not start for ever
        this.#options.onReplaced?.(why)
        this.#dispatch()
      },
    })
  }

  #onStreamEnd(thread: JobThread<Job, Outcome>): void {
    this.#dispatchStreams()
    if (thread.load > 0) return
    if (this.#threads.size < this.#options.size) {
      this.#streamThreads.delete(thread)
      this.#threads.add(thread)
      return this.#dispatch()
    }
    const idle = [...this.#streamThreads].filter((other) => other.load === 0)
    if (idle.length > STREAM_THREADS_IDLE_MAX) this.#retire(thread)
  }

  #onStreamThreadGone(gone: JobThread<Job, Outcome>, why: string): void {
    this.#streamThreads.delete(gone)
    if (this.#closed) return
    this.#options.onReplaced?.(why)
    this.#dispatchStreams()
  }

  #retire(thread: JobThread<Job, Outcome>): void {
    this.#streamThreads.delete(thread)
    void thread.terminate(CLOSED)
  }
}

/** What cannot be cloned is the caller's bug: it hears of it, and the thread is free again. */
function assignOrReject<Job, Outcome>(
  thread: JobThread<Job, Outcome>,
  task: OneShot<Job, Outcome> | StreamTask<Job, Outcome>,
): void {
  try {
    thread.assign(task)
  } catch (error) {
    task.reject(error)
  }
}

interface Settle<Outcome> {
  resolve(outcome: WorkerOutcome<Outcome>): void
  reject(error: unknown): void
}

class OneShot<Job, Outcome> implements Task<Job, Outcome> {
  readonly waiting = true
  leftMs: number
  readonly #job: Job
  readonly #transfer: readonly Transferable[]
  readonly #settle: Settle<Outcome>

  constructor(job: Job, transfer: readonly Transferable[], timeoutMs: number, settle: Settle<Outcome>) {
    this.#job = job
    this.#transfer = transfer
    this.leftMs = timeoutMs
    this.#settle = settle
  }

  get unrepeatable(): boolean {
    return this.#transfer.length > 0
  }

  begin(thread: JobThread<Job, Outcome>): void {
    thread.post({ kind: 'job', job: this.#job }, this.#transfer)
  }

  onMessage(message: FromWorker<Outcome>): boolean {
    if (message.kind === 'done') this.#settle.resolve({ kind: 'done', value: message.value })
    return message.kind === 'done'
  }

  fail(outcome: WorkerOutcome<Outcome>): void {
    this.#settle.resolve(outcome)
  }

  reject(error: unknown): void {
    this.#settle.reject(error)
  }
}
