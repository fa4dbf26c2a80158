/**
 * Loaded into a server before its own code: measures how late its event loop is. On SIGUSR2 it writes the 99th percentile since
 * the last time, in milliseconds, into the file that LOOP_DELAY_FILE names.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const RESOLUTION_MS = 1
const file = process.env['LOOP_DELAY_FILE']

if (isMainThread && file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, String(delays.percentile(99) / 1e6 - RESOLUTION_MS))
    renameSync(`${file}.new`, file)
    delays.reset()
  })
}
