/**
 * How often something may happen: a bucket of tokens for each key, filled at a steady rate. Pure; times are handed in,
 * from a clock that never jumps.
 */

const MINUTE_MS = 60_000
/** Keys come from outside; of those seen longest ago nothing is remembered. */
const KEYS_MAX = 50_000

interface Bucket {
  tokens: number
  atMs: number
}

export class TokenBuckets {
  /** The one touched last is the last. */
  readonly #buckets = new Map<string, Bucket>()
  readonly #keysMax: number

  constructor(keysMax: number = KEYS_MAX) {
    this.#keysMax = keysMax
  }

  /**
   * Takes a token, if one is there: `perMinute` may be taken at once, and as many again are there a minute later. A rate of
   * 0 is no limit.
   */
  take(key: string, perMinute: number, nowMs: number): boolean {
    if (perMinute === 0) return true
    const tokens = this.#tokens(key, perMinute, nowMs)
    const enough = tokens >= 1
    this.#keep(key, { tokens: enough ? tokens - 1 : tokens, atMs: nowMs })
    return enough
  }

  /** Would `take` get one? */
  has(key: string, perMinute: number, nowMs: number): boolean {
    return perMinute === 0 || this.#tokens(key, perMinute, nowMs) >= 1
  }

  /** A token comes back, unused. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket !== undefined) bucket.tokens += 1
  }

  #tokens(key: string, perMinute: number, nowMs: number): number {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return perMinute
    const grown = (Math.max(0, nowMs - bucket.atMs) * perMinute) / MINUTE_MS
    return Math.min(perMinute, bucket.tokens + grown)
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size <= this.#keysMax) return
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      return
    }
  }
}
