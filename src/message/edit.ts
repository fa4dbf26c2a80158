/** Changes a header without touching what stays: fields are put in at the top and taken out, nothing is rewritten. */
import type { HeaderField, Part } from './part.ts'

export interface HeaderEdit {
  /** New fields, in this order, before all others: where trace fields belong (RFC 5321 §4.4). */
  readonly prepend?: readonly HeaderField[]
  /** Which fields to take out. Nameless ones (lines that are no fields) are asked about too. */
  readonly remove?: (field: HeaderField) => boolean
}

/**
 * The edited message as chunks; the body, and every run of fields that stay, are views on the original. A first line
 * that continues no field goes when something is put before it: it would become part of what we wrote.
 */
export function editHeader(part: Part, edit: HeaderEdit): readonly Uint8Array[] {
  const { prepend = [], remove = () => false } = edit
  const chunks: Uint8Array[] = prepend.map((field) => field.raw)
  let from = 0
  let at = 0
  for (const [index, field] of part.fields.entries()) {
    const end = at + field.raw.length
    const strayLine = index === 0 && prepend.length > 0 && (field.raw[0] === 0x20 || field.raw[0] === 0x09)
    if (strayLine || remove(field)) {
      if (at > from) chunks.push(part.raw.subarray(from, at))
      from = end
    }
    at = end
  }
  if (from < part.raw.length) chunks.push(part.raw.subarray(from))
  return chunks
}
