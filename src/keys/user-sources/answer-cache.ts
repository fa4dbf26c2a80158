/** What was answered, for a while; many who ask the same at once ask once. */
import type { Clock } from '../../base/clock.ts'

export interface AnswerCacheOptions<Value> {
  readonly clock: Clock
  readonly entriesMax: number
  /** How long this answer is given again. */
  keepMs(value: Value): number
}

interface Entry<Value> {
  readonly value: Promise<Value>
  untilMs: number
}

export class AnswerCache<Value> {
  readonly #options: AnswerCacheOptions<Value>
  /** In the order in which they were asked for. */
  readonly #entries = new Map<string, Entry<Value>>()

  constructor(options: AnswerCacheOptions<Value>) {
    this.#options = options
  }

  /** A failure is nobody's answer but that of those who waited for it. */
  get(key: string, ask: () => Promise<Value>): Promise<Value> {
    const known = this.#entries.get(key)
    if (known !== undefined && known.untilMs > this.#options.clock.nowMs()) return known.value
    const entry: Entry<Value> = { value: ask(), untilMs: Infinity }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    this.#makeRoom()
    entry.value.then(
      (value) => (entry.untilMs = this.#options.clock.nowMs() + this.#options.keepMs(value)),
      () => this.#forget(key, entry),
    )
    return entry.value
  }

  #forget(key: string, entry: Entry<Value>): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
  }

  #makeRoom(): void {
    if (this.#entries.size <= this.#options.entriesMax) return
    const oldest = this.#entries.keys().next()
    if (!oldest.done) this.#entries.delete(oldest.value)
  }
}
