/** One thread of a worker pool, seen from the parent: what it is working on, how long it may take, how it ended. */
import { performance } from 'node:perf_hooks'
import { Worker, type Transferable } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './serve-jobs.ts'

/** Loading the worker's script; only a broken installation or a machine in deep trouble takes longer. */
const START_TIMEOUT_MS = 60_000
/** Of a crashed worker's error text; it goes to the log. */
const WHY_MAX_CHARACTERS = 300
const STACK_MAX_CHARACTERS = 8192

/** What became of a job. */
export type WorkerOutcome<Outcome> =
  | { readonly kind: 'done'; readonly value: Outcome }
  /** It took longer than it may; its thread was ended. */
  | { readonly kind: 'timeout' }
  /** Its thread died: a thrown error, no memory left, or an exit. */
  | { readonly kind: 'crashed'; readonly why: string }
  /** Too many jobs wait already; this one was not begun. */
  | { readonly kind: 'overloaded' }

/** A job as its thread sees it. */
export interface Task<Job, Outcome> {
  /** Time the thread may still spend on it. */
  leftMs: number
  /** True while the thread owes us something, so that the time counts. */
  readonly waiting: boolean
  /** True when what was posted cannot be posted again: its buffers were transferred. */
  readonly unrepeatable: boolean
  /** Posts the first message. */
  begin(thread: JobThread<Job, Outcome>): void
  /** Takes one answer; true when it was the last. */
  onMessage(message: FromWorker<Outcome>): boolean
  /** The thread is gone. */
  fail(outcome: WorkerOutcome<Outcome>): void
}

export interface JobThreadOptions<Job, Outcome> {
  readonly script: URL
  readonly name: string
  /** Limit of the JavaScript heap; what Buffers hold is not counted by V8. */
  readonly heapMaxMb: number
  /** A task has finished: there is room for another. */
  onRoom(thread: JobThread<Job, Outcome>): void
  /** The thread is gone; `again` are the tasks it had not begun. */
  onGone(thread: JobThread<Job, Outcome>, why: string, again: readonly Task<Job, Outcome>[]): void
}

/** A worker and the tasks posted to it. It works on the first; the others wait in its inbox. */
export class JobThread<Job, Outcome> {
  readonly #options: JobThreadOptions<Job, Outcome>
  readonly #worker: Worker
  readonly #tasks: Task<Job, Outcome>[] = []
  #ready = false
  #gone = false
  #endedFor: WorkerOutcome<Outcome> | undefined
  #timer: NodeJS.Timeout | undefined
  #armedAtMs = 0

  constructor(options: JobThreadOptions<Job, Outcome>) {
    this.#options = options
    this.#worker = new Worker(options.script, {
      name: options.name,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMaxMb },
    })
    this.#worker.on('message', (message: FromWorker<Outcome>) => this.#onMessage(message))
    this.#worker.on('error', (error: unknown) => {
      this.#endedFor ??= { kind: 'crashed', why: whyOf(error) }
    })
    this.#worker.on('messageerror', () => {
      void this.terminate({ kind: 'crashed', why: 'worker sent what cannot be read' })
    })
    this.#worker.on('exit', (code) => this.#onExit(code))
    this.#worker.unref()
  }

  /** How many tasks it has, the one at work included. */
  get load(): number {
    return this.#tasks.length
  }

  /** Whether the script has been loaded: if not, a thread that ended would end again. */
  get wasReady(): boolean {
    return this.#ready
  }

  /** Throws when the task's first message cannot be cloned; the thread then has not got it. */
  assign(task: Task<Job, Outcome>): void {
    task.begin(this)
    this.#tasks.push(task)
    if (this.#tasks.length === 1) this.#worker.ref()
    this.watch()
  }

  post(message: ToWorker<Job>, transfer?: readonly Transferable[]): void {
    if (!this.#gone) this.#worker.postMessage(message, transfer)
  }

  /** Starts or stops the clock of the task at work, as the task wants it now. */
  watch(): void {
    const task = this.#tasks[0]
    const wanted = task !== undefined && task.waiting && !this.#gone
    if (wanted && this.#timer === undefined) {
      this.#armedAtMs = performance.now()
      this.#timer = setTimeout(() => this.#onTimer(), this.#ready ? task.leftMs : START_TIMEOUT_MS)
    } else if (!wanted) this.#stopClock(task)
  }

  /** Ends the thread; whatever it was doing is reported as `outcome`. */
  async terminate(outcome: WorkerOutcome<Outcome>): Promise<void> {
    this.#endedFor ??= outcome
    await this.#worker.terminate()
  }

  #onMessage(message: FromWorker<Outcome>): void {
    const task = this.#tasks[0]
    if (message.kind === 'ready') {
      this.#stopClock(undefined)
      this.#ready = true
      return this.watch()
    }
    if (task === undefined) return // an answer to what was given up
    if (!task.onMessage(message)) return this.watch()
    this.#stopClock(task)
    this.#tasks.shift()
    if (this.#tasks.length === 0) this.#worker.unref()
    this.watch()
    this.#options.onRoom(this)
  }

  #stopClock(task: Task<Job, Outcome> | undefined): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (task !== undefined && this.#ready) task.leftMs -= performance.now() - this.#armedAtMs
  }

  #onTimer(): void {
    // When it was our own loop that stood still, the answer lies in the port already: let it in first.
    const timer = this.#timer
    setImmediate(() => {
      if (this.#timer === timer && !this.#gone) void this.terminate({ kind: 'timeout' })
    })
  }

  #onExit(code: number): void {
    this.#gone = true
    this.#stopClock(undefined)
    const outcome = this.#endedFor ?? { kind: 'crashed', why: `worker exited with code ${code}` }
    const [running, ...waiting] = this.#tasks.splice(0)
    running?.fail(outcome)
    for (const task of waiting)
      if (task.unrepeatable) task.fail({ kind: 'crashed', why: 'worker died before its turn' })
    const why = outcome.kind === 'crashed' ? outcome.why : outcome.kind
    const again = waiting.filter((task) => !task.unrepeatable)
    this.#options.onGone(this, why, again)
  }
}

/** Name, text and place of an error, in one short line. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'worker threw something that is no error'
  const lines = (error.stack ?? '').slice(0, STACK_MAX_CHARACTERS).split('\n')
  const frame = lines.map((line) => line.trim()).find((line) => line.startsWith('at '))
  const place = frame?.slice(frame.lastIndexOf('/') + 1).replace(')', '')
  const text = `${error.name}: ${error.message}`.replaceAll(/\s+/g, ' ').slice(0, WHY_MAX_CHARACTERS)
  return place === undefined ? text : `${text} (${place})`
}
