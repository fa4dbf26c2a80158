/**
 * Works the queue off: lease → deliver → settle. A message leaves the queue only in the transaction that records what
 * became of it; whatever dies in between leaves a lease that runs out, and the message is tried again.
 */
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import type { Address, Domain } from '../message/address.ts'
import type { ContentSource, OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import { reply, replyText } from '../protocol/smtp-reply.ts'
import type { HandedOver, QueueTaker } from '../store/hand-over.ts'
import { endLeases, leaseBatches, renewLease } from '../store/leases.ts'
import { endWaitsOfWrongClock, nextDueMs, postponeDomain, type QueueBatch, type QueueItem } from '../store/queue.ts'
import { ActiveList, idsOf, type ActiveLimits } from './active-list.ts'
import { OTHERS_REST, STORE_REST } from './destinations.ts'
import { LEASE_MS, LeaseKeeper } from './lease-keeper.ts'
import { RETRY_SCHEDULE, type RetrySchedule } from './retry.ts'
import { outgoingMail } from './outgoing-mail.ts'
import { prepareSettlement, Settler, type SettleDeps, type Settlement } from './settle.ts'
import { isOpened, verdictOn } from './verdict.ts'

/** Takes one message to all its recipients in one domain; one result each. */
export type Deliverer = (mail: OutgoingMail, content: ContentSource) => Promise<readonly RecipientResult[]>

export interface QueueWorkerDeps extends SettleDeps {
  readonly clock: Clock
  /** Is the domain served here? */
  readonly isOwnDomain: (domain: Domain) => boolean
  /** Into our own mailboxes, by the path that mail from outside takes. */
  readonly deliverLocally: Deliverer
  readonly relay: Deliverer
  /** Into the mail store behind us; gets what has been opened for one of our users, and nothing else. */
  readonly deliverToStore: Deliverer
  /** Breaks off what `relay` and `deliverToStore` are doing: their mail is put off. For a stop that takes too long. */
  readonly abortRelay: () => void
  readonly random?: () => number
  readonly schedule?: RetrySchedule
  readonly limits?: ActiveLimits
}

export const ACTIVE_LIMITS: ActiveLimits = { runningMax: 40, runningForMax: () => 20 }
/** The queue is looked at this often at least: another process may have changed it. */
export const LOOK_EVERY_MS = 5_000
/** Between two tries to write down what became of a batch (disk full, database locked). */
export const SETTLE_AGAIN_MS = 2_000
/** When the database is back, others first write down what they have delivered meanwhile: else it looks as if nobody had it. */
const AFTER_OUTAGE_MS = 2 * SETTLE_AGAIN_MS + 1_000
/** After a failure of ours, no next hop has to be spared. */
const OUR_FAULT_FIRST_MS = 5_000

/** A clock that goes back by more than this was set; by less, mail waits so much longer. */
const SET_BACK_MIN_MS = 60_000

export class QueueWorker implements QueueTaker {
  readonly #deps: QueueWorkerDeps
  readonly #active: ActiveList
  readonly #settler: Settler
  readonly #leases: LeaseKeeper
  readonly #limits: ActiveLimits
  readonly #work = new Set<Promise<void>>()
  #looking: Promise<void> | undefined
  /** Somebody said so, or the last lease took as much as it could. */
  #mayHoldMore = false
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  /** How often an administrator had something tried again. */
  #retries = 0
  #lookedMs = performance.now()
  /** It was not there when it was asked last. */
  #lostDatabase = false
  /** By the same clock: from when mail may be taken that others may have had. */
  #leaseFromMs = 0
  /** How far the wall clock is ahead of the one that nobody can set, when it was looked at last. */
  #clockAheadMs = Infinity

  constructor(deps: QueueWorkerDeps) {
    this.#deps = deps
    this.#limits = deps.limits ?? ACTIVE_LIMITS
    this.#settler = new Settler(deps)
    this.#active = new ActiveList(this.#limits)
    const idsToKeep = (): readonly number[] => this.#active.idsToKeep()
    const idsHere = (): readonly number[] => this.#active.idsHere()
    this.#leases = new LeaseKeeper({
      ...deps,
      idsToKeep,
      idsHere,
      letGo: () => this.#letGo(),
      lost: () => (this.#lostDatabase = true),
    })
  }

  get node(): string {
    return this.#deps.store.node
  }

  /** Begins to work. Leases that a crash of this node left behind end at once; those of others run out. */
  async start(): Promise<void> {
    const { store } = this.#deps
    await store.commit((tx) => (store.isShared ? endLeases(tx, store.node) : endLeases(tx)))
    store.onQueued(() => this.notify())
    this.#leases.start()
    this.notify()
  }

  /** Since when nothing was leased and nothing done, though the queue is to be looked at every LOOK_EVERY_MS. */
  get stalledMs(): number {
    return this.#active.room === 0 ? 0 : performance.now() - this.#lookedMs
  }

  /** There is (or may be) new work. */
  notify(): void {
    this.#mayHoldMore = true
    this.#proceed()
  }

  /** As long as new mail for `domain` need not wait behind other mail. */
  leaseUntilMs(domain: Domain): number | undefined {
    const nowMs = this.#deps.clock.nowMs()
    return this.#stopping || !this.#active.admits(domain, nowMs) ? undefined : nowMs + LEASE_MS
  }

  take({ batches, more }: HandedOver): void {
    this.#active.addNew(batches)
    this.#mayHoldMore ||= more
    if (this.#stopping) void this.#giveBackWaiting()
    this.#proceed()
  }

  /**
   * Starts nothing more, gives back what has not started, waits for what runs; after `graceMs` that is broken off.
   * Resolves when everything is written down, or `graceMs` and a moment later.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    await this.#looking
    await this.#giveBackWaiting()
    if (await endsWithin(this.#work, graceMs)) return this.#stopped()
    this.#deps.abortRelay()
    await endsWithin(this.#work, SETTLE_AGAIN_MS)
    return this.#stopped()
  }

  #stopped(): void {
    this.#leases.stop()
  }

  /** Starts what may start; looks into the queue when that is worth while and nobody does already. */
  #proceed(): void {
    if (this.#stopping) return
    this.#startWaiting()
    if (!this.#mayHoldMore || this.#active.room === 0 || this.#looking !== undefined) return
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
      this.#proceed()
    })
  }

  /** Leases as much as there is room for. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      await this.#heedClock()
      await this.#heedRetries()
      if (this.#mustWait()) return
      while (this.#mayHoldMore && this.#active.room > 0 && !this.#stopping) {
        this.#mayHoldMore = false
        await this.#lease()
        this.#startWaiting()
      }
      await this.#sleepUntilDue()
      this.#lookedMs = performance.now()
    } catch (error) {
      this.#lostDatabase = true
      this.#mayHoldMore = false
      events.trouble({ during: 'leasing from the queue', error })
      this.#wakeIn(LOOK_EVERY_MS)
    }
  }

  /** For others, when the database has just come back; then this wakes up by itself. */
  #mustWait(): boolean {
    const nowMs = performance.now()
    this.#lookedMs = nowMs
    if (this.#lostDatabase && this.#deps.store.isShared) this.#leaseFromMs = nowMs + AFTER_OUTAGE_MS
    this.#lostDatabase = false
    const waitMs = this.#leaseFromMs - nowMs
    if (waitMs <= 0) return false
    this.#mayHoldMore = false
    this.#wakeIn(waitMs)
    return true
  }

  /** At the start, and when the clock was set back: else what was queued under the wrong time would wait until that comes. */
  async #heedClock(): Promise<void> {
    const { clock, schedule = RETRY_SCHEDULE, store } = this.#deps
    const nowMs = clock.nowMs()
    const aheadMs = nowMs - performance.now()
    if (aheadMs > this.#clockAheadMs - SET_BACK_MIN_MS) return
    const afterMs = nowMs + SET_BACK_MIN_MS
    const latestMs = afterMs + schedule.pauseMaxMs
    await store.commit((tx) => endWaitsOfWrongClock(tx, { nowMs, afterMs, latestMs }))
    this.#clockAheadMs = aheadMs
  }

  /** An administrator who has something tried again knows of the next hop what we do not. */
  async #heedRetries(): Promise<void> {
    const retries = await this.#deps.store.changes.of('queue-retries')
    if (retries !== this.#retries) this.#active.endRests()
    this.#retries = retries
  }

  async #lease(): Promise<void> {
    const { store, clock } = this.#deps
    const limit = this.#active.room
    const nowMs = clock.nowMs()
    const excludeDomains = this.#active.domainsToLeaveOut(nowMs)
    const leased = await store.commit((tx) =>
      leaseBatches(tx, { nowMs, leaseMs: LEASE_MS, limit, node: store.node, excludeDomains }),
    )
    this.#active.add(leased)
    if (leased.length === limit) this.#mayHoldMore = true
  }

  #startWaiting(): void {
    for (let batch = this.#active.start(); batch !== undefined; batch = this.#active.start()) {
      const started = batch
      const work = this.#run(started).finally(() => {
        this.#work.delete(work)
        if (this.#active.done(started)) this.#mayHoldMore = true
        this.#proceed()
      })
      this.#work.add(work)
    }
  }

  /** One batch from attempt to record. Never rejects. */
  async #run(batch: QueueBatch): Promise<void> {
    const { clock, random = Math.random } = this.#deps
    try {
      const results = await this.#attempt(batch)
      const schedule = this.#scheduleOf(batch, results)
      const nowMs = clock.nowMs()
      const now = { nowMs, schedule, random: random() }
      const verdicts = batch.items.map((item) =>
        verdictOn(item, results.get(item.recipient) ?? ourFault(item.recipient), now),
      )
      const settlement = await prepareSettlement(this.#deps, batch, verdicts, now)
      this.#active.settling(batch)
      await this.#settleAtLast(settlement)
      await this.#heed(batch, [...results.values()])
    } catch (error) {
      // nothing was written: the lease runs out, and the batch comes back
      events.trouble({ ...mailOf(batch.items), during: `working on the queue for ${batch.domain}`, error })
    }
  }

  async #attempt(batch: QueueBatch): Promise<ReadonlyMap<Address, RecipientResult>> {
    const { store } = this.#deps
    try {
      const mail = outgoingMail(batch)
      const isLocal = !batch.items.some(isOpened) && this.#deps.isOwnDomain(batch.domain)
      const deliver = this.#delivererOf(batch)
      const watch = new Stopwatch()
      const content = batch.content ?? (() => store.bytes.stream(batch.bytesId))
      const results = await deliver(mail, this.#leases.whileLeased(content))
      const by = isLocal ? 'local' : 'relay'
      events.took({ messageId: mail.messageId, by, tookMs: { deliver: watch.stepMs() } })
      return new Map(results.map((one) => [one.recipient, one]))
    } catch (error) {
      events.trouble({ ...mailOf(batch.items), during: `delivering to ${batch.domain}`, error })
      return new Map()
    }
  }

  #delivererOf({ domain, items }: QueueBatch): Deliverer {
    const { isOwnDomain, deliverLocally, deliverToStore, relay } = this.#deps
    // asked first: what has been opened never leaves for the outside, not even when its domain is ours no more
    if (items.some(isOpened)) return deliverToStore
    return isOwnDomain(domain) ? deliverLocally : relay
  }

  /** What has been delivered must not be forgotten because the disk was full for a minute. */
  async #settleAtLast(settlement: Settlement): Promise<void> {
    for (;;) {
      try {
        await this.#settler.settle(settlement)
        if (settlement.notice !== undefined) this.notify()
        return
      } catch (error) {
        if (this.#stopping) throw error
        const items = settlement.verdicts.map(({ item }) => item)
        events.trouble({ ...mailOf(items), during: 'recording what became of a message', error })
        await new Promise((resolve) => setTimeout(resolve, SETTLE_AGAIN_MS))
      }
    }
  }

  #scheduleOf({ items }: QueueBatch, results: ReadonlyMap<Address, RecipientResult>): RetrySchedule {
    const { schedule = RETRY_SCHEDULE } = this.#deps
    const { firstMs, maxMs: pauseMaxMs } = STORE_REST
    const usual = items.some(isOpened) ? { ...schedule, firstMs, pauseMaxMs } : schedule
    return results.size === 0 ? { ...usual, firstMs: OUR_FAULT_FIRST_MS } : usual
  }

  /** What this attempt says about the next ones to the same domain. */
  async #heed({ domain, items }: QueueBatch, results: readonly RecipientResult[]): Promise<void> {
    const { clock, store, random = Math.random } = this.#deps
    const nowMs = clock.nowMs()
    const [first] = results
    if (first === undefined) return
    if (!results.every(isUnreachable)) {
      const isPushedBack = results.every(({ reply: { code } }) => code === 421)
      return this.#active.heard(domain, isPushedBack ? 'pushed-back' : 'answered', nowMs)
    }
    const { batches, untilMs } = this.#active.rest(
      domain,
      nowMs,
      random(),
      items.some(isOpened) ? STORE_REST : OTHERS_REST,
    )
    await store.commit(async (tx) => {
      await renewLease(tx, idsOf(batches), { node: store.node, untilMs: nowMs })
      await postponeDomain(tx, domain, { nowMs, atMs: untilMs, reply: replyText(first.reply) })
    })
  }

  /** What had been leased and has not started; when that cannot be written, the lease runs out. */
  async #giveBackWaiting(): Promise<void> {
    try {
      await this.#giveBack(this.#active.takeWaiting(), this.#deps.clock.nowMs())
    } catch (error) {
      events.trouble({ during: 'giving leases back', error })
    }
  }

  async #giveBack(batches: readonly QueueBatch[], untilMs: number): Promise<void> {
    const { store } = this.#deps
    const ids = idsOf(batches)
    if (ids.length > 0) await store.commit((tx) => renewLease(tx, ids, { node: store.node, untilMs }))
  }

  /** The leases are about to run out, and cannot be renewed: what was not started is another node's now. */
  #letGo(): void {
    events.trouble({
      during: 'keeping leases',
      error: new Error('the database is away: running deliveries are broken off'),
    })
    this.#active.takeWaiting()
    this.#deps.abortRelay()
  }

  async #sleepUntilDue(): Promise<void> {
    if (this.#stopping) return
    const dueMs = await nextDueMs(this.#deps.store.db)
    const waitMs = dueMs === undefined ? LOOK_EVERY_MS : dueMs - this.#deps.clock.nowMs()
    // what is due and was not leased waits for a place, and places wake us
    this.#wakeIn(waitMs <= 0 ? LOOK_EVERY_MS : Math.min(waitMs, LOOK_EVERY_MS))
  }

  #wakeIn(waitMs: number): void {
    clearTimeout(this.#timer)
    if (this.#stopping) return
    this.#timer = setTimeout(() => this.notify(), waitMs)
    this.#timer.unref()
  }
}

const mailOf = ([first]: readonly QueueItem[]): { readonly messageId?: string } =>
  first === undefined ? {} : { messageId: first.messageId }

/** No host answered: neither with a reply nor with a mailbox. */
const isUnreachable = (result: RecipientResult): boolean =>
  result.outcome === 'deferred' && result.remote === undefined && UNREACHABLE.test(result.reply.enhanced)

const UNREACHABLE = /^4\.4\.[134]$/ // RFC 3463 §3.5: no answer from host, directory server failure, unable to route

const ourFault = (recipient: Address): RecipientResult => ({
  recipient,
  outcome: 'deferred',
  reply: reply(451, '4.3.0', 'The message could not be handed on; it will be tried again'),
  dsnPassedOn: false,
})

/** True when all of `work` has ended in time. */
async function endsWithin(work: ReadonlySet<Promise<void>>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<false>()
  const timer = setTimeout(() => late.resolve(false), ms)
  const ended = await Promise.race([Promise.all(work).then(() => true), late.promise])
  clearTimeout(timer)
  return ended
}
