/**
 * Cuts what arrives into command lines and messages, in place of the library's parser: only CRLF ends a line, only
 * <CRLF>.<CRLF> ends a message, and nothing is looked at byte by byte (docs/decisions/0007-bare-line-ends.md).
 */
/* oxlint-disable no-underscore-dangle -- the library names its internals so */
import { Buffer } from 'node:buffer'
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'
import { CR, LF } from '../base/bytes.ts'
import { DataScanner, type DataFault, type DataLimits } from '../protocol/smtp-data.ts'

export type LineFault = 'bare-cr' | 'bare-lf' | 'too-long'

/** Who answers command lines. */
export interface LineHandler {
  /** Longest command line now, CRLF included. */
  commandMaxBytes(): number
  /** A line without its CRLF; `next` asks for what follows. */
  onLine(line: Buffer, next: () => void): void
  /** What came is no line. Nothing more is read. */
  onBadLine(fault: LineFault): void
}

/** Who takes a message. */
export interface DataHandler {
  onContent(chunk: Uint8Array, next: () => void): void
  /** At most once: the message cannot be accepted; what still comes of it is skipped. */
  onFault(fault: DataFault): void
  /** The end of the data was read; `next` asks for the command line that follows. */
  onEnd(next: () => void): void
}

/** Lines handled without a pause, so that one client's pipelined commands do not hold up the others. */
const STEPS_WITHOUT_PAUSE_MAX = 50
const EMPTY: Buffer = Buffer.alloc(0)

interface Reading {
  readonly handler: DataHandler
  readonly scanner: DataScanner
  faulty: boolean
}

export class StrictStream extends SMTPStream {
  readonly #lines: LineHandler
  /** The message that is being read. */
  #data: Reading | undefined
  #pending = EMPTY
  /** Asks the socket for more; present while it waits. */
  #more: (() => void) | undefined
  #dead = false
  #running = false
  #again = false

  constructor(lines: LineHandler) {
    super()
    this.#lines = lines
  }

  /** From the next byte on, until its end, this is a message. To be called within `onLine`, before its `next`. */
  receiveData(handler: DataHandler, limits: DataLimits): void {
    this.#data = { handler, scanner: new DataScanner(limits), faulty: false }
  }

  /** Has more come than the line that is being answered? */
  get hasMore(): boolean {
    return this.#pending.length > 0
  }

  /** Nothing more is read; what the socket still brings is thrown away. */
  stop(): void {
    this.#dead = true
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | 'buffer', more: () => void): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#more = more
    this.#run()
  }

  /** Handlers call this as `next`, at once or later; it never nests. */
  readonly #run = (): void => {
    this.#again = true
    if (this.#running) return
    this.#running = true
    let steps = 0
    while (this.#takeTurn()) {
      this.#step()
      if (++steps === STEPS_WITHOUT_PAUSE_MAX && this.#takeTurn()) {
        setImmediate(this.#run)
        break
      }
    }
    this.#running = false
  }

  #takeTurn(): boolean {
    const again = this.#again
    this.#again = false
    return again
  }

  #step(): void {
    if (this.#dead || this.isClosed) this.#pending = EMPTY
    if (this.#pending.length === 0) this.#wantMore()
    else if (this.#data === undefined) this.#stepLine()
    else this.#stepData(this.#data)
  }

  #stepLine(): void {
    const bytes = this.#pending
    const cr = bytes.indexOf(CR)
    const lf = bytes.indexOf(LF)
    const max = this.#lines.commandMaxBytes()
    if (lf !== -1 && (cr === -1 || lf < cr)) this.#badLine('bare-lf')
    else if ((cr === -1 ? bytes.length : cr + 2) > max) this.#badLine('too-long')
    else if (cr === -1 || cr === bytes.length - 1) this.#wantMore()
    else if (lf !== cr + 1) this.#badLine('bare-cr')
    else {
      this.#pending = bytes.subarray(lf + 1)
      this.#lines.onLine(bytes.subarray(0, cr), this.#run)
    }
  }

  #stepData(data: Reading): void {
    const step = data.scanner.feed(this.#pending)
    this.#pending = Buffer.from(step.rest.buffer, step.rest.byteOffset, step.rest.length)
    if (step.fault !== undefined && !data.faulty) {
      data.faulty = true
      data.handler.onFault(step.fault)
    }
    const end = (): void => {
      this.#data = undefined
      data.handler.onEnd(this.#run)
    }
    const next = step.ended ? end : this.#run
    if (step.content.length > 0) data.handler.onContent(step.content, next)
    else next()
  }

  #badLine(fault: LineFault): void {
    this.stop()
    this.#lines.onBadLine(fault)
    this.#run()
  }

  #wantMore(): void {
    const more = this.#more
    this.#more = undefined
    more?.()
  }
}
