/** Wall-clock time, handed in so that tests and pure code decide what "now" is. */
export interface Clock {
  nowMs(): number
}

export const systemClock: Clock = { nowMs: () => Date.now() }
