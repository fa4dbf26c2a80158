/** What a connection does later, unless it is closed before. */
export class Timers {
  readonly #waiting = new Set<NodeJS.Timeout>()

  /** Returns what calls it off. */
  after(ms: number, work: () => void): () => void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer)
      work()
    }, ms)
    this.#waiting.add(timer)
    return () => {
      clearTimeout(timer)
      this.#waiting.delete(timer)
    }
  }

  clear(): void {
    for (const timer of this.#waiting) clearTimeout(timer)
    this.#waiting.clear()
  }
}
