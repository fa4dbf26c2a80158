/** `value; attribute=value …`: the shape of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183 §2). */
import { Buffer } from 'node:buffer'
import { decodeCharset } from './charset.ts'

export interface Structured {
  /** What stands before the first parameter, in lower case, without blanks and comments. */
  readonly value: string
  /** By attribute in lower case; continued and encoded ones put together (RFC 2231). The first of two counts. */
  readonly parameters: ReadonlyMap<string, string>
  /** The grammar was broken somewhere, or two parameters contradict each other; what could be read was read. */
  readonly broken: boolean
}

export const PARAMETERS_MAX = 500

/** @param text the unfolded field body, as `fieldBody` gives it. Never throws; linear time. */
export function parseStructured(text: string): Structured {
  const reader = new Reader(text)
  const value = reader.value()
  while (!reader.atEnd() && reader.pairs.length < PARAMETERS_MAX) reader.parameter()
  if (!reader.atEnd()) reader.broken = true
  const { parameters, broken } = joinContinuations(reader.pairs)
  return { value, parameters, broken: broken || reader.broken }
}

type Pair = readonly [attribute: string, value: string]

const BLANKS = /[ \t\r\n]*/y
/** token (RFC 2045 §5.1): no blanks, controls or tspecials. */
const TOKEN = /[!#-'*+\-.0-9A-Z^-~]+/y
const VALUE = /[!#-'*+\-./0-9A-Z^-~]+/y
const NEXT_ATTRIBUTE = /[!#-'*+\-.0-9A-Z^-~]+=(?!=)/y
const COMMENT_DEPTH_MAX = 20

class Reader {
  readonly pairs: Pair[] = []
  broken = false
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  /** `type/subtype` or a single token; blanks and comments may stand around the slash. */
  value(): string {
    let value = ''
    this.#skipBlanks()
    while (value === '' || value.endsWith('/') || this.#text[this.#at] === '/') {
      const word = this.#take(VALUE)
      if (word === '') break
      value += word
      this.#skipBlanks()
    }
    if (!this.#atEndOfParameter()) this.broken = true
    return value.toLowerCase()
  }

  /** Reads `; attribute = value`. Where the semicolon is missing, the attribute still counts: others read it too. */
  parameter(): void {
    if (this.#text[this.#at] === ';') this.#at++
    this.#skipBlanks()
    if (this.atEnd()) return // a semicolon after the last parameter: frequent, and clear
    const attribute = this.#take(TOKEN).toLowerCase()
    this.#skipBlanks()
    if (attribute === '' || this.#text[this.#at] !== '=') return this.#skipToSemicolon()
    this.#at++
    this.#skipBlanks()
    const value = this.#text[this.#at] === '"' ? this.#quoted() : this.#unquoted()
    this.pairs.push([attribute, value])
  }

  #atEndOfParameter(): boolean {
    return this.atEnd() || this.#text[this.#at] === ';'
  }

  /** At `attribute=` without the semicolon that belongs before it. */
  #atNextAttribute(): boolean {
    NEXT_ATTRIBUTE.lastIndex = this.#at
    return NEXT_ATTRIBUTE.test(this.#text)
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const taken = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += taken.length
    return taken
  }

  /** Blanks and comments. A comment that does not end takes the rest along. */
  #skipBlanks(): void {
    this.#take(BLANKS)
    while (this.#text[this.#at] === '(') {
      const end = endOfComment(this.#text, this.#at)
      if (end < 0) this.broken = true
      this.#at = end < 0 ? this.#text.length : end
      this.#take(BLANKS)
    }
  }

  #skipToSemicolon(): void {
    this.broken = true
    const semicolon = this.#text.indexOf(';', this.#at)
    this.#at = semicolon < 0 ? this.#text.length : semicolon
  }

  #quoted(): string {
    let value = ''
    let from = ++this.#at
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]
      if (char === '"') break
      if (char !== '\\') continue
      value += this.#text.slice(from, this.#at)
      from = ++this.#at
    }
    value += this.#text.slice(from, this.#at)
    if (this.atEnd()) this.broken = true
    this.#at++
    this.#skipBlanks()
    if (this.#atNextAttribute()) this.broken = true
    else if (!this.#atEndOfParameter()) this.#skipToSemicolon()
    return value
  }

  /** A token; or, as many programs write, anything up to the next semicolon. */
  #unquoted(): string {
    const start = this.#at
    const token = this.#take(TOKEN)
    const tokenEnd = this.#at
    this.#skipBlanks()
    if (token !== '' && this.#atEndOfParameter()) return token
    this.broken = true
    if (token !== '' && this.#at > tokenEnd && this.#atNextAttribute()) return token
    this.#at = start
    this.#skipToSemicolon()
    return this.#text.slice(start, this.#at).trimEnd()
  }
}

/** Index after the comment that starts at `start`; -1 when it does not end or is nested too deeply. */
function endOfComment(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '(' && ++depth > COMMENT_DEPTH_MAX) return -1
    else if (text[at] === ')' && --depth === 0) return at + 1
  }
  return -1
}

interface Section {
  readonly text: string
  /** Percent-encoded, the first one with charset and language in front (RFC 2231 §4). */
  readonly extended: boolean
}

/** `name*0*`, `name*1` … → `name` (RFC 2231 §3). These win over a plain `name`, which is there for old readers. */
function joinContinuations(pairs: readonly Pair[]): { parameters: Map<string, string>; broken: boolean } {
  const parameters = new Map<string, string>()
  const continued = new Map<string, Map<number, Section>>()
  let broken = false
  for (const [attribute, value] of pairs) {
    const match = /^([^*]+)\*(?:(0|[1-9]\d{0,2})(\*?))?$/.exec(attribute)
    if (match === null) {
      if (parameters.has(attribute)) broken = true
      else parameters.set(attribute, value)
      continue
    }
    const [, name = '', number, star] = match
    const sections = continued.get(name) ?? new Map<number, Section>()
    const index = Number(number ?? 0)
    if (sections.has(index)) broken = true
    else sections.set(index, { text: value, extended: number === undefined || star === '*' })
    continued.set(name, sections)
  }
  for (const [name, sections] of continued) {
    const value = joinSections(sections)
    const plain = parameters.get(name)
    // a file name is meant to be there in both forms; any other parameter is not
    if (value === undefined || (plain !== undefined && plain !== value && !/^(?:file)?name$/.test(name))) broken = true
    if (value !== undefined) parameters.set(name, value)
  }
  return { parameters, broken }
}

/** `undefined` when a section is missing or the charset is not known. */
function joinSections(sections: ReadonlyMap<number, Section>): string | undefined {
  const chunks: Uint8Array[] = []
  let charset = 'utf-8'
  for (let index = 0; index < sections.size; index++) {
    const section = sections.get(index)
    if (section === undefined) return undefined
    let { text } = section
    if (section.extended && index === 0) {
      const match = /^([^']*)'[^']*'(.*)$/s.exec(text)
      if (match === null) return undefined
      charset = (match[1] ?? '') || 'us-ascii'
      text = match[2] ?? ''
    }
    chunks.push(section.extended ? percentDecode(text) : Buffer.from(text))
  }
  return decodeCharset(Buffer.concat(chunks), charset)
}

function percentDecode(text: string): Uint8Array {
  const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(decoded, 'latin1')
}
