/** When a message is tried again, when its sender is told, when it is given up (RFC 5321 §4.5.4.1). Pure. */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

export interface RetrySchedule {
  /** Pause after the first failure; each further one doubles it. */
  readonly firstMs: number
  /** Longest pause. */
  readonly pauseMaxMs: number
  /** Part of the pause, 0 to 1, by which it is shortened at random, so that what failed together does not return together. */
  readonly jitter: number
  /** The sender is told of the delay once, after this long. */
  readonly tellDelayAfterMs: number
  /** The message is returned after this long. */
  readonly giveUpAfterMs: number
}

/** RFC 5321 §4.5.4.1 asks for 30 minutes at least and 4 to 5 days; soon at first, for greylisting and restarts. */
export const RETRY_SCHEDULE: RetrySchedule = {
  firstMs: 5 * MINUTE_MS,
  pauseMaxMs: 4 * HOUR_MS,
  jitter: 0.1,
  tellDelayAfterMs: 4 * HOUR_MS,
  giveUpAfterMs: 5 * DAY_MS,
}

export interface Waiting {
  readonly queuedMs: number
  /** Attempts that had failed before this one. */
  readonly attempts: number
  /** When the sender was told of the delay. */
  readonly delayToldMs: number | null
}

export type NextStep =
  { readonly kind: 'retry'; readonly atMs: number; readonly tellDelay: boolean } | { readonly kind: 'give-up' }

/** What follows a temporary failure at `nowMs`. `random` is uniform in [0, 1). */
export function nextStep(item: Waiting, nowMs: number, schedule: RetrySchedule, random: number): NextStep {
  const endMs = item.queuedMs + schedule.giveUpAfterMs
  if (nowMs >= endMs) return { kind: 'give-up' }
  // the exponent is bounded before the power: a row that was retried by hand a thousand times stays finite
  const pauseMs = Math.min(schedule.firstMs * 2 ** Math.min(item.attempts, 30), schedule.pauseMaxMs)
  // the last attempt is at the very end, not a pause before it
  const atMs = Math.min(nowMs + pauseMs * (1 - schedule.jitter * random), endMs)
  const tellDelay = item.delayToldMs === null && nowMs - item.queuedMs >= schedule.tellDelayAfterMs
  return { kind: 'retry', atMs: Math.ceil(atMs), tellDelay }
}
