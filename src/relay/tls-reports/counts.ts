/** Counts results in memory, and writes them down once a minute: a report may miss a minute, the mail's way must not wait for it. */
import type { Clock } from '../../base/clock.ts'
import type { Store } from '../../store/database.ts'
import { type TlsResultRow, addTlsResults } from '../../store/tls-results.ts'
import type { HopTried } from './result.ts'

/** Different rows between two writings; a sender with more of them has other worries. */
const ROWS_MAX = 10_000

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

export class TlsCounts {
  readonly #store: Store
  readonly #clock: Clock
  #rows = new Map<string, TlsResultRow>()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  add({ domain, host, address = '', sendingAddress = '', policy, result }: HopTried): void {
    const row = {
      day: dayOf(this.#clock.nowMs()),
      domain,
      policy: JSON.stringify(policy),
      result,
      host,
      address,
      sendingAddress,
    }
    const key = Object.values(row).join('\n')
    const known = this.#rows.get(key)
    if (known === undefined && this.#rows.size >= ROWS_MAX) return
    this.#rows.set(key, { ...row, count: (known?.count ?? 0) + 1 })
  }

  /** Rejects when the store fails: what was counted since the last time is lost. */
  async write(): Promise<void> {
    const rows = [...this.#rows.values()]
    if (rows.length === 0) return
    this.#rows = new Map()
    await this.#store.commit((tx) => addTlsResults(tx, rows))
  }
}
