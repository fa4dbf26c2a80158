/** How long the steps of one piece of work take, by a clock that never jumps. */
export class Stopwatch {
  #beganMs = performance.now()

  /** Milliseconds since the last step ended, or since it was made. */
  stepMs(): number {
    const nowMs = performance.now()
    const tookMs = nowMs - this.#beganMs
    this.#beganMs = nowMs
    return tookMs
  }
}
