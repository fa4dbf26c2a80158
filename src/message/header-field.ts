/** Header fields: finding them, reading one as text, writing one. */
import { isAscii, isUtf8 } from 'node:buffer'
import { concatBytes, latin1, utf8 } from '../base/bytes.ts'
import type { HeaderField, Part } from './part.ts'

/** Where makeField folds (RFC 5322 §2.1.1). */
export const FOLD_COLUMNS = 78

/** Field names know no case (RFC 5322 §1.2.2). `name` is given in any case. */
export function isField(field: HeaderField, name: string): boolean {
  return field.name.length === name.length && field.name.toLowerCase() === name.toLowerCase()
}

export function fieldsNamed(part: Part, name: string): readonly HeaderField[] {
  return part.fields.filter((field) => isField(field, name))
}

export function firstField(part: Part, name: string): HeaderField | undefined {
  return part.fields.find((field) => isField(field, name))
}

/**
 * The field's body as text: unfolded (RFC 5322 §2.2.3), without blanks at either end. UTF-8 where it is valid UTF-8
 * (RFC 6532 §3.2), else one character a byte. Control characters other than the folding are left in: whoever gives
 * the text a meaning refuses them.
 */
export function fieldBody(field: HeaderField): string {
  const colon = field.raw.indexOf(0x3a)
  const bytes = field.raw.subarray(colon + 1)
  const text = !isAscii(bytes) && isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : latin1(bytes)
  return trimBlanks(unfold(text))
}

/**
 * A new field, folded before blanks so that lines stay within FOLD_COLUMNS where the text has blanks to fold at; text
 * outside US-ASCII goes out as UTF-8 (RFC 6532 §3.2).
 * @throws when name or body could end the field early (CR, LF, NUL) or the name is no field name: that is our own bug.
 */
export function makeField(name: string, body: string): HeaderField {
  if (!/^[!-9;-~]{1,76}$/.test(name)) throw new Error(`not a field name: ${JSON.stringify(name)}`)
  // oxlint-disable-next-line no-control-regex -- these are what must not come through
  if (/[\0\r\n]/.test(body)) throw new Error(`line end or NUL in the body of field ${name}`)
  return { name, raw: utf8(`${fold(`${name}: ${trimBlanks(body)}`, name.length + 2)}\r\n`) }
}

/** Header bytes of these fields, without the empty line that ends a header. */
export function writeFields(fields: readonly HeaderField[]): Uint8Array {
  return concatBytes(fields.map((field) => field.raw))
}

/** Takes out each line end that a blank follows, and the last one. */
function unfold(text: string): string {
  if (!text.includes('\n')) return text
  return text.replace(/\r?\n(?=[ \t])/g, '').replace(/\r?\n$/, '')
}

/** String.trim would take U+00A0 and its kin along. Index-based: a regex would backtrack on long runs of blanks. */
function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/**
 * Breaks before a blank that another character follows: a line of blanks only would read as the end of the header to
 * some (RFC 5322 §3.2.2 warns of it). `from` is where the body starts; no break between the name and the first word.
 */
function fold(line: string, from: number): string {
  if (line.length <= FOLD_COLUMNS) return line
  const lines: string[] = []
  let start = 0
  let candidate = -1
  for (let at = from + 1; at < line.length; at++) {
    if (!isBlank(line.charCodeAt(at)) || isBlank(line.charCodeAt(at - 1))) continue
    if (at - start > FOLD_COLUMNS && candidate > start) {
      lines.push(line.slice(start, candidate))
      start = candidate
    }
    candidate = at
  }
  if (line.length - start > FOLD_COLUMNS && candidate > start) {
    lines.push(line.slice(start, candidate))
    start = candidate
  }
  lines.push(line.slice(start))
  return lines.join('\r\n')
}
