/** What a long run says of the server's memory. */

/** One moment of the server. */
export interface SoakSample {
  readonly atMs: number
  readonly loopP99Ms: number
  readonly rssMb: number
  /** Of the main thread, after a collection of garbage: what is held, JavaScript heap and buffers. */
  readonly usedMb: number
  readonly openFiles: number
}

const HOUR_MS = 3_600_000
/** Of a run, caches and pools fill first. */
const WARM_UP_SHARE = 0.25

/** The samples after the warm-up. */
export const settledSamples = (samples: readonly SoakSample[]): readonly SoakSample[] =>
  samples.slice(Math.floor(samples.length * WARM_UP_SHARE))

/** Growth in units an hour: the straight line that fits best (least squares). */
export function slopePerHour(samples: readonly SoakSample[], valueOf: (sample: SoakSample) => number): number {
  const meanAt = mean(samples.map(({ atMs }) => atMs))
  const meanValue = mean(samples.map(valueOf))
  let above = 0
  let below = 0
  for (const sample of samples) {
    above += (sample.atMs - meanAt) * (valueOf(sample) - meanValue)
    below += (sample.atMs - meanAt) ** 2
  }
  return below === 0 ? 0 : (above / below) * HOUR_MS
}

/** The value below which so many of a hundred are. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
