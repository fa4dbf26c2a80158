/** Bytes → `Part`. Looks at the header only; the body is a view that nobody has read yet. */
import { CR, LF, latin1 } from '../base/bytes.ts'
import type { Defect, HeaderField, Part } from './part.ts'

export interface HeaderLimits {
  readonly headerBytesMax: number
  readonly fieldsMax: number
}

export const HEADER_BYTES_MAX = 1024 * 1024
export const HEADER_FIELDS_MAX = 2_000
/** Without the line end (RFC 5322 §2.1.1). */
export const LINE_BYTES_MAX = 998

const DEFAULT_LIMITS: HeaderLimits = { headerBytesMax: HEADER_BYTES_MAX, fieldsMax: HEADER_FIELDS_MAX }

/**
 * Reads the header of a message or MIME entity (RFC 5322 §2.2). Never throws, takes linear time, copies nothing.
 *
 * Every header byte belongs to exactly one field, so the fields, the empty line and the body put together are `raw`
 * again. A line that is no field becomes a field without a name; what lies beyond the limits becomes one such field.
 * The header ends at the first empty line and nowhere else: a reader that lets a malformed line end it sees another
 * message than we do, and `header-line-malformed` says so.
 */
export function parsePart(raw: Uint8Array, limits: HeaderLimits = DEFAULT_LIMITS): Part {
  for (let windowBytes = FIRST_WINDOW_BYTES; ; windowBytes *= 8) {
    const wholeBytes = Math.min(raw.length, limits.headerBytesMax)
    const isLast = windowBytes >= wholeBytes
    const scan = new HeaderScan(raw, latin1(raw.subarray(0, isLast ? wholeBytes : windowBytes)), limits)
    scan.run()
    if (!scan.ended && !isLast) continue // the header is longer than what was looked at
    scan.finish()
    return { raw, bodyOffset: scan.at, fields: scan.fields, defects: [...scan.defects] }
  }
}

/** Most headers fit; a longer one is read again. Reading one string is much faster than many small byte searches. */
const FIRST_WINDOW_BYTES = 4096

/** Fields that may stand only once: RFC 5322 §3.6, and the MIME fields of RFC 2045 §3. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set(
  (
    'date from sender reply-to to cc bcc message-id in-reply-to references subject ' +
    'mime-version content-type content-transfer-encoding content-disposition content-id'
  ).split(' '),
)

class HeaderScan {
  readonly fields: HeaderField[] = []
  readonly defects = new Set<Defect>()
  /** Start of the line that is looked at; in the end, of the body. */
  at = 0
  /** The empty line was met. */
  ended = false
  readonly #raw: Uint8Array
  /** The beginning of `raw`, one character an octet. */
  readonly #text: string
  readonly #limits: HeaderLimits
  readonly #seen = new Set<string>()
  #fieldStart = 0

  constructor(raw: Uint8Array, text: string, limits: HeaderLimits) {
    this.#raw = new Uint8Array(raw.buffer, raw.byteOffset, raw.length) // slices of a Buffer cost more
    this.#text = text
    this.#limits = limits
  }

  run(): void {
    const text = this.#text
    while (this.at < text.length && this.fields.length < this.#limits.fieldsMax) {
      const newline = text.indexOf('\n', this.at)
      if (newline < 0) break
      const length = newline - this.at
      if (length === 0 || (length === 1 && text.charCodeAt(this.at) === CR)) {
        this.#closeField(this.at)
        if (length === 0) this.defects.add('bare-lf')
        this.at = newline + 1
        this.ended = true
        break
      }
      if (!isBlank(text.charCodeAt(this.at))) this.#closeField(this.at)
      const crlf = text.charCodeAt(newline - 1) === CR
      if (!crlf) this.defects.add('bare-lf')
      if (length - (crlf ? 1 : 0) > LINE_BYTES_MAX) this.defects.add('line-too-long')
      this.at = newline + 1
    }
  }

  /** Deals with a header that did not end where it was looked for. */
  finish(): void {
    const raw = this.#raw
    const isWhole = this.#text.length === raw.length && this.fields.length < this.#limits.fieldsMax
    if (!this.ended && isWhole) this.#readLastLine()
    else if (!this.ended) this.#skipRest()
    const header = this.#text.slice(0, this.at)
    if (header.includes('\0')) this.defects.add('nul')
    if (hasBareCr(header)) this.defects.add('bare-cr')
    const cutOff = raw.length > 0 && raw.at(-1) !== LF
    if (!this.ended && (cutOff || this.defects.has('header-line-malformed'))) this.defects.add('header-not-ended')
  }

  #closeField(end: number): void {
    const start = this.#fieldStart
    if (end === start) return
    const name = fieldNameAt(this.#text, start, end)
    if (name === '') this.defects.add('header-line-malformed')
    else this.#noteName(name.toLowerCase())
    this.fields.push({ name, raw: this.#raw.subarray(start, end) })
    this.#fieldStart = end
  }

  #noteName(name: string): void {
    if (!SINGLE_FIELDS.has(name)) return
    if (this.#seen.has(name)) this.defects.add('duplicate-field')
    this.#seen.add(name)
  }

  /** The one line that has no line end, where the bytes end within the header. */
  #readLastLine(): void {
    const { length } = this.#raw
    if (this.at < length && !isBlank(this.#raw[this.at])) this.#closeField(this.at)
    if (length - this.at > LINE_BYTES_MAX) this.defects.add('line-too-long')
    this.#closeField(length)
    this.at = length
  }

  /** Too much header: what is left of it becomes one nameless field, and only its end is looked for. */
  #skipRest(): void {
    const raw = this.#raw
    this.defects.add('header-too-large')
    let newline = raw.indexOf(LF, this.at)
    while (newline >= 0 && !isEmptyLine(raw, this.at, newline)) {
      this.at = newline + 1
      newline = raw.indexOf(LF, this.at)
    }
    this.ended = newline >= 0
    const end = this.ended ? this.at : raw.length
    if (end > this.#fieldStart) this.fields.push({ name: '', raw: raw.subarray(this.#fieldStart, end) })
    this.at = this.ended ? newline + 1 : raw.length
  }
}

const isBlank = (octet: number | undefined): boolean => octet === 0x20 || octet === 0x09

const isEmptyLine = (raw: Uint8Array, start: number, newline: number): boolean =>
  newline === start || (newline === start + 1 && raw[start] === CR)

function hasBareCr(text: string): boolean {
  for (let at = text.indexOf('\r'); at >= 0; at = text.indexOf('\r', at + 1))
    if (text.charCodeAt(at + 1) !== LF) return true
  return false
}

/** RFC 5322 §2.2, with the blanks before the colon that §4.5 lets a reader accept; '' when the line is no field. */
function fieldNameAt(text: string, start: number, end: number): string {
  let nameEnd = start
  while (nameEnd < end && isNameOctet(text.charCodeAt(nameEnd))) nameEnd++
  let colon = nameEnd
  while (colon < end && isBlank(text.charCodeAt(colon))) colon++
  return colon < end && text.charCodeAt(colon) === 0x3a ? text.slice(start, nameEnd) : ''
}

/** ftext (RFC 5322 §3.6.8): printable US-ASCII except the colon. */
const isNameOctet = (octet: number): boolean => octet > 0x20 && octet < 0x7f && octet !== 0x3a
