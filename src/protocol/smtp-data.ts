/**
 * Reads what follows DATA: finds its end, undoes dot-stuffing (RFC 5321 §4.5.2), and refuses whatever another server
 * could read differently. Only <CRLF>.<CRLF> ends the data, and a CR or LF that stands alone is a fault (RFC 5321 §2.3.8),
 * so that no message can smuggle in a second one (docs/decisions/0007-bare-line-ends.md).
 */
import { Buffer } from 'node:buffer'
import { CR, LF, concatBytes, fromLatin1 } from '../base/bytes.ts'

export interface DataLimits {
  /** Size of the message without stuffed dots, line ends included (RFC 1870 §3). */
  readonly messageMaxBytes: number
  /** Up to and including the empty line. */
  readonly headerMaxBytes: number
  /** Line end included. */
  readonly lineMaxBytes: number
}

/** Why the message cannot be accepted. */
export type DataFault = 'bare-cr' | 'bare-lf' | 'nul' | 'line-too-long' | 'header-too-large' | 'too-large'

export interface DataStep {
  /** The next bytes of the message; empty after a fault. May share memory with the chunk. */
  readonly content: Uint8Array
  /** True with the chunk that held the end of the data. */
  readonly ended: boolean
  /** What followed the end of the data in this chunk. */
  readonly rest: Uint8Array
  /** The first fault of this message, from the step on that met it. */
  readonly fault: DataFault | undefined
}

const DOT = 0x2e
const EMPTY = new Uint8Array(0)
const CRLF = fromLatin1('\r\n')
const END = fromLatin1('\r\n.\r\n') // RFC 5321 §4.1.1.4

/** Where in a line we are: what has been read of it without being given out, seen from the end of the line before. */
const TAILS = { start: '\r\n', dot: '\r\n.', 'dot-cr': '\r\n.\r', text: '', cr: '\r' } as const

/** For one message. After a fault, it goes on to the end of the data without giving out content. */
export class DataScanner {
  readonly #limits: DataLimits
  #state: keyof typeof TAILS = 'start'
  #fault: DataFault | undefined
  /** After a fault: the last bytes, as far as they can begin the end of the data. */
  #tail: Uint8Array = EMPTY
  #messageBytes = 0
  #lineBytes = 0
  #inHeader = true
  #chunk: Uint8Array = EMPTY
  #at = 0
  /** Start of what has not been given out of the chunk. */
  #from = 0
  #parts: Uint8Array[] = []
  #partsBytes = 0

  constructor(limits: DataLimits) {
    this.#limits = limits
  }

  /** Bytes of content given out so far. */
  get messageBytes(): number {
    return this.#messageBytes
  }

  /** Takes the next bytes from the wire. Not to be called after a step with `ended`. */
  feed(chunk: Uint8Array): DataStep {
    if (this.#fault !== undefined) return this.#discard(chunk)
    this.#chunk = chunk
    this.#at = 0
    this.#from = 0
    this.#parts = []
    this.#partsBytes = 0
    const ended = this.#scan()
    if (this.#broke()) return this.#discard(chunk.subarray(this.#at))
    const content = this.#parts.length === 0 ? EMPTY : concatBytes(this.#parts)
    this.#messageBytes += content.length
    if (content.includes(0)) this.#broken('nul')
    else if (this.#messageBytes > this.#limits.messageMaxBytes) this.#broken('too-large')
    const rest = ended ? chunk.subarray(this.#at) : EMPTY
    return { content: this.#broke() ? EMPTY : content, ended, rest, fault: this.#fault }
  }

  /** Runs to the end of the chunk, to the end of the data (true), or to a fault, and leaves `#at` there. */
  #scan(): boolean {
    const chunk = this.#chunk
    while (this.#at < chunk.length && !this.#broke()) {
      const byte = chunk[this.#at]
      switch (this.#state) {
        case 'start':
          this.#lineBytes = 0
          if (byte === DOT) {
            this.#giveOut(this.#at, 1)
            this.#state = 'dot'
          } else this.#state = 'text'
          break
        case 'dot':
          if (byte === CR) {
            this.#giveOut(this.#at, 1)
            this.#state = 'dot-cr'
          } else this.#state = 'text'
          break
        case 'dot-cr':
          if (byte !== LF) return this.#broken('bare-cr')
          this.#at++
          return true
        case 'cr':
          if (byte !== LF) return this.#broken('bare-cr')
          this.#push(CRLF)
          this.#from = this.#at + 1
          this.#lineEnded(this.#at + 1, 2)
          break
        case 'text':
          this.#scanText()
          break
      }
    }
    this.#giveOut(this.#at, 0)
    return false
  }

  /** The rest of one line, as far as the chunk has it. */
  #scanText(): void {
    const chunk = this.#chunk
    const cr = chunk.indexOf(CR, this.#at)
    const lf = chunk.indexOf(LF, this.#at)
    if (lf !== -1 && (cr === -1 || lf < cr)) {
      this.#at = lf + 1
      this.#broken('bare-lf')
    } else if (cr === -1) {
      this.#grow(chunk.length)
    } else if (cr === chunk.length - 1) {
      this.#grow(cr)
      if (this.#broke()) return
      this.#giveOut(cr, 1)
      this.#state = 'cr'
    } else if (lf === cr + 1) {
      this.#lineEnded(lf + 1, lf + 1 - this.#at)
    } else {
      this.#at = cr + 1
      this.#broken('bare-cr')
    }
  }

  #lineEnded(at: number, moreBytes: number): void {
    const lineBytes = this.#lineBytes + moreBytes
    this.#at = at
    this.#state = 'start'
    if (lineBytes > this.#limits.lineMaxBytes) this.#broken('line-too-long')
    else if (this.#inHeader && this.#headerTooLarge(at)) this.#broken('header-too-large')
    if (lineBytes === 2) this.#inHeader = false
  }

  /** The line goes on, at least, to this offset of the chunk. */
  #grow(to: number): void {
    this.#lineBytes += to - this.#at
    this.#at = to
    if (this.#lineBytes > this.#limits.lineMaxBytes) this.#broken('line-too-long')
  }

  #headerTooLarge(at: number): boolean {
    return this.#messageBytes + this.#partsBytes + at - this.#from > this.#limits.headerMaxBytes
  }

  /** Gives out what has been read before this offset, then leaves out so many bytes. */
  #giveOut(to: number, skipBytes: number): void {
    if (to > this.#from) this.#push(this.#chunk.subarray(this.#from, to))
    this.#from = to + skipBytes
    if (skipBytes > 0) this.#at = to + skipBytes
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part)
    this.#partsBytes += part.length
  }

  #broke(): boolean {
    return this.#fault !== undefined
  }

  #broken(fault: DataFault): false {
    this.#fault ??= fault
    this.#tail = fromLatin1(TAILS[this.#state])
    return false
  }

  /** Looks for the end of the data only. */
  #discard(chunk: Uint8Array): DataStep {
    const bytes = this.#tail.length === 0 ? chunk : concatBytes([this.#tail, chunk])
    const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(END)
    const ended = end !== -1
    const rest = ended ? bytes.subarray(end + END.length) : EMPTY
    // a copy, so that the rest of a large chunk can be freed
    this.#tail = ended ? EMPTY : Uint8Array.from(bytes.subarray(Math.max(0, bytes.length - (END.length - 1))))
    return { content: EMPTY, ended, rest, fault: this.#fault }
  }
}
