/** Sessions that wait for another message, per next hop. */
import type { RelayConnection } from './connection.ts'

export interface PoolLimits {
  /** Messages over one session before it is ended. */
  readonly messagesPerSessionMax: number
  /** How long a session may wait; servers close idle ones after minutes, polite clients much earlier. */
  readonly idleMs: number
  /** Waiting sessions, all next hops together. */
  readonly idleSessionsMax: number
}

export const POOL_LIMITS: PoolLimits = { messagesPerSessionMax: 100, idleMs: 5_000, idleSessionsMax: 50 }

export class ConnectionPool {
  readonly #limits: PoolLimits
  /** Oldest first. */
  readonly #waiting: { key: string; connection: RelayConnection; timer: NodeJS.Timeout }[] = []

  constructor(limits: PoolLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#waiting.length
  }

  /** The session for `key` that was used last; it is the caller's now. */
  take(key: string): RelayConnection | undefined {
    const at = this.#waiting.findLastIndex((one) => one.key === key)
    return at < 0 ? undefined : this.#remove(at)
  }

  /** Takes a session back; ends it when it has carried enough or too many are waiting. */
  give(key: string, connection: RelayConnection): void {
    if (!connection.usable) return
    if (connection.messages >= this.#limits.messagesPerSessionMax) return connection.quit()
    const timer = setTimeout(() => this.#drop(connection)?.quit(), this.#limits.idleMs)
    timer.unref()
    this.#waiting.push({ key, connection, timer })
    connection.onEnd = () => void this.#drop(connection)
    if (this.#waiting.length > this.#limits.idleSessionsMax) this.#remove(0)?.quit()
  }

  /** Ends every waiting session. */
  close(): void {
    while (this.#waiting.length > 0) this.#remove(0)?.quit()
  }

  #drop(connection: RelayConnection): RelayConnection | undefined {
    const at = this.#waiting.findIndex((one) => one.connection === connection)
    return at < 0 ? undefined : this.#remove(at)
  }

  #remove(at: number): RelayConnection | undefined {
    const [one] = this.#waiting.splice(at, 1)
    if (one === undefined) return undefined
    clearTimeout(one.timer)
    one.connection.onEnd = () => {}
    return one.connection
  }
}
