/** Feeds one fuzz target. The input at work lies in shared memory, so that it is known even when this thread never returns. */
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'
import type { FuzzOrder, FuzzReport } from './target.ts'

const order = workerData as FuzzOrder
const counters = new Int32Array(order.shared, 0, 2)
const room = new Uint8Array(order.shared, 8)

const module = (await import(pathToFileURL(order.file).href)) as {
  target(bytes: Uint8Array): unknown
  seeds(): Uint8Array[]
}
const report = await run()
parentPort?.postMessage(report)

async function run(): Promise<FuzzReport> {
  const random = new Random(order.seed)
  const known = [...order.corpus, ...module.seeds()]
  for (const input of known) {
    const why = await feed(input)
    if (why !== undefined) return failed(input, why)
  }
  const startedMs = performance.now()
  let executions = 0
  while (performance.now() - startedMs < order.seconds * 1000) {
    for (let batch = 0; batch < 64; batch++, executions++) {
      const input = mutate(known, random)
      const why = await feed(input)
      if (why !== undefined) return failed(input, why)
    }
  }
  return { kind: 'passed', executions, known: known.length, seconds: (performance.now() - startedMs) / 1000 }
}

/** Why the target failed on it, if it did. */
async function feed(input: Uint8Array): Promise<string | undefined> {
  const kept = input.subarray(0, room.length)
  room.set(kept)
  counters[1] = kept.length
  Atomics.add(counters, 0, 1)
  try {
    const result = module.target(Uint8Array.from(input))
    if (result instanceof Promise) await result
    return undefined
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

function failed(input: Uint8Array, why: string): FuzzReport {
  return { kind: 'failed', input, why }
}
