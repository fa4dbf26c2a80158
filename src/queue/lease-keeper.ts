/**
 * Makes the leases last of what this node has in its hands. When that cannot be done for so long that they are about to run
 * out, it is let go: else another node, to whom it falls, would hand the same mail to the same next hop.
 */
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import type { ContentSource } from '../protocol/delivery.ts'
import type { Store } from '../store/database.ts'
import { endLostLeases, renewLease } from '../store/leases.ts'

/** How long a lease lasts without a sign of life: so long waits what a crashed server had in its hands. */
export const LEASE_MS = 2 * 60_000
const RENEW_EVERY_MS = LEASE_MS / 6
/** A lease that was taken so long ago is in somebody's hands, or its taking was never heard of. */
const TAKEN_WITHIN_MS = 10_000
/** What is running is broken off so long before: a connection needs a moment to end. */
const LET_GO_BEFORE_MS = 15_000

export interface LeaseKeeperDeps {
  readonly store: Pick<Store, 'commit' | 'isShared' | 'node'>
  readonly clock: Clock
  readonly idsToKeep: () => readonly number[]
  /** What is to be kept, and what is just being written down. */
  readonly idsHere: () => readonly number[]
  /** The database could not be reached. */
  readonly lost: () => void
  /** Breaks off what runs, forgets what waits. */
  readonly letGo: () => void
  /** A clock that nobody can set, in milliseconds. */
  readonly monotonicMs?: () => number
}

export class LeaseKeeper {
  readonly #deps: LeaseKeeperDeps
  readonly #monotonicMs: () => number
  /** When all that is in our hands was leased for LEASE_MS at least. */
  #renewedMs: number
  #timer: NodeJS.Timeout | undefined
  #renewing = false

  constructor(deps: LeaseKeeperDeps) {
    this.#deps = deps
    this.#monotonicMs = deps.monotonicMs ?? (() => performance.now())
    this.#renewedMs = this.#monotonicMs()
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), RENEW_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /**
   * `content` that comes to its end only while the leases last, else it throws. A node that stood still goes on where it was,
   * before any timer has told it the time: it must not say the final dot of a mail that is another's by now.
   */
  whileLeased(content: ContentSource): ContentSource {
    if (!this.#deps.store.isShared) return content
    const isOver = (): boolean => this.#monotonicMs() - this.#renewedMs >= LEASE_MS - LET_GO_BEFORE_MS
    return async function* () {
      yield* content()
      if (isOver()) throw new Error('this node stood still for so long that the mail may be another’s')
    }
  }

  /** Never rejects. */
  async tick(): Promise<void> {
    const { store, letGo } = this.#deps
    const askedMs = this.#monotonicMs()
    if (store.isShared && askedMs - this.#renewedMs >= LEASE_MS - LET_GO_BEFORE_MS - RENEW_EVERY_MS) {
      letGo()
      this.#renewedMs = askedMs // nothing is left whose lease could run out
    }
    if (this.#renewing) return
    this.#renewing = true
    try {
      await this.#renew()
      this.#renewedMs = Math.max(this.#renewedMs, askedMs)
    } catch (error) {
      this.#deps.lost()
      events.trouble({ during: 'renewing the leases of running deliveries', error })
    } finally {
      this.#renewing = false
    }
  }

  async #renew(): Promise<void> {
    const { store, clock, idsToKeep, idsHere } = this.#deps
    const { node } = store
    if (!store.isShared && idsToKeep().length === 0) return
    const nowMs = clock.nowMs()
    const untilMs = nowMs + LEASE_MS
    await store.commit(async (tx) => {
      // which ids is asked inside the transaction: what is being recorded just before must keep the time it is given
      await renewLease(tx, idsToKeep(), { node, untilMs })
      if (!store.isShared) return
      await endLostLeases(tx, { node, nowMs, beforeMs: untilMs - TAKEN_WITHIN_MS, idsInHand: idsHere })
    })
  }
}
