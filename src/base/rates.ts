/** What one peer, or one user, may ask for in a minute, over all listeners together. */
import { peerGroup } from './peer-address.ts'
import { TokenBuckets } from './token-buckets.ts'

/** How many a minute; 0 is no limit. */
export interface RateLimits {
  readonly connectionsPerAddress: number
  readonly mailsPerAddress: number
  readonly recipientsPerAddress: number
  readonly refusedRecipientsPerAddress: number
  readonly loginFailuresPerAddress: number
  readonly mailsPerUser: number
  readonly recipientsPerUser: number
  readonly loginFailuresPerUser: number
}

export type RateName = keyof RateLimits

export interface RateDeps {
  /** As they are now. */
  limits(): RateLimits
  /** Addresses for which nothing is counted. */
  exempt(address: string): boolean
  /** From a clock that never jumps. */
  nowMs(): number
}

/** Users are kept by name, and names come from outside. */
const NAME_MAX_CHARACTERS = 320

/** Which of the two is counted is in the name of the rate. */
export interface Whose {
  /** As node:net tells it; the network of an IPv6 address counts as one. */
  readonly address: string
  readonly user?: string
}

/** Counts. Asked before the thing is done; who hears `false` does not do it. */
export class Rates {
  readonly #deps: RateDeps
  readonly #buckets = new Map<RateName, TokenBuckets>()

  constructor(deps: RateDeps) {
    this.#deps = deps
  }

  take(name: RateName, whose: Whose): boolean {
    if (this.#deps.exempt(whose.address)) return true
    return this.#of(name).take(keyOf(name, whose), this.#deps.limits()[name], this.#deps.nowMs())
  }

  /** Would `take` be heard? */
  has(name: RateName, whose: Whose): boolean {
    if (this.#deps.exempt(whose.address)) return true
    return this.#of(name).has(keyOf(name, whose), this.#deps.limits()[name], this.#deps.nowMs())
  }

  /** What was taken did not happen. */
  giveBack(name: RateName, whose: Whose): void {
    if (!this.#deps.exempt(whose.address)) this.#of(name).giveBack(keyOf(name, whose))
  }

  #of(name: RateName): TokenBuckets {
    const buckets = this.#buckets.get(name) ?? new TokenBuckets()
    this.#buckets.set(name, buckets)
    return buckets
  }
}

function keyOf(name: RateName, { address, user = '' }: Whose): string {
  return name.endsWith('PerUser') ? user.toLowerCase().slice(0, NAME_MAX_CHARACTERS) : peerGroup(address)
}
