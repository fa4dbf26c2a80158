/** What is in the database: is it whole, which keys run out, and does anything lie too long? */
import type { Desk } from '../admin/desk.ts'
import { SourceDown } from '../keys/user-sources/user-source.ts'
import type { Users } from '../keys/user-sources/users.ts'
import { parseAddress } from '../message/address.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import { disputedAddresses } from '../store/account-entries.ts'
import { databaseDamage } from '../store/damage.ts'
import { signingCertificatesAfter } from '../store/private-key-rows.ts'
import { queueDepth } from '../store/queue.ts'
import { type Finding, good, trouble } from './finding.ts'

const DAY_MS = 24 * 60 * 60_000
const HOUR_MS = 60 * 60_000
/** Correspondents need a new certificate before the old one ends. */
const USER_KEYS_DAYS = 30
/** Of an authority, so that nobody's certificate outlives it. */
const AUTHORITY_DAYS = 365
const ROWS_AT_ONCE = 1_000
/** Users that are named; of more, only how many. */
const NAMED_MAX = 5
const SOURCES = 'directory and file of users'

export function examineDatabase({ config, store }: Desk): Finding {
  if (store.isShared) return good('database', 'answers, and its tables are those of this program')
  const damage = databaseDamage(config.dataDir)
  if (damage === undefined) return good('database', 'whole')
  return trouble('database', 'broken', `damaged: ${damage}`, {
    why: 'Mail and keys may be lost, and more of them with every hour.',
    remedy: 'Stop the server, look at the disk (dmesg, smartctl), then: sealpost restore',
  })
}

/** OpenPGP certificates are renewed by the server itself. */
export async function examineKeys({ store }: Desk, nowMs: number): Promise<readonly Finding[]> {
  const authorities: Finding[] = []
  const users: string[] = []
  let last = 0
  for (;;) {
    const rows = await signingCertificatesAfter(store.db, last, ROWS_AT_ONCE)
    for (const { owner, purpose, standard, certificate } of rows) {
      const parsed = standard === 'smime' ? parseCertificate(certificate) : undefined
      if (parsed?.ok !== true) continue
      const leftDays = Math.floor((parsed.value.notAfterMs - nowMs) / DAY_MS)
      if (purpose === 'authority') authorities.push(examineAuthority(owner, leftDays))
      else if (leftDays < USER_KEYS_DAYS) users.push(owner)
    }
    last = rows.at(-1)?.id ?? last
    if (rows.length < ROWS_AT_ONCE) return [...authorities, userKeys([...new Set(users)])]
  }
}

function examineAuthority(domain: string, leftDays: number): Finding {
  const check = `authority of ${domain}`
  if (leftDays >= AUTHORITY_DAYS) return good(check, `ends in ${leftDays} days`)
  const ends = leftDays < 0 ? 'has expired' : `ends in ${leftDays} days`
  return trouble(check, leftDays < 0 ? 'broken' : 'warning', ends, {
    why: 'Certificates of our users end with it: nobody believes their signatures any more.',
    remedy: 'sealpost key import brings in a new authority; then sealpost key rotate for each user.',
  })
}

function userKeys(ending: readonly string[]): Finding {
  const check = "users' S/MIME certificates"
  if (ending.length === 0) return good(check, `none ends within ${USER_KEYS_DAYS} days`)
  const [first = ''] = ending
  const named = ending.slice(0, NAMED_MAX).join(', ')
  return trouble(check, 'warning', `${ending.length} end within ${USER_KEYS_DAYS} days, or have ended: ${named}`, {
    why: 'Correspondents see an expired signature, and their programs encrypt no more.',
    remedy: `sealpost key rotate ${first}, for each of them`,
  })
}

export async function examineQueue({ store, config }: Desk, nowMs: number): Promise<Finding> {
  const check = 'queue'
  const depths = await queueDepth(store.db)
  const oldestMs = Math.min(...depths.flatMap((each) => each.oldestMs ?? []))
  const waiting = depths.map(({ state, count }) => `${count} ${state}`).join(', ')
  if (nowMs - oldestMs < config.queue.tellDelayAfterHours * HOUR_MS || oldestMs === Infinity)
    return good(check, waiting)
  return trouble(check, 'warning', `${waiting}; the oldest for ${Math.floor((nowMs - oldestMs) / HOUR_MS)} hours`, {
    why: 'Somebody waits for that mail; its sender has been told that it is delayed.',
    remedy: 'sealpost queue list says to whom and what their host has answered; port 25 outwards may be closed.',
  })
}

/** Whose address the directory has for another entry. */
export async function examineDisputes({ store }: Desk): Promise<Finding> {
  const check = 'users and their entries'
  const disputed = await disputedAddresses(store.db)
  const [first] = disputed
  if (first === undefined) return good(check, "no address is another entry's now, as far as it was asked for")
  const named = disputed.slice(0, NAMED_MAX).join(', ')
  return trouble(check, 'broken', `${disputed.length} addresses are other entries' in the directory now: ${named}`, {
    why: 'Mail to them is answered 450, and nobody can sign in: it would be with the keys of somebody else.',
    remedy: `Another person: sealpost user reassign ${first}. The same one: sealpost user confirm ${first}`,
  })
}

const MIXED_UP = trouble(SOURCES, 'warning', 'answer, but do not say which entry is which', {
  why: 'Whoever is given the address of somebody who has left gets their mailbox and their keys.',
  remedy:
    'Set accounts.ldap.idAttribute to what an entry keeps for ever (entryUUID, objectGUID, nsUniqueId), and let "bindDn" read it.',
})

/** Asks each source for an address that need not be there. */
export async function examineSources(users: Users, domains: readonly string[]): Promise<Finding> {
  const check = SOURCES
  const address = parseAddress(`sealpost-doctor@${domains[0] ?? ''}`)
  try {
    if (address !== undefined) await users.reach(address)
    return (await users.mixesEntriesUp()) ? MIXED_UP : good(check, 'answer')
  } catch (error) {
    if (!(error instanceof SourceDown)) throw error
    return trouble(check, 'broken', error.message, {
      why: 'Mail to their users is answered 451, and they cannot sign in.',
      remedy: 'See docs/operating/accounts.md, "When something is wrong".',
    })
  }
}
