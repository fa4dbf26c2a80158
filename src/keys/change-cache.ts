/** What the store holds under a key, kept in memory until somebody, in whatever process, changes that kind of thing. */
import type { CachedNoun, Changes } from '../store/changes.ts'

export class ChangeCache<Value> {
  readonly #changes: Changes
  readonly #noun: CachedNoun
  readonly #entriesMax: number
  readonly #load: (key: string) => Promise<Value>
  /** In order of last use. Promises, so that many who ask at once load once. */
  readonly #entries = new Map<string, Promise<Value>>()
  #version = -1

  constructor(options: {
    readonly changes: Changes
    readonly noun: CachedNoun
    readonly entriesMax: number
    readonly load: (key: string) => Promise<Value>
  }) {
    this.#changes = options.changes
    this.#noun = options.noun
    this.#entriesMax = options.entriesMax
    this.#load = options.load
  }

  /** Never older than the moment of the call. */
  get(key: string): Promise<Value> {
    const version = this.#changes.of(this.#noun)
    // most are asked for a dozen times a mail: what is known costs no promise of its own
    return typeof version === 'number' ? this.#at(version, key) : version.then((read) => this.#at(read, key))
  }

  #at(version: number, key: string): Promise<Value> {
    if (version !== this.#version) {
      this.#entries.clear()
      this.#version = version
    }
    const known = this.#entries.get(key)
    this.#entries.delete(key)
    const value = known ?? this.#load(key)
    this.#entries.set(key, value)
    if (known === undefined) this.#watch(key, value)
    return value
  }

  /** For changes that are not noted, since they matter to few: this key is read anew next time. */
  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** A failed load is not kept, and the entry used longest ago makes room. */
  #watch(key: string, value: Promise<Value>): void {
    value.catch(() => {
      if (this.#entries.get(key) === value) this.#entries.delete(key)
    })
    if (this.#entries.size <= this.#entriesMax) return
    const oldest = this.#entries.keys().next()
    if (!oldest.done) this.#entries.delete(oldest.value)
  }
}
