/** What is done now and then, by one process at a time of all that share the store. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { LiveConfig } from '../config/live.ts'
import { keepUpKeys } from '../keys/upkeep.ts'
import { keepHouse, startHousekeeping } from '../store/housekeeping.ts'

/** It may be in the middle of a large folder; it goes on at the next start. */
const GRACE_MS = 500
/** The keys of a million users are not looked at every hour. */
const KEYS_EVERY_MS = 24 * 60 * 60_000

/** From now on, until the returned function is called. */
export function startKeeping(
  { store, clock, ...desk }: Desk,
  live: LiveConfig,
  sendReports: () => Promise<void>,
): () => Promise<void> {
  let isStopping = false
  let keysAgainMs = 0
  const keep = async (): Promise<void> => {
    const { evidence, trace, keys } = live.current
    const rules = { evidenceDays: evidence.keepDays, traceDays: trace.keepDays }
    await keepHouse(store, clock, rules).catch(troubled) // a bucket that cannot be swept now stops no key's renewal
    await sendReports()
    const nowMs = clock.nowMs()
    if (nowMs < keysAgainMs) return
    keysAgainMs = nowMs + KEYS_EVERY_MS
    const keyRules = { openpgp: keys.openpgp, validityDays: keys.certificateValidityDays }
    await keepUpKeys({ store, ...desk }, keyRules, nowMs, () => isStopping)
  }
  const end = startHousekeeping(() => store.unlessBusy('housekeeping', keep), troubled)
  return async () => {
    isStopping = true
    await Promise.race([end(), sleep(GRACE_MS, undefined, { ref: false })])
  }
}

const troubled = (error: unknown): void => events.trouble({ during: 'housekeeping', error })
