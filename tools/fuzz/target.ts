/** Fuzzes one target in a thread of its own: an input that throws, hangs, or kills the thread is kept. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { INPUT_MAX_BYTES } from './mutate.ts'

/** What one input may take; parsers of our sizes need microseconds, so this is a loop that does not end. */
const INPUT_TIMEOUT_MS = 5_000
const WATCH_EVERY_MS = 250
const HEAP_MAX_MB = 512
/** A known input may be longer than those that are made. */
const SHARED_BYTES = 8 + 8 * INPUT_MAX_BYTES

export interface FuzzOptions {
  /** A `*.fuzz.ts` file. */
  readonly file: string
  /** Where inputs that failed are kept; they are fed first. */
  readonly corpusFolder: string
  readonly seconds: number
  readonly seed: number
  readonly inputTimeoutMs?: number
}

export interface FuzzOrder {
  readonly file: string
  readonly corpus: readonly Uint8Array[]
  readonly seconds: number
  readonly seed: number
  /** Inputs begun, length of the last, and its bytes. */
  readonly shared: SharedArrayBuffer
}

export type FuzzReport =
  | { readonly kind: 'passed'; readonly executions: number; readonly known: number; readonly seconds: number }
  | { readonly kind: 'failed'; readonly input: Uint8Array; readonly why: string }

export type FuzzOutcome =
  Extract<FuzzReport, { kind: 'passed' }> | { readonly kind: 'failed'; readonly why: string; readonly savedAs: string }

export async function fuzz(options: FuzzOptions): Promise<FuzzOutcome> {
  const shared = new SharedArrayBuffer(SHARED_BYTES)
  const order: FuzzOrder = {
    file: options.file,
    corpus: readCorpus(options.corpusFolder),
    seconds: options.seconds,
    seed: options.seed,
    shared,
  }
  const report = await runWorker(order, options.inputTimeoutMs ?? INPUT_TIMEOUT_MS)
  if (report.kind === 'passed') return report
  return { kind: 'failed', why: report.why, savedAs: save(options.corpusFolder, report.input) }
}

async function runWorker(order: FuzzOrder, inputTimeoutMs: number): Promise<FuzzReport> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
  })
  const { promise, resolve } = Promise.withResolvers<FuzzReport>()
  const lastInput = (why: string): void => resolve({ kind: 'failed', input: inputAtWork(order.shared), why })
  worker.once('message', resolve)
  worker.once('error', (error: Error) => lastInput(error.stack ?? error.message))
  worker.once('exit', (code) => lastInput(`the thread ended with code ${code}`))
  const stopWatching = watch(order.shared, inputTimeoutMs, () => lastInput(`no end after ${inputTimeoutMs} ms`))
  const report = await promise
  stopWatching()
  await worker.terminate()
  return report
}

/** Calls `onStuck` when the same input has been at work for too long. */
function watch(shared: SharedArrayBuffer, inputTimeoutMs: number, onStuck: () => void): () => void {
  const counters = new Int32Array(shared, 0, 2)
  let seen = 0
  let sinceMs = performance.now()
  const timer = setInterval(
    () => {
      const begun = Atomics.load(counters, 0)
      if (begun !== seen || begun === 0) {
        seen = begun
        sinceMs = performance.now()
      } else if (performance.now() - sinceMs > inputTimeoutMs) onStuck()
    },
    Math.min(WATCH_EVERY_MS, inputTimeoutMs),
  )
  return () => clearInterval(timer)
}

function inputAtWork(shared: SharedArrayBuffer): Uint8Array {
  const length = Atomics.load(new Int32Array(shared, 0, 2), 1)
  return new Uint8Array(shared, 8, length).slice()
}

function readCorpus(folder: string): Uint8Array[] {
  let names: string[]
  try {
    names = readdirSync(folder).toSorted()
  } catch {
    return [] // nothing has failed yet
  }
  return names.map((name) => new Uint8Array(readFileSync(path.join(folder, name))))
}

function save(folder: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16))
  writeFileSync(file, input)
  return file
}
