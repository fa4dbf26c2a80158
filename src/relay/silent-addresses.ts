/** Addresses that gave no connection a moment ago: whoever has others to try begins with those. */

/** As long as a domain rests of which no host can be reached. */
export const SILENT_MS = 60_000
const ADDRESSES_MAX = 10_000

export class SilentAddresses {
  /** Address and port, oldest first. */
  readonly #untilMs = new Map<string, number>()

  add(address: string, port: number, nowMs: number): void {
    const key = `${address} ${port}`
    this.#untilMs.delete(key)
    this.#untilMs.set(key, nowMs + SILENT_MS)
    const [oldest] = this.#untilMs.keys()
    if (this.#untilMs.size > ADDRESSES_MAX && oldest !== undefined) this.#untilMs.delete(oldest)
  }

  has(address: string, port: number, nowMs: number): boolean {
    return (this.#untilMs.get(`${address} ${port}`) ?? 0) > nowMs
  }
}
