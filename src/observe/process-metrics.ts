/** What the process itself is doing: memory, processor time, and how long the event loop lets its callers wait. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { counterOf, gauge, type Metric } from './registry.ts'

/** Between two looks of the timer that measures; a shorter delay is not seen. */
const RESOLUTION_MS = 10
const NANOSECONDS = 1e9
const MICROSECONDS = 1e6
const PERCENTILES = [50, 99, 100]

/** `version` is that of the program. */
export function watchProcess(version: string): { readonly metrics: readonly Metric[]; stop(): void } {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const startedSeconds = Math.round(Date.now() / 1000 - process.uptime())
  const plain = (value: number) => [{ labels: {}, value }]
  const metrics = [
    gauge('sealpost_build_info', 'Always 1; the labels say what runs.', () => [
      { labels: { version, node: process.version }, value: 1 },
    ]),
    gauge(
      'sealpost_event_loop_delay_seconds',
      'What a turn of the event loop came too late, since the last look.',
      () => {
        const samples = PERCENTILES.map((percentile) => ({
          labels: { percentile: String(percentile) },
          value: delay.count === 0 ? 0 : Math.max(0, delay.percentile(percentile) / NANOSECONDS - RESOLUTION_MS / 1000),
        }))
        delay.reset()
        return samples
      },
    ),
    counterOf('process_cpu_seconds_total', 'Processor time, threads included.', () => {
      const { user, system } = process.cpuUsage()
      return plain((user + system) / MICROSECONDS)
    }),
    gauge('process_resident_memory_bytes', 'Memory in use.', () => plain(process.memoryUsage.rss())),
    gauge('process_start_time_seconds', 'When it was started, in Unix time.', () => plain(startedSeconds)),
  ]
  return { metrics, stop: () => void delay.disable() }
}
