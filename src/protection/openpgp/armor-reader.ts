/**
 * ASCII armor as it comes (RFC 9580 §6.2). What surrounds it is passed over; its headers are not protected by anything, so
 * nobody shows or believes them; its checksum must not be a reason to refuse (§6.1), so nobody reads it: what follows the
 * padding, and any character that is not base64, is passed over.
 */
import type { ByteSink } from '../../base/byte-sink.ts'
import { LF, fromLatin1, latin1 } from '../../base/bytes.ts'
import { decodingSink } from '../../message/decode-stream.ts'
import { Malformed } from '../malformed.ts'
import { trimmedEnd } from './line.ts'

export interface ArmorHead {
  /** Such as `PGP MESSAGE`. */
  readonly label: string
  /** As they stood; nothing protects them. */
  readonly headers: readonly string[]
  /** Of its first dash, in all that has come. */
  readonly startOffset: number
}

export interface ArmorSinks {
  /** Where the bytes of a block go that has just begun. */
  readonly onBlock: (head: ArmorHead) => ByteSink
  /** The offset behind the line that ended the block. */
  readonly onEnd?: (endOffset: number) => void
}

/** Whatever is longer is no line of armor. */
const LINE_MAX_BYTES = 4096
const HEADERS_MAX = 100
export const ARMOR_BLOCKS_MAX = 1000

const DASH = 0x2d
/** Of RFC 9580 §6.2.1, and what PGP 2 called the secret key; text signed in clear is no armor. */
const BEGIN = /^-----BEGIN (PGP (?:MESSAGE|SIGNATURE|(?:PUBLIC|PRIVATE|SECRET) KEY BLOCK))-----$/
const HEADER = /^[A-Za-z][A-Za-z0-9-]*:(?: |$)/

interface Block extends ArmorHead {
  readonly headers: string[]
}

/** Throws Malformed out of `write` and `end`. */
export class ArmorReader implements ByteSink {
  readonly #sinks: ArmorSinks
  #state: 'outside' | 'headers' | 'data' | 'tail' = 'outside'
  #block: Block | undefined
  #blocks = 0
  #base64: ByteSink | undefined
  /** The beginning of a line whose end has not come; of a line too long for armor, only its beginning. */
  #line = ''
  #lineStart = 0
  #offset = 0

  constructor(sinks: ArmorSinks) {
    this.#sinks = sinks
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const end = this.#state === 'data' ? this.#data(chunk, at) : this.#text(chunk, at)
      this.#offset += end - at
      at = end
    }
  }

  /** The last line may lack its end; a block may not lack its tail. */
  end(): void {
    if (this.#line !== '') this.#endLine(this.#offset)
    if (this.#state !== 'outside') throw new Malformed('the armor is not closed')
  }

  /** Up to the next dash, which is no base64, all is data. */
  #data(chunk: Uint8Array, at: number): number {
    const dash = chunk.indexOf(DASH, at)
    const end = dash === -1 ? chunk.length : dash
    this.#base64?.write(chunk.subarray(at, end))
    if (dash !== -1) this.#state = 'tail'
    return end
  }

  #text(chunk: Uint8Array, at: number): number {
    const lf = chunk.indexOf(LF, at)
    const end = lf === -1 ? chunk.length : lf + 1
    if (this.#line === '') this.#lineStart = this.#offset
    const room = LINE_MAX_BYTES - this.#line.length
    this.#line += latin1(chunk.subarray(at, Math.min(end, at + room)))
    if (end - at > room && this.#state !== 'outside') throw new Malformed('a line of the armor is too long')
    if (lf !== -1) this.#endLine(this.#offset + end - at)
    return end
  }

  #endLine(endOffset: number): void {
    const line = trimmedEnd(this.#line)
    this.#line = ''
    switch (this.#state) {
      case 'outside':
        this.#outside(line)
        break
      case 'headers':
        this.#header(line, endOffset)
        break
      case 'tail':
        this.#tail(line, endOffset)
        break
      case 'data':
    }
  }

  #outside(line: string): void {
    const label = BEGIN.exec(line)?.[1]
    if (label === undefined) return
    if (++this.#blocks > ARMOR_BLOCKS_MAX) throw new Malformed('too many blocks of armor')
    this.#block = { label, headers: [], startOffset: this.#lineStart }
    this.#state = 'headers'
  }

  /** Some programs forget the blank line behind the headers. */
  #header(line: string, endOffset: number): void {
    const block = this.#block as Block
    if (HEADER.test(line)) {
      if (block.headers.push(line) > HEADERS_MAX) throw new Malformed('too many armor headers')
      return
    }
    this.#base64 = decodingSink('base64', this.#sinks.onBlock(block))
    this.#state = 'data'
    if (line.startsWith('-')) this.#tail(line, endOffset)
    else this.#base64.write(fromLatin1(line))
  }

  #tail(line: string, endOffset: number): void {
    if (line !== `-----END ${this.#block?.label}-----`) throw new Malformed('the armor ends with another line')
    this.#base64?.end()
    this.#state = 'outside'
    this.#sinks.onEnd?.(endOffset)
  }
}
