/**
 * Passwords that were right a moment ago. Mail programs sign in every minute and phones for every mail, and each time costs
 * some 30 ms of CPU. Kept are digests under a key of this process, of password and stored hash together: a new password, or
 * another user with the same, is not known here. What was wrong is never kept, so guessing stays as slow as it is.
 */
import { createHmac, randomBytes } from 'node:crypto'

export const RIGHT_FOR_MS = 10 * 60_000
/** Some 100 bytes each. */
const REMEMBERED_MAX = 50_000
const KEY_BYTES = 32

export class RightPasswords {
  readonly #key = randomBytes(KEY_BYTES)
  /** Digests, and until when they count; the oldest first. */
  readonly #until = new Map<string, number>()
  readonly #monotonicMs: () => number

  constructor(monotonicMs = (): number => performance.now()) {
    this.#monotonicMs = monotonicMs
  }

  /** True when it was right for this hash within `RIGHT_FOR_MS`. */
  has(password: Uint8Array, hash: string): boolean {
    return (this.#until.get(this.#digest(password, hash)) ?? 0) > this.#monotonicMs()
  }

  add(password: Uint8Array, hash: string): void {
    const nowMs = this.#monotonicMs()
    for (const [oldest, untilMs] of this.#until) {
      if (untilMs > nowMs && this.#until.size < REMEMBERED_MAX) break
      this.#until.delete(oldest)
    }
    const digest = this.#digest(password, hash)
    this.#until.delete(digest)
    this.#until.set(digest, nowMs + RIGHT_FOR_MS)
  }

  #digest(password: Uint8Array, hash: string): string {
    return createHmac('sha256', this.#key).update(hash).update('\0').update(password).digest('base64')
  }
}
