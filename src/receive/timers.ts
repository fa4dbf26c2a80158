/** What a connection does later, unless it is closed before. */
export class Timers {
  readonly #waiting = new Set<NodeJS.Timeout>()

  after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer)
      work()
    }, ms)
    this.#waiting.add(timer)
  }

  clear(): void {
    for (const timer of this.#waiting) clearTimeout(timer)
    this.#waiting.clear()
  }
}
