/**
 * How each domain has taken our mail lately, and so how many deliveries it gets at a time and how long it is left alone
 * when it cannot be reached (RFC 5321 §4.5.4.1). The caller reads the clock.
 */
import type { Domain } from '../message/address.ts'

/** Deliveries at a time to a domain that nothing is known of. */
export const PLACES_FIRST = 10
/** A domain none of whose hosts could be reached: nobody queues up for a dead host. Each further failure doubles it. */
export const REST_FIRST_MS = 60_000
/** The longest rest: as long waits, at worst, what comes in just before the domain is back. */
export const REST_MAX_MS = 30 * 60_000

export interface Rest {
  readonly firstMs: number
  readonly maxMs: number
}

export const OTHERS_REST: Rest = { firstMs: REST_FIRST_MS, maxMs: REST_MAX_MS }
/** The mail store behind us is our own, and our users wait. */
export const STORE_REST: Rest = { firstMs: 5_000, maxMs: 5 * 60_000 }
/** Part of a rest by which it is shortened at random: what fell silent together is not asked together. */
export const REST_JITTER = 0.1
/** What is under way when a domain pushes back is pushed back as well, and says nothing new. */
export const PUSHED_BACK_ONCE_MS = 5_000
/** Domains that are remembered; the one heard of longest ago is forgotten first. */
export const DOMAINS_MAX = 10_000

interface Destination {
  places: number
  /** Rests in a row. */
  failures: number
  pushedBackMs: number
}

export class Destinations {
  /** Heard of longest ago first. */
  readonly #known = new Map<Domain, Destination>()
  readonly #restUntilMs = new Map<Domain, number>()

  /** Deliveries at a time. */
  placesOf(domain: Domain, placesMax: number): number {
    return Math.min(this.#known.get(domain)?.places ?? PLACES_FIRST, placesMax)
  }

  isResting(domain: Domain, nowMs: number): boolean {
    return (this.#restUntilMs.get(domain) ?? 0) > nowMs
  }

  resting(nowMs: number): Domain[] {
    for (const [domain, untilMs] of this.#restUntilMs) if (untilMs <= nowMs) this.#restUntilMs.delete(domain)
    return [...this.#restUntilMs.keys()]
  }

  /** Somebody says that they can be reached: each is asked again, and rests longer when it cannot. */
  endRests(): void {
    this.#restUntilMs.clear()
  }

  /** It took mail, or refused it in words. */
  answered(domain: Domain, placesMax: number): void {
    const { places } = this.#know(domain)
    this.#keep(domain, { places: Math.min(places + 1, placesMax), failures: 0, pushedBackMs: -Infinity })
  }

  pushedBack(domain: Domain, nowMs: number): void {
    const known = this.#know(domain)
    if (nowMs - known.pushedBackMs < PUSHED_BACK_ONCE_MS) return
    this.#keep(domain, { ...known, places: halved(known.places), pushedBackMs: nowMs })
  }

  /** Until when it rests. What was under way when the rest began does not prolong it. `random` is uniform in [0, 1). */
  unreachable(domain: Domain, nowMs: number, random: number, { firstMs, maxMs } = OTHERS_REST): number {
    const untilMs = this.#restUntilMs.get(domain) ?? 0
    if (untilMs > nowMs) return untilMs
    const known = this.#know(domain)
    const restMs = Math.min(firstMs * 2 ** Math.min(known.failures, 30), maxMs)
    this.#keep(domain, { ...known, places: halved(known.places), failures: known.failures + 1 })
    const until = Math.ceil(nowMs + restMs * (1 - REST_JITTER * random))
    this.#restUntilMs.set(domain, until)
    return until
  }

  #know(domain: Domain): Destination {
    return this.#known.get(domain) ?? { places: PLACES_FIRST, failures: 0, pushedBackMs: -Infinity }
  }

  #keep(domain: Domain, destination: Destination): void {
    this.#known.delete(domain)
    this.#known.set(domain, destination)
    const [oldest] = this.#known.keys()
    if (this.#known.size > DOMAINS_MAX && oldest !== undefined) this.#known.delete(oldest)
  }
}

const halved = (places: number): number => Math.max(1, Math.floor(places / 2))
