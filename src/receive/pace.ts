/** Is a client slower with its message than it may be? Pure; asked once in each stretch of time. */
export class Pace {
  #bytesBefore: number
  #weWaited = false

  /** `bytesRead`: of the connection, so far. */
  constructor(bytesRead: number) {
    this.#bytesBefore = bytesRead
  }

  /** We made the client wait: this stretch of time says nothing about it. */
  madeWait(): void {
    this.#weWaited = true
  }

  /** At the end of a stretch of time, in which at least so many bytes had to come. */
  tooSlow(bytesRead: number, minBytes: number): boolean {
    const slow = !this.#weWaited && bytesRead - this.#bytesBefore < minBytes
    this.#bytesBefore = bytesRead
    this.#weWaited = false
    return slow
  }
}
