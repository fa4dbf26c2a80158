/** Dates and message identifiers as header fields want them. */
import assert from 'node:assert/strict'
import type { Domain } from './address.ts'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/**
 * date-time (RFC 5322 §3.3), always in UTC as +0000: `Tue, 14 Nov 2026 09:00:00 +0000`.
 * @param ms since 1970; years 1900 to 9999, anything else is our own bug and throws.
 */
export function formatDate(ms: number): string {
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  assert(year >= 1900 && year <= 9999, `no date: ${ms}`)
  const [day, month] = [DAYS[date.getUTCDay()], MONTHS[date.getUTCMonth()]]
  return `${day}, ${date.getUTCDate()} ${month} ${year} ${date.toISOString().slice(11, 19)} +0000`
}

const DATE_TIME =
  /^(?:[a-z]{3}[ \t]*,)?[ \t]*(\d{1,2})[ \t]+([a-z]{3})[ \t]+(\d{4})[ \t]+(\d\d):(\d\d)(?::(\d\d))?[ \t]+(?:([+-])(\d\d)(\d\d)|UTC?|GMT|Z)(?:[ \t]*\([^()]*\))?$/i

/**
 * Reads a date-time (RFC 5322 §3.3), with at most one comment, at its end; of the old zone names only those of UTC.
 * @returns milliseconds since 1970, or `undefined` for anything else.
 */
export function parseDate(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [, day, name = '', year, hour, minute, second = '0', sign, zoneHours = '0', zoneMinutes = '0'] = match
  const month = MONTHS.findIndex((each) => each.toLowerCase() === name.toLowerCase())
  const localMs = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second))
  const zoneMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000
  const utcMs = sign === '-' ? localMs + zoneMs : localMs - zoneMs
  const isDate = month >= 0 && Number(year) >= 1901 && new Date(localMs).getUTCDate() === Number(day)
  return isDate && Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60 ? utcMs : undefined
}

/** At least this much randomness goes into what must be unique or cannot be guessed. */
export const RANDOM_BYTES_MIN = 12

/**
 * msg-id (RFC 5322 §3.6.4) with its angle brackets.
 * @param random at least RANDOM_BYTES_MIN octets from a cryptographic source, else throws.
 */
export function formatMessageId(random: Uint8Array, domain: Domain): string {
  return `<${randomToken(random)}@${domain}>`
}

/** Lower-case letters and digits: safe in a boundary, a message identifier and a file name. */
export function randomToken(random: Uint8Array): string {
  assert(random.length >= RANDOM_BYTES_MIN, 'too little randomness')
  return Buffer.from(random).toString('hex')
}
