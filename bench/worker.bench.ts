/** What it costs to hand a mail to a worker thread and have it back, besides the work itself. */
import { WorkerPool } from '../src/base/worker-pool.ts'
import type { ProtectionJob, ProtectionOutcome } from '../src/gateway/protection-worker.ts'
import { percentiles } from './measure.ts'
import type { Effort, Row } from './row.ts'

const BODY_BYTES = 5_000

/** A job that only puts trace fields in front; one at a time, so that nothing overlaps. */
export async function workerRows({ smoke }: Effort): Promise<Row[]> {
  await using pool = new WorkerPool<ProtectionJob, ProtectionOutcome>({
    script: new URL('../src/gateway/protection-worker.ts', import.meta.url),
    size: 1,
    timeoutMs: 30_000,
    streamTimeoutMs: 30_000,
    heapMaxMb: 256,
    queueMax: 10,
    streamsMax: 1,
  })
  const job: ProtectionJob = {
    kind: 'wrap',
    header: Buffer.from('From: t-azuma@biglobe.ne.jp\r\n'),
    trace: Buffer.from('Received: from terminal; Mon, 1 Jun 2026 09:00:00 +0900\r\n'),
    signingTimeMs: Date.now(),
    copies: [{ kind: 'as-is' }],
    dkim: [],
    body: new Uint8Array(BODY_BYTES).fill(0x61),
  }
  const times: number[] = []
  for (let run = 0; run < (smoke ? 20 : 4_000); run++) {
    const startMs = performance.now()
    const outcome = await pool.run(job)
    if (outcome.kind !== 'done') throw new Error(`the worker: ${outcome.kind}`)
    times.push(performance.now() - startMs)
  }
  const { p50Ms, p99Ms } = percentiles(times.slice(times.length / 2))
  return [{ case: 'worker thread: there and back with 5 kB', value: p50Ms * 1000, unit: 'µs', p50Ms, p99Ms }]
}
