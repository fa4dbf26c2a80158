/** What tells an entry of a directory from another one that is given its address later: entryUUID (RFC 4530), and others like it. */
import type { Entry } from 'ldapts'
import { SourceDown } from '../user-source.ts'

/** A UUID has 36. */
const ENTRY_ID_MAX_BYTES = 128
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i
const PRINTABLE = /^[\x21-\x7e]+$/

/**
 * Text as it is, octets (objectGUID) as hex digits; `undefined` when the entry has none that we may read. Throws `SourceDown`
 * for what cannot be an identifier: several values, or a long one.
 */
export function entryIdIn(entry: Entry, attribute: string): string | undefined {
  const [value, another] = valuesOf(entry, attribute)
  if (value === undefined || value.length === 0) return undefined
  const octets = Buffer.from(value)
  if (another !== undefined || octets.length > ENTRY_ID_MAX_BYTES)
    throw new SourceDown(`${entry.dn}: ${attribute} does not name one entry`)
  const text = octets.toString('latin1')
  if (!PRINTABLE.test(text)) return octets.toString('hex')
  return UUID.test(text) ? text.toLowerCase() : text
}

/** Octets where they are no text. Directories write the names of attributes as they like. */
export function valuesOf(entry: Entry, attribute: string): readonly (string | Buffer)[] {
  const wanted = attribute.toLowerCase()
  return Object.entries(entry).flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value].flat() : []))
}
