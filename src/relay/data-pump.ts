/**
 * Writes the content of one message to a session that has said 354: its lines as they are, dots doubled (RFC 5321 §4.5.2),
 * no more at a time than the socket takes, and a small message in one piece with its final dot.
 */
import { Buffer } from 'node:buffer'
import type { Writable } from 'node:stream'
import type { ContentSource } from '../protocol/delivery.ts'
import { DotStuffer } from '../protocol/dot-stuffing.ts'
import { BareLineEnd } from './ending.ts'
import { LineEndCheck } from './line-ends.ts'

const FINAL_DOT = Buffer.from('.\r\n')

export class DataPump {
  readonly #socket: Writable
  #stopped = false
  /** Ends the wait for the socket. */
  #wake: () => void = () => undefined

  constructor(socket: Writable) {
    this.#socket = socket
  }

  /**
   * True when all of it, final dot included, has been handed to the socket; false when it was stopped. Throws what reading
   * `content` throws, and BareLineEnd; then no final dot was written. `onBlock`: the socket has room, a block is next.
   */
  async run(content: ContentSource, onBlock: () => void): Promise<boolean> {
    const socket = this.#socket
    const lineEnds = new LineEndCheck()
    const stuffer = new DotStuffer()
    socket.cork()
    setImmediate(() => socket.uncork()) // what is written in this turn of the event loop leaves together
    for await (const chunk of content()) {
      if (!lineEnds.accepts(chunk)) throw new BareLineEnd()
      if (this.#stopped) return false
      onBlock()
      if (!socket.write(stuffer.push(chunk))) await this.#drained()
    }
    if (!lineEnds.ends()) throw new BareLineEnd()
    if (this.#stopped) return false
    socket.write(Buffer.concat([stuffer.end(), FINAL_DOT]))
    return true
  }

  /** Nothing more is written; whoever reads the content is told at the next block. */
  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#socket.once('drain', resolve)
    })
  }
}
