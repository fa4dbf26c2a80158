/** Bytes → `Part`. Looks at the header only; the body is a view that nobody has read yet. */
import { LF, latin1 } from '../base/bytes.ts'
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
  const scan = new HeaderScan(raw, limits)
  scan.run()
  return { raw, bodyOffset: scan.at, fields: scan.fields, defects: [...scan.defects] }
}

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
  readonly #raw: Uint8Array
  readonly #limits: HeaderLimits
  readonly #seen = new Set<string>()
  #fieldStart = 0

  constructor(raw: Uint8Array, limits: HeaderLimits) {
    this.#raw = raw
    this.#limits = limits
  }

  run(): void {
    const raw = this.#raw
    let ended = false
    while (this.at < raw.length) {
      const newline = raw.indexOf(LF, this.at)
      const lineEnd = newline < 0 ? raw.length : newline + 1
      if (newline >= 0 && isEmptyLine(raw, this.at, newline)) {
        this.#closeField(this.at)
        if (newline === this.at) this.defects.add('bare-lf')
        this.at = lineEnd
        ended = true
        break
      }
      if (!isBlank(raw[this.at])) this.#closeField(this.at)
      if (lineEnd > this.#limits.headerBytesMax || this.fields.length >= this.#limits.fieldsMax) {
        this.#skipRest()
        return
      }
      this.#checkLine(this.at, newline < 0 ? raw.length : newline)
      this.at = lineEnd
    }
    if (!ended) this.#closeField(raw.length)
    this.#checkBytes(ended)
  }

  #checkLine(start: number, newline: number): void {
    const crlf = newline > start && this.#raw[newline - 1] === 0x0d
    if (!crlf && newline < this.#raw.length) this.defects.add('bare-lf')
    if (newline - start - (crlf ? 1 : 0) > LINE_BYTES_MAX) this.defects.add('line-too-long')
  }

  #closeField(end: number): void {
    const start = this.#fieldStart
    if (end === start) return
    const raw = this.#raw.subarray(start, end)
    const name = fieldNameOf(raw)
    if (name === '') this.defects.add('header-line-malformed')
    else this.#noteName(name.toLowerCase())
    this.fields.push({ name, raw })
    this.#fieldStart = end
  }

  #noteName(name: string): void {
    if (!SINGLE_FIELDS.has(name)) return
    if (this.#seen.has(name)) this.defects.add('duplicate-field')
    this.#seen.add(name)
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
    const end = newline < 0 ? raw.length : this.at
    if (end > this.#fieldStart) this.fields.push({ name: '', raw: raw.subarray(this.#fieldStart, end) })
    this.at = newline < 0 ? raw.length : newline + 1
  }

  #checkBytes(ended: boolean): void {
    const raw = this.#raw
    const header = raw.subarray(0, this.at)
    if (header.includes(0)) this.defects.add('nul')
    if (hasBareCr(header)) this.defects.add('bare-cr')
    const cutOff = raw.length > 0 && raw.at(-1) !== LF
    if (!ended && (cutOff || this.defects.has('header-line-malformed'))) this.defects.add('header-not-ended')
  }
}

const isBlank = (octet: number | undefined): boolean => octet === 0x20 || octet === 0x09

const isEmptyLine = (raw: Uint8Array, start: number, newline: number): boolean =>
  newline === start || (newline === start + 1 && raw[start] === 0x0d)

function hasBareCr(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0x0d); at >= 0; at = bytes.indexOf(0x0d, at + 1)) if (bytes[at + 1] !== LF) return true
  return false
}

/** RFC 5322 §2.2, with the blanks before the colon that §4.5 lets a reader accept; '' when the line is no field. */
function fieldNameOf(line: Uint8Array): string {
  let end = 0
  while (isNameOctet(line[end])) end++
  let colon = end
  while (isBlank(line[colon])) colon++
  return line[colon] === 0x3a ? latin1(line.subarray(0, end)) : ''
}

/** ftext (RFC 5322 §3.6.8): printable US-ASCII except the colon. */
const isNameOctet = (octet: number | undefined): boolean =>
  octet !== undefined && octet > 0x20 && octet < 0x7f && octet !== 0x3a
