/** How often one peer may ask: enough for a provider that looks up its users' correspondents, too little to try out names. */

export const REQUESTS_PER_MINUTE_MAX = 300
const MINUTE_MS = 60_000
const PEERS_MAX = 10_000

export class RequestMeter {
  readonly #nowMs: () => number
  readonly #counts = new Map<string, number>()
  #beganMs = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Counts a request; false when the peer has asked too often in this minute, or too many peers have. */
  admit(peer: string): boolean {
    const nowMs = this.#nowMs()
    if (nowMs >= this.#beganMs + MINUTE_MS || nowMs < this.#beganMs) {
      this.#counts.clear()
      this.#beganMs = nowMs
    }
    const count = (this.#counts.get(peer) ?? 0) + 1
    if (count > REQUESTS_PER_MINUTE_MAX || (count === 1 && this.#counts.size >= PEERS_MAX)) return false
    this.#counts.set(peer, count)
    return true
  }
}
