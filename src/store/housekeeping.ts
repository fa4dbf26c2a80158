/** What must be done now and then: forgets what is old enough, sweeps what a crash has left. */
import type { Clock } from '../base/clock.ts'
import { fillWkdNames } from './accounts.ts'
import { expireConfidential } from './confidential-mails.ts'
import type { Store } from './database.ts'
import { expireEvidence } from './mailboxes.ts'
import { expireTrace } from './trace.ts'
import { expireValidationData } from './validation-data.ts'

const EVERY_MS = 60 * 60_000
/** Rows forgotten in one transaction: everybody else's commit waits for it. */
const ROWS_AT_ONCE = 500
/** Filled in by one statement, which looks for each among all of them. */
const NAMES_AT_ONCE = 100
const DAY_MS = 24 * 60 * 60_000
/** Who answers a mail later than this finds that it was confidential no more. */
const CONFIDENTIAL_MS = 3 * 365 * DAY_MS

export interface HousekeepingRules {
  readonly evidenceDays: number
  readonly traceDays: number
}

export async function keepHouse(store: Store, clock: Clock, rules: HousekeepingRules): Promise<void> {
  const nowMs = clock.nowMs()
  const evidence = { beforeMs: nowMs - rules.evidenceDays * DAY_MS, limit: ROWS_AT_ONCE }
  const traces = { beforeMs: nowMs - rules.traceDays * DAY_MS, limit: ROWS_AT_ONCE }
  while ((await store.commit((tx) => expireEvidence(tx, evidence))) === ROWS_AT_ONCE);
  while ((await store.commit((tx) => expireTrace(tx, traces))) === ROWS_AT_ONCE);
  const confidential = { beforeMs: nowMs - CONFIDENTIAL_MS, limit: ROWS_AT_ONCE }
  while ((await store.commit((tx) => expireConfidential(tx, confidential))) === ROWS_AT_ONCE);
  const fetched = { beforeMs: nowMs, limit: ROWS_AT_ONCE }
  while ((await store.commit((tx) => expireValidationData(tx, fetched))) === ROWS_AT_ONCE);
  while ((await store.commit((tx) => fillWkdNames(tx, NAMES_AT_ONCE))) === NAMES_AT_ONCE);
  await store.bytes.sweep()
}

/** At once, then every hour, until the returned function is called. */
export function startHousekeeping(keep: () => Promise<void>, onTrouble: (error: unknown) => void): () => Promise<void> {
  let running = keep().catch(onTrouble)
  const timer = setInterval(() => {
    running = running.then(keep).catch(onTrouble)
  }, EVERY_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    return running
  }
}
