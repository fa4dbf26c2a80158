/**
 * A refused mail is not kept; what it was refused for can be asked with `sealpost trace`. Refusing costs who is refused
 * nothing, so only so many leave rows behind; the log has all of them.
 */
import * as events from '../base/events.ts'
import type { MailEvent } from '../base/mail-events.ts'
import { TokenBuckets } from '../base/token-buckets.ts'
import type { Store } from '../store/database.ts'
import { addTrace, entriesOf } from '../store/trace.ts'

/** A minute, of one user or one peer. */
export const TRACED_PER_SOURCE_MAX = 10
/** A minute, of all together: in 90 days 2.6 million rows, about 1 GB. */
export const TRACED_MAX = 20

export class RefusalTraces {
  readonly #store: Store
  readonly #buckets = new TokenBuckets()
  readonly #all = new TokenBuckets()

  constructor(store: Store) {
    this.#store = store
  }

  /** Keeps and says what led to a refusal. `source`: the user, or the peer. Never rejects. */
  async tell(told: readonly MailEvent[], source: string, atMs: number): Promise<void> {
    if (this.#mayKeep(source)) {
      try {
        await this.#store.commit((tx) => addTrace(tx, entriesOf(told, atMs)))
      } catch (error) {
        events.trouble({ during: 'keeping the trace of a refused mail', error })
      }
    }
    for (const event of told) events.say(event)
  }

  #mayKeep(source: string): boolean {
    const nowMs = performance.now()
    return this.#buckets.take(source, TRACED_PER_SOURCE_MAX, nowMs) && this.#all.take('', TRACED_MAX, nowMs)
  }
}
