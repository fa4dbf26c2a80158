/** How much one server, and all of them together, are asked at once; one that does not answer is left alone for a while. */
import type { Clock } from '../base/clock.ts'
import { type Result, fail } from '../base/result.ts'

export const RUNNING_PER_HOST_MAX = 4
export const RUNNING_MAX = 32
/** Who waits for a turn; one more is turned away. */
export const WAITING_PER_HOST_MAX = 100
/** Failures in a row after which a host is left alone. */
const FAILURES_MAX = 5
export const REST_MS = 60_000
const HOSTS_MAX = 10_000

interface Host {
  running: number
  failures: number
  restsUntilMs: number
  readonly waiting: (() => void)[]
}

export interface GateLimits {
  readonly runningMax: number
  readonly waitingPerHostMax: number
}

export class HostGate {
  readonly #clock: Clock
  readonly #limits: GateLimits
  readonly #hosts = new Map<string, Host>()
  #running = 0

  constructor(clock: Clock, limits: Partial<GateLimits> = {}) {
    this.#clock = clock
    this.#limits = { runningMax: RUNNING_MAX, waitingPerHostMax: WAITING_PER_HOST_MAX, ...limits }
  }

  /** Runs `work` when it is its turn; an error at once when there will be none soon. */
  async run<T>(url: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
    const name = URL.parse(url)?.host ?? ''
    const host = this.#host(name)
    if (host.restsUntilMs > this.#clock.nowMs()) return fail('the server has failed again and again')
    const { runningMax, waitingPerHostMax } = this.#limits
    if (this.#running >= runningMax || host.waiting.length >= waitingPerHostMax) return fail('too much is fetched now')
    if (host.running >= RUNNING_PER_HOST_MAX) await new Promise<void>((resolve) => host.waiting.push(resolve))
    host.running++
    this.#running++
    try {
      const result = await work()
      host.failures = result.ok ? 0 : host.failures + 1
      if (host.failures >= FAILURES_MAX) host.restsUntilMs = this.#clock.nowMs() + REST_MS
      return result
    } finally {
      host.running--
      this.#running--
      host.waiting.shift()?.()
    }
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    for (const [oldest, { running, waiting }] of this.#hosts) {
      if (this.#hosts.size < HOSTS_MAX) break
      if (running === 0 && waiting.length === 0) this.#hosts.delete(oldest)
    }
    const host = { running: 0, failures: 0, restsUntilMs: 0, waiting: [] }
    this.#hosts.set(name, host)
    return host
  }
}
