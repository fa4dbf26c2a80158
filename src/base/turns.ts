/** So many at once, so many who wait, and no more. */
export class Turns {
  readonly #runningMax: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limits: { readonly runningMax: number; readonly waitingMax: number }) {
    this.#runningMax = limits.runningMax
    this.#waitingMax = limits.waitingMax
  }

  /** Runs `work` when it is its turn; throws what `tooMany` makes when there are too many already. */
  async run<T>(work: () => Promise<T>, tooMany: () => Error): Promise<T> {
    if (this.#waiting.length >= this.#waitingMax) throw tooMany()
    if (this.#running < this.#runningMax) this.#running++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve)) // whoever leaves hands its place on
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
