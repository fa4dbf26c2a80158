/** The batches this process has leased: those that run and those that wait for a place. Who may start is decided here. */
import type { Domain } from '../message/address.ts'
import type { QueueBatch } from '../store/queue.ts'
import { Destinations, OTHERS_REST } from './destinations.ts'

export interface ActiveLimits {
  /** Batches that run at the same time. */
  readonly runningMax: number
  /** Of these, for one domain, when it answers well. */
  runningForMax(domain: Domain): number
}

/** Leased batches for each that can run: few, large leases, for each costs a commit. */
export const LEASE_AHEAD = 8

export class ActiveList {
  readonly #limits: ActiveLimits
  readonly #waiting: QueueBatch[] = []
  readonly #running = new Set<QueueBatch>()
  /** Of the running: their record is being written, which sets the time they are due. */
  readonly #settling = new Set<QueueBatch>()
  /** Domains of which there is more in the queue than was let in. */
  readonly #leftOut = new Set<Domain>()
  readonly #destinations = new Destinations()

  constructor(limits: ActiveLimits) {
    this.#limits = limits
  }

  /** How many batches to lease now; 0 until half of the list is free. */
  get room(): number {
    const sizeMax = LEASE_AHEAD * this.#limits.runningMax
    const free = sizeMax - this.#waiting.length - this.#running.size
    return free >= sizeMax / 2 ? Math.min(free, this.#shareMax / 2) : 0
  }

  /** Row ids whose lease has to last. */
  idsToKeep(): number[] {
    return idsOf([...this.#running].filter((batch) => !this.#settling.has(batch))).concat(idsOf(this.#waiting))
  }

  /** Row ids of all that is here. */
  idsHere(): number[] {
    return idsOf([...this.#running, ...this.#waiting])
  }

  /** Domains that the next lease leaves out: they have their share of the list, or they rest. */
  domainsToLeaveOut(nowMs: number): Domain[] {
    const counts = new Map<Domain, number>()
    for (const { domain } of [...this.#running, ...this.#waiting]) counts.set(domain, (counts.get(domain) ?? 0) + 1)
    const full = [...counts].filter(([, count]) => count >= this.#shareMax).map(([domain]) => domain)
    for (const domain of full) this.#leftOut.add(domain)
    return [...new Set([...full, ...this.#destinations.resting(nowMs)])]
  }

  /**
   * Takes leased batches in. Rows that are here already are left out: their lease ran out while their record could not be
   * written, and they must not be delivered twice.
   */
  add(batches: readonly QueueBatch[]): void {
    const here = new Set(this.idsHere())
    for (const batch of batches) {
      const items = batch.items.filter((item) => !here.has(item.id))
      if (items.length > 0) this.#waiting.push({ ...batch, items })
    }
  }

  /** Whether a new batch for `domain` may come in past the queue: there is room, and none of it waits there. */
  admits(domain: Domain, nowMs: number): boolean {
    const here = [...this.#running, ...this.#waiting]
    const full = here.length >= LEASE_AHEAD * this.#limits.runningMax
    const enough = here.filter((batch) => batch.domain === domain).length >= this.#shareMax
    const rests = this.#destinations.isResting(domain, nowMs)
    if (full || enough || rests) this.#leftOut.add(domain)
    return !this.#leftOut.has(domain)
  }

  /** Takes in what `admits` has let in: rows that nobody else can have leased. */
  addNew(batches: readonly QueueBatch[]): void {
    this.#waiting.push(...batches)
  }

  /** The oldest batch that may start now; it counts as running until `done`. */
  start(): QueueBatch | undefined {
    if (this.#running.size >= this.#limits.runningMax) return undefined
    const busy = this.#busyDomains()
    const at = this.#waiting.findIndex(({ domain }) => !busy.has(domain))
    const [batch] = at < 0 ? [] : this.#waiting.splice(at, 1)
    if (batch !== undefined) this.#running.add(batch)
    return batch
  }

  settling(batch: QueueBatch): void {
    this.#settling.add(batch)
  }

  /** True when the queue is worth a look: more of the same domain may be there, and half of its share is free. */
  done(batch: QueueBatch): boolean {
    this.#running.delete(batch)
    this.#settling.delete(batch)
    if (!this.#leftOut.has(batch.domain)) return false
    const here = [...this.#running, ...this.#waiting].filter(({ domain }) => domain === batch.domain).length
    return here <= this.#shareMax / 2 && this.#leftOut.delete(batch.domain)
  }

  /** `domain` took mail or refused it, or said that it has enough of us for now. */
  heard(domain: Domain, reception: 'answered' | 'pushed-back', nowMs: number): void {
    if (reception === 'answered') this.#destinations.answered(domain, this.#limits.runningForMax(domain))
    else this.#destinations.pushedBack(domain, nowMs)
  }

  /**
   * No host of `domain` can be reached. Takes out what waits for it, to be given back until the rest is over. `random` is
   * uniform in [0, 1).
   */
  rest(
    domain: Domain,
    nowMs: number,
    random: number,
    rest = OTHERS_REST,
  ): { readonly batches: readonly QueueBatch[]; readonly untilMs: number } {
    const untilMs = this.#destinations.unreachable(domain, nowMs, random, rest)
    const batches = this.#waiting.filter((batch) => batch.domain === domain)
    this.#waiting.splice(0, Infinity, ...this.#waiting.filter((batch) => batch.domain !== domain))
    return { batches, untilMs }
  }

  /** Whoever rests is asked again. */
  endRests(): void {
    this.#destinations.endRests()
  }

  /** Takes out everything that has not started. */
  takeWaiting(): QueueBatch[] {
    return this.#waiting.splice(0)
  }

  /** Of one domain, running or waiting. Half of the list, so that there is always a place for others. */
  get #shareMax(): number {
    return (LEASE_AHEAD * this.#limits.runningMax) / 2
  }

  /** Domains for which as many batches run as may. */
  #busyDomains(): ReadonlySet<Domain> {
    const counts = new Map<Domain, number>()
    for (const { domain } of this.#running) counts.set(domain, (counts.get(domain) ?? 0) + 1)
    const placesOf = (domain: Domain): number => this.#destinations.placesOf(domain, this.#limits.runningForMax(domain))
    return new Set([...counts].filter(([domain, count]) => count >= placesOf(domain)).map(([domain]) => domain))
  }
}

export const idsOf = (batches: readonly QueueBatch[]): number[] =>
  batches.flatMap((batch) => batch.items.map((item) => item.id))
