/** The worker of base/worker-pool.test.ts: does what it is told, bad things included. */
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { serveJobs } from '../../src/base/serve-jobs.ts'

export type PoolJob =
  | { readonly do: 'double'; readonly number: number }
  /** Who did it? As a job and as a stream. */
  | { readonly do: 'thread' }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'loop' | 'exit' | 'throw' | 'eat-heap' }
  | { readonly do: 'sum'; readonly bytes: Uint8Array }
  | { readonly do: 'tee' | 'loop-at-end' | 'throw-at-chunk' | 'exit-at-chunk' | 'swell' | 'swell-at-end' }

/** Output made of every input chunk by a `swell` stream; by `swell-at-end` at its end as well. */
export const SWELL_BYTES = 256 * 1024

serveJobs<PoolJob, number>({
  async run(job) {
    if (job.do === 'double') return job.number * 2
    if (job.do === 'thread') return threadId
    if (job.do === 'sum') return job.bytes.reduce((sum, byte) => sum + byte, 0)
    if (job.do === 'sleep') return await sleep(job.ms, job.ms)
    return misbehave(job.do)
  },
  open(job, output) {
    let total = 0
    return {
      write(chunk) {
        if (job.do === 'throw-at-chunk') throw new Error('this chunk was too much')
        if (job.do === 'exit-at-chunk') process.exit(7)
        total += chunk.length
        output.write(chunk, 0)
        if (job.do === 'swell' || job.do === 'swell-at-end') output.write(new Uint8Array(SWELL_BYTES), 1)
        else output.write(chunk.subarray(0, 1), 1)
      },
      end() {
        if (job.do === 'swell-at-end') output.write(new Uint8Array(SWELL_BYTES), 1)
        if (job.do === 'thread') return threadId
        if (job.do === 'loop-at-end') return misbehave('loop')
        return total
      },
    }
  },
})

function misbehave(how: PoolJob['do']): number {
  if (how === 'exit') process.exit(3)
  if (how === 'throw') throw new RangeError('thrown\nin the worker')
  if (how === 'loop') for (;;) Math.random()
  if (how === 'eat-heap') {
    const kept: number[][] = []
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => index + 0.5))
  }
  return 0
}
