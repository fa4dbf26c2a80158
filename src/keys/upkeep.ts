/**
 * What our users' own OpenPGP certificates need now and then: who has none is given one, and one that runs out soon is
 * renewed, so that nobody's correspondents ever find an expired one. S/MIME certificates are exchanged by `key rotate`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as events from '../base/events.ts'
import type { Address } from '../message/address.ts'
import { accountsAfter } from '../store/accounts.ts'
import { audit } from '../store/audit.ts'
import { type EnrolDeps, keepKeys } from './enrol.ts'
import { type OpenpgpKeys, makeOpenpgpKey, renewedOpenpgpKey } from './openpgp-keys.ts'
import type { PrivateKeyNote } from './private-keys.ts'

/** So that correspondents who look at keys once a month see the new end before the old one comes. */
const RENEW_BEFORE_DAYS = 90
const DAY_MS = 24 * 60 * 60_000

export interface UpkeepRules {
  readonly openpgp: OpenpgpKeys
  readonly validityDays: number
}

/** Users that are looked at in one go. */
const USERS_AT_ONCE = 10
/** A pause is so many times as long as what went before it: nobody's mail waits for this, however many users there are. */
const PAUSE_FACTOR = 19
const PAUSE_MIN_MS = 10

/**
 * Each user in a transaction of their own; what cannot be done for one is said, and done for the others. Ends early when
 * `isStopping`.
 */
export async function keepUpKeys(
  deps: EnrolDeps,
  rules: UpkeepRules,
  nowMs: number,
  isStopping: () => boolean = () => false,
): Promise<void> {
  let last = 0
  for (;;) {
    const beganMs = performance.now()
    const accounts = await accountsAfter(deps.store.db, last, USERS_AT_ONCE)
    for (const { address, status } of accounts)
      if (status !== 'removed' && !isStopping()) await keepUp(deps, address, rules, nowMs)
    last = accounts.at(-1)?.id ?? last
    if (accounts.length < USERS_AT_ONCE || isStopping()) return
    await sleep(Math.max(PAUSE_MIN_MS, PAUSE_FACTOR * (performance.now() - beganMs)), undefined, { ref: false })
  }
}

async function keepUp(deps: EnrolDeps, address: Address, rules: UpkeepRules, nowMs: number): Promise<void> {
  try {
    const own = await deps.privateKeys.notesOf(address, 'openpgp')
    if (own.length === 0) await make(deps, address, rules, nowMs)
    for (const note of own) if (endsSoon(note, rules, nowMs)) await renew(deps, address, note, rules, nowMs)
  } catch (error) {
    events.trouble({ during: `keeping the keys of ${address}`, error })
  }
}

function endsSoon({ certificate, retiredMs }: PrivateKeyNote, { validityDays }: UpkeepRules, nowMs: number): boolean {
  const beforeMs = Math.min(RENEW_BEFORE_DAYS, validityDays / 3) * DAY_MS
  return retiredMs === undefined && certificate.notAfterMs - nowMs < beforeMs
}

async function make(deps: EnrolDeps, address: Address, { openpgp, validityDays }: UpkeepRules, nowMs: number) {
  if (openpgp === 'off') return
  const made = makeOpenpgpKey({ profile: openpgp, address, validityDays, nowMs })
  await deps.store.commit(async (tx) => {
    await keepKeys(deps, tx, { address, nowMs }, [made])
    const { fingerprint: subject, algorithm } = made.certificate
    await audit(tx, { nowMs, actor: ACTOR, operation: 'key make', subject, detail: `${address}, openpgp ${algorithm}` })
  })
}

async function renew(
  deps: EnrolDeps,
  address: Address,
  { certificate: { fingerprint } }: PrivateKeyNote,
  { validityDays }: UpkeepRules,
  nowMs: number,
): Promise<void> {
  const own = (await deps.privateKeys.keysOf(address)).find((each) => each.certificate.fingerprint === fingerprint)
  if (own === undefined) return
  const renewed = renewedOpenpgpKey(own, { validityDays, nowMs })
  if (!renewed.ok) throw new Error(`${fingerprint} cannot be renewed: ${renewed.error}`)
  const certificate = renewed.value
  const until = new Date(certificate.notAfterMs).toISOString()
  await deps.store.commit(async (tx) => {
    await deps.publicKeys.add(tx, { address, certificate, trust: 'own', source: 'own', nowMs })
    const detail = `${address}, until ${until}`
    await audit(tx, { nowMs, actor: ACTOR, operation: 'key renew', subject: fingerprint, detail })
  })
  events.keyRenewed({ address, fingerprint, until })
}

/** Nobody at a keyboard. */
const ACTOR = 'upkeep'
