/** Rates and times of operations that take turns, so that a noisy neighbour hits all of them alike. */

export interface Measured {
  /** Per second of CPU, all threads; of the best round. */
  readonly perSecond: number
  /** Wall clock, all rounds. */
  readonly p50Ms: number
  readonly p99Ms: number
}

export type Operation = () => unknown

const ROUNDS = 6

/** Each operation gets about `ms` of CPU, in rounds; the first half of a round's time more warms it up. */
export async function measureInTurns(ms: number, operations: readonly Operation[]): Promise<Measured[]> {
  const best = operations.map(() => 0)
  const times = operations.map((): number[] => [])
  for (const operation of operations) await repeat(operation, ms / ROUNDS) // a server's code is warm
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, operation] of operations.entries()) {
      const startMs = cpuMs()
      const durations = await repeat(operation, ms / ROUNDS)
      const perSecond = (durations.length / (cpuMs() - startMs)) * 1000
      best[index] = Math.max(best[index] ?? 0, perSecond)
      times[index]?.push(...durations)
    }
  return operations.map((_, index) => ({ perSecond: best[index] ?? 0, ...percentiles(times[index] ?? []) }))
}

export function percentiles(ms: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function repeat(operation: Operation, ms: number): Promise<number[]> {
  const durations: number[] = []
  const endMs = performance.now() + ms
  let nowMs = performance.now()
  do {
    const startMs = nowMs
    const result = operation()
    if (result instanceof Promise) await result
    nowMs = performance.now()
    durations.push(nowMs - startMs)
  } while (nowMs < endMs)
  return durations
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
