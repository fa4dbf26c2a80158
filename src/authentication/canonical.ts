/** What of a message is hashed: the canonical forms of header fields and bodies (RFC 6376 §3.4). */
import type { ByteSink } from '../base/byte-sink.ts'
import { CR, LF, fromLatin1, latin1 } from '../base/bytes.ts'
import type { HeaderField } from '../message/part.ts'

export type Canonical = 'simple' | 'relaxed'

/** The field as it is hashed, one character an octet, with its line end. */
export function canonicalField(field: HeaderField, how: Canonical): string {
  const text = latin1(field.raw)
  if (how === 'simple') return text
  const colon = text.indexOf(':')
  const name = text.slice(0, colon).trimEnd().toLowerCase()
  const body = text
    .slice(colon + 1)
    .replaceAll(/\r\n/g, '')
    .replaceAll(/[ \t]+/g, ' ')
  const start = body.startsWith(' ') ? 1 : 0
  const end = body.endsWith(' ') ? -1 : undefined
  return `${name}:${body.slice(start, end)}\r\n`
}

const SP = 0x20
const TAB = 0x09
const CRLF = Uint8Array.of(CR, LF)
/** Empty lines that were counted are written in blocks of so many. */
const LINE_ENDS_BLOCK = 4_096
/** A blank and a CR may wait from the chunk before. */
const WAITING_MAX_BYTES = 2

/**
 * Takes a body in chunks of any size and writes its canonical form. Empty lines at the end are known as such only when
 * nothing follows, so they are counted, not kept.
 */
export class CanonicalBody implements ByteSink {
  readonly #relaxed: boolean
  readonly #out: ByteSink
  /** Line ends that count only when something follows. */
  #lineEnds = 0
  #blank = false
  #cr = false
  #something = false

  constructor(how: Canonical, out: ByteSink) {
    this.#relaxed = how === 'relaxed'
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#isCanonical(chunk)) this.#pass(chunk)
    else this.#rewrite(chunk)
  }

  /** Whether nothing is to be changed in it, which the search functions of the runtime tell much faster than a loop. */
  #isCanonical(chunk: Uint8Array): boolean {
    const last = chunk.at(-1)
    if (this.#blank || this.#cr || last === undefined || last === CR) return false
    if (!this.#relaxed) return true
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    return (
      last !== SP && !bytes.includes(TAB) && !bytes.includes('  ', 0, 'latin1') && !bytes.includes(' \r', 0, 'latin1')
    )
  }

  /** All but the line ends at its end. */
  #pass(chunk: Uint8Array): void {
    let end = chunk.length
    while (end >= 2 && chunk[end - 1] === LF && chunk[end - 2] === CR) end -= 2
    if (end > 0) {
      const before = this.#writeBlocks(this.#lineEnds)
      if (before > 0) this.#out.write(BLOCK.subarray(0, 2 * before))
      this.#lineEnds = 0
      this.#something = true
      this.#out.write(chunk.subarray(0, end))
    }
    this.#lineEnds += (chunk.length - end) / 2
  }

  #rewrite(chunk: Uint8Array): void {
    let [lineEnds, blank, cr, from, at] = [this.#lineEnds, this.#blank, this.#cr, 0, 0]
    const buffer = new Uint8Array(chunk.length + WAITING_MAX_BYTES + 2 * Math.min(lineEnds, LINE_ENDS_BLOCK))
    for (let index = 0; index < chunk.length; index++) {
      const octet = chunk[index] as number
      if (octet === LF && cr) {
        lineEnds++
        cr = false
        blank = false
        continue
      }
      if (octet === CR && !cr) {
        cr = true
        continue
      }
      if (this.#relaxed && !cr && (octet === SP || octet === TAB)) {
        blank = true
        continue
      }
      if (lineEnds > LINE_ENDS_BLOCK) {
        if (at > from) this.#out.write(buffer.subarray(from, at))
        from = at
        lineEnds = this.#writeBlocks(lineEnds)
      }
      for (; lineEnds > 0; lineEnds--) {
        buffer[at++] = CR
        buffer[at++] = LF
      }
      if (blank) buffer[at++] = SP
      blank = false
      if (cr) {
        buffer[at++] = CR
        cr = octet === CR // the one before was data, this one may begin a line end
        if (cr) continue
        if (this.#relaxed && (octet === SP || octet === TAB)) {
          blank = true
          continue
        }
      }
      buffer[at++] = octet
    }
    this.#lineEnds = lineEnds
    this.#blank = blank
    this.#cr = cr
    if (at === from) return
    this.#something = true
    this.#out.write(buffer.subarray(from, at))
  }

  end(): void {
    if (this.#cr) {
      this.#cr = false
      const lineEnds = '\r\n'.repeat(this.#writeBlocks(this.#lineEnds))
      this.#out.write(fromLatin1(`${lineEnds}${this.#blank ? ' ' : ''}\r`))
      this.#something = true
    }
    if (this.#something || !this.#relaxed) this.#out.write(CRLF)
    this.#out.end()
  }

  /** A body may begin with millions of empty lines. Returns how many are left to write. */
  #writeBlocks(lineEnds: number): number {
    let left = lineEnds
    for (; left > LINE_ENDS_BLOCK; left -= LINE_ENDS_BLOCK) this.#out.write(BLOCK)
    return left
  }
}

const BLOCK = fromLatin1('\r\n'.repeat(LINE_ENDS_BLOCK))
