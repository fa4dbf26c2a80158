/** TLS sessions to take up again (RFC 8446 §2.2): a handshake in which the next hop signs nothing and sends no certificates. */

/** How long one is kept: what it proves was seen when it began. */
export const TLS_SESSION_MAX_MS = 60 * 60_000
const SESSIONS_MAX = 1_000

export class TlsSessions {
  /** Oldest first. */
  readonly #kept = new Map<string, { readonly session: Buffer; readonly untilMs: number }>()

  /**
   * `key`: whom it was opened to, and what was demanded. Node asks for no name in a session that it takes up again, so one
   * that was opened under lesser demands must not be found.
   */
  of(key: string, nowMs: number): Buffer | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined || kept.untilMs > nowMs) return kept?.session
    this.#kept.delete(key)
    return undefined
  }

  keep(key: string, session: Buffer, nowMs: number): void {
    this.#kept.delete(key)
    this.#kept.set(key, { session, untilMs: nowMs + TLS_SESSION_MAX_MS })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > SESSIONS_MAX && oldest !== undefined) this.#kept.delete(oldest)
  }

  forget(key: string): void {
    this.#kept.delete(key)
  }
}
