/**
 * The entries of a CRL (RFC 5280 §5.1.2.6). There can be a million of them: they stay bytes. One sweep notes where each
 * begins and whether all are understood; a serial number is then looked for in the bytes as they are.
 */
import { Buffer } from 'node:buffer'
import { readSmallInteger } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import { readExtensions, readInstant } from './certificate.ts'
import { readGeneralNames } from './general-name.ts'
import { Malformed, need } from '../../malformed.ts'
import { derNode } from '../asn1/der-fields.ts'
import { nameKey } from './name.ts'

const ENTRY_EXTENSION = { reason: '2.5.29.21', invalidityDate: '2.5.29.24', certificateIssuer: '2.5.29.29' } as const
const KNOWN_ENTRY_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(ENTRY_EXTENSION))
/** Extensions of entries that are read once for all entries that have the same; most have one of ten reasons. */
const FACTS_KEPT_MAX = 1000
const FACTS_KEPT_MAX_BYTES = 64

export interface RevokedEntry {
  readonly revokedMs: number
  /** CRLReason (RFC 5280 §5.3.1); 0 when absent. */
  readonly reason: number
  readonly invalidMs?: number
}

export interface CrlEntries {
  /** Content of revokedCertificates. */
  readonly bytes: Uint8Array
  /** Where each entry begins, in order. */
  readonly starts: Uint32Array
  /** The issuer from this entry on, by index (RFC 5280 §5.3.3); in order. */
  readonly issuers: readonly { readonly from: number; readonly issuer: string }[]
  /** False when a critical extension of an entry is not understood (RFC 5280 §5.3). */
  readonly understood: boolean
}

/** Sweeps over all entries; throws Malformed. */
export function readEntries(bytes: Uint8Array): CrlEntries {
  const starts = new Offsets()
  const issuers: { from: number; issuer: string }[] = []
  const known = new Map<string, ExtensionFacts>()
  const entry = new Cursor()
  const field = new Cursor()
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let understood = true
  for (let at = 0; at < bytes.length; at = entry.end) {
    entry.read(bytes, at, bytes.length)
    field.read(bytes, entry.content, entry.end)
    const isEntry = entry.tag === TAG.SEQUENCE && field.tag === TAG.INTEGER
    field.read(bytes, field.end, entry.end)
    if (!isEntry) throw new Malformed('CRL entry is malformed')
    starts.push(at)
    if (field.end === entry.end) continue
    const facts = factsOf(whole, field.end, entry.end, known)
    understood &&= facts.understood
    if (facts.issuer !== undefined) issuers.push({ from: starts.length - 1, issuer: facts.issuer })
  }
  return { bytes, starts: starts.take(), issuers, understood }
}

/**
 * The first entry with this serial number (its whole INTEGER) whose certificate is `issuerKey`'s. `indirect`: an entry's
 * issuer holds for those that follow; else for that entry alone, and `crlIssuer` for all others.
 */
export function findEntry(
  entries: CrlEntries,
  wanted: { readonly issuerKey: string; readonly serial: Uint8Array },
  crl: { readonly issuerKey: string; readonly indirect: boolean },
): RevokedEntry | undefined {
  const { bytes, starts, issuers } = entries
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = haystack.indexOf(wanted.serial); at >= 0; at = haystack.indexOf(wanted.serial, at + 1)) {
    const index = lastAtOrBefore(starts.length, (i) => starts[i] as number, at)
    const start = starts[index]
    if (start === undefined || cursorAt(bytes, start).content !== at) continue // the same octets elsewhere in an entry
    const named = issuers[lastAtOrBefore(issuers.length, (i) => issuers[i]?.from ?? 0, index)]
    const holds = named !== undefined && (crl.indirect || named.from === index)
    if ((holds ? named.issuer : crl.issuerKey) === wanted.issuerKey) return readEntry(bytes, start)
  }
  return undefined
}

/** Index of the last of `count` ascending values that is not above `value`; -1 when all are. */
function lastAtOrBefore(count: number, valueAt: (index: number) => number, value: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (valueAt(middle) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The entry that begins at `start`, which the sweep has found well-formed. */
function readEntry(bytes: Uint8Array, start: number): RevokedEntry {
  const entry = cursorAt(bytes, start)
  const time = cursorAt(bytes, cursorAt(bytes, entry.content).end)
  const content = bytes.subarray(time.content, time.end)
  const revokedMs = readInstant({ tag: time.tag, raw: content, content, children: [] })
  if (time.end === entry.end) return { revokedMs, reason: 0 }
  const { reason, invalidMs } = readFacts(bytes.subarray(time.end, entry.end))
  return { revokedMs, reason, ...(invalidMs === undefined ? {} : { invalidMs }) }
}

interface ExtensionFacts extends Omit<RevokedEntry, 'revokedMs'> {
  readonly issuer?: string
  readonly understood: boolean
}

function factsOf(bytes: Buffer, start: number, end: number, known: Map<string, ExtensionFacts>): ExtensionFacts {
  if (end - start > FACTS_KEPT_MAX_BYTES) return readFacts(bytes.subarray(start, end))
  const key = bytes.toString('latin1', start, end)
  const before = known.get(key)
  if (before !== undefined) return before
  const facts = readFacts(bytes.subarray(start, end))
  if (known.size < FACTS_KEPT_MAX) known.set(key, facts)
  return facts
}

function readFacts(der: Uint8Array): ExtensionFacts {
  const extensions = readExtensions(derNode(der, TAG.SEQUENCE, 'CRL entry'))
  const value = (oid: string): Uint8Array | undefined => extensions.find((extension) => extension.oid === oid)?.value
  const reason = value(ENTRY_EXTENSION.reason)
  const invalid = value(ENTRY_EXTENSION.invalidityDate)
  const issuer = value(ENTRY_EXTENSION.certificateIssuer)
  return {
    reason:
      reason === undefined
        ? 0
        : need(readSmallInteger(derNode(reason, TAG.ENUMERATED, 'reason').content), 'reason is malformed'),
    ...(invalid === undefined ? {} : { invalidMs: readInstant(derNode(invalid, TAG.GENERALIZED_TIME, 'date')) }),
    ...(issuer === undefined ? {} : { issuer: readEntryIssuer(issuer) }),
    understood: extensions.every(({ critical, oid }) => !critical || KNOWN_ENTRY_EXTENSIONS.has(oid)),
  }
}

function readEntryIssuer(value: Uint8Array): string {
  const names = readGeneralNames(derNode(value, TAG.SEQUENCE, 'certificateIssuer'))
  const directory = names.find((name) => name.kind === 'directory')
  if (directory === undefined) throw new Malformed('certificateIssuer has no name')
  return nameKey(directory.name)
}

/** Reads one tag and length after the other without making an object of each. */
class Cursor {
  tag = 0
  /** Where the content begins and ends. */
  content = 0
  end = 0

  /** Throws Malformed when the element does not end by `limit`. */
  read(bytes: Uint8Array, at: number, limit: number): void {
    const first = bytes[at + 1]
    if (first === undefined || at + 2 > limit) throw new Malformed('CRL ends early')
    let length = first
    let content = at + 2
    if (first >= 0x80) {
      const count = first & 0x7f
      if (count === 0 || count > 4) throw new Malformed('CRL has a length that DER does not')
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + (bytes[content + i] ?? 0)
      content += count
    }
    if (content + length > limit) throw new Malformed('CRL ends early')
    this.tag = bytes[at] as number
    this.content = content
    this.end = content + length
  }
}

function cursorAt(bytes: Uint8Array, at: number): Cursor {
  const cursor = new Cursor()
  cursor.read(bytes, at, bytes.length)
  return cursor
}

/** Offsets in an array that grows. */
class Offsets {
  #values = new Uint32Array(64)
  length = 0

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Uint32Array(2 * this.length)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  take(): Uint32Array {
    return this.#values.slice(0, this.length)
  }
}
