/**
 * Loaded into the server before its own code: every SOAK_EVERY_MS it appends a line of JSON to the file that SOAK_FILE names:
 * how late the event loop has been, and what memory is in use when all garbage has been collected.
 */
import { appendFileSync, readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
import type { SoakSample } from './soak-figures.ts'

const RESOLUTION_MS = 1
const file = process.env['SOAK_FILE']

if (isMainThread && file !== undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const timer = setInterval(() => {
    const loopP99Ms = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS)
    collect()
    const { rss, heapUsed, external } = process.memoryUsage()
    const sample: SoakSample = {
      atMs: performance.now(),
      loopP99Ms,
      rssMb: rss / 1e6,
      usedMb: (heapUsed + external) / 1e6,
      openFiles: readdirSync('/proc/self/fd').length,
    }
    appendFileSync(file, `${JSON.stringify(sample)}\n`)
    delays.reset() // collecting garbage was our own doing
  }, Number(process.env['SOAK_EVERY_MS']))
  timer.unref()
}
