/** Where a domain wants reports about TLS with its mail hosts: its TXT record (RFC 8460 §3). Pure. */
import { parseTagList } from '../../authentication/tag-list.ts'
import { type Address, parseAddress } from '../../message/address.ts'

/** Places that one record may name. */
const PLACES_MAX = 5
const URL_MAX_CHARS = 2_000

export type ReportPlace =
  { readonly kind: 'mail'; readonly to: Address } | { readonly kind: 'https'; readonly url: string }

/** None when there is not exactly one record. */
export function readReportRecord(records: readonly string[]): readonly ReportPlace[] {
  const [only, another] = records.filter((record) => /^v=TLSRPTv1[ \t]*;/.test(record))
  if (only === undefined || another !== undefined) return []
  const places = (parseTagList(only)?.get('rua') ?? '').split(',', PLACES_MAX)
  return places.flatMap((place) => readPlace(place.trim()) ?? [])
}

function readPlace(text: string): ReportPlace | undefined {
  if (text.length > URL_MAX_CHARS) return undefined
  if (/^https:\/\//i.test(text)) return URL.canParse(text) ? { kind: 'https', url: text } : undefined
  const [, written] = /^mailto:([^?]+)$/i.exec(text) ?? []
  const to = written === undefined ? undefined : parseAddress(percentDecoded(written))
  return to && { kind: 'mail', to }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return '' // no octets of UTF-8
  }
}
