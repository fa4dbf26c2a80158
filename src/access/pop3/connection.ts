import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { TLSSocket, type SecureContext } from 'node:tls'
import { LineBuffer, type ClientLine } from '../../protocol/pop3-lines.ts'

/** What came of waiting for the client's next line. */
export type Input = ClientLine | { readonly kind: 'closed' } | { readonly kind: 'timeout' }

/** Pipelined commands (RFC 2449 §6.6) kept while one runs; beyond that the client waits in the TCP window. */
const BACKLOG_MAX_BYTES = 16 * 1024

/** Replies are gathered up to this size, and messages are written in pieces of it. */
const WRITE_BYTES = 64 * 1024

/** The client's connection: lines in, bytes out at the client's pace, and the change to TLS in the middle. */
export class Connection {
  #socket: Socket
  #lines = new LineBuffer()
  #ended = false
  #closed = false
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  /** Resolves the wait in `readLine`; set while it waits. */
  #wake: (() => void) | undefined
  #waitUntilMs = 0
  readonly #writeTimeoutMs: number

  /** Takes over the socket (made with `allowHalfOpen`); nothing else reads, writes or closes it from now on. */
  constructor(socket: Socket, writeTimeoutMs: number) {
    this.#socket = socket
    this.#writeTimeoutMs = writeTimeoutMs
    socket.setNoDelay(true)
    this.#listen()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** True when the client has already sent something that no command has taken. */
  get hasInput(): boolean {
    return this.#lines.bufferedBytes > 0
  }

  /**
   * The next line, after what was put has been sent. `maxBytes` counts its CRLF. Waits `timeoutMs` at most for the end of
   * the line: a client that sends it octet by octet gains no time.
   */
  async readLine(maxBytes: number, timeoutMs: number): Promise<Input> {
    this.#waitUntilMs = performance.now() + timeoutMs
    for (;;) {
      const line = this.#lines.next(maxBytes)
      if (line !== undefined) return line
      if (!(await this.flush())) return { kind: 'closed' }
      if (this.#ended) return { kind: 'closed' }
      if (performance.now() >= this.#waitUntilMs) return { kind: 'timeout' }
      await this.#moreInput()
    }
  }

  /** Shortens a wait that is under way in `readLine`. */
  hurry(timeoutMs: number): void {
    this.#waitUntilMs = Math.min(this.#waitUntilMs, performance.now() + timeoutMs)
    this.#wake?.()
  }

  /** Gathers bytes for the client; they leave with the next flush. */
  put(bytes: Uint8Array | string): void {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
  }

  /** `put`, and a flush when enough has gathered. False: the client is gone. */
  async send(content: Uint8Array | string): Promise<boolean> {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
      this.put(bytes.subarray(at, at + WRITE_BYTES))
      if (this.#gatheredBytes >= WRITE_BYTES && !(await this.flush())) return false
    }
    return !this.#closed
  }

  /**
   * Sends what was put and waits until the client has taken enough of it. A client that takes nothing for the write
   * timeout is cut off. False: the client is gone.
   */
  async flush(): Promise<boolean> {
    if (this.#closed) return false
    if (this.#gatheredBytes === 0) return true
    const bytes = this.#gathered.length === 1 ? (this.#gathered[0] as Uint8Array) : Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#gatheredBytes = 0
    if (this.#socket.write(bytes)) return true
    return this.#drained()
  }

  /**
   * Begins TLS as the server, after sending what was put (RFC 2595 §4). What the client sent in clear is never used after
   * it: octets that were read but not taken are dropped here, and those still in the socket reach the TLS engine, which
   * fails on them. False: no TLS session came about, and the connection is closed.
   */
  async startTls(context: SecureContext, timeoutMs: number): Promise<boolean> {
    this.#socket.pause()
    this.#socket.removeAllListeners('data')
    this.#socket.removeAllListeners('end')
    if (!(await this.flush()) || this.#ended) return false
    this.#lines = new LineBuffer()
    const secured = new TLSSocket(this.#socket, {
      isServer: true,
      secureContext: context,
      // A TLS session meant for another protocol's server is not taken for ours (RFC 7301, registered name "pop3").
      ALPNProtocols: ['pop3'],
    })
    this.#socket = secured
    this.#ended = false
    this.#listen()
    const timer = setTimeout(() => secured.destroy(), timeoutMs)
    const ready = await new Promise<boolean>((resolve) => {
      secured.once('secure', () => resolve(true))
      secured.once('end', () => resolve(false)) // the client has gone; half open, this alone would not close
      secured.once('close', () => resolve(false))
    })
    clearTimeout(timer)
    if (!ready) this.destroy()
    return ready && !this.#closed
  }

  /**
   * Sends what was put, and closes when the client has closed its side too: to close at once would, with input unread,
   * reset the connection and lose the last reply. A client that does not close is cut off.
   */
  async close(): Promise<void> {
    if (!(await this.flush())) return
    const socket = this.#socket
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
    socket.removeAllListeners('data')
    socket.resume() // what still comes is thrown away
    socket.end()
    await closed
    clearTimeout(timer)
  }

  destroy(): void {
    this.#closed = true
    this.#socket.destroy()
    this.#wake?.()
  }

  async #moreInput(): Promise<void> {
    this.#socket.resume()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, this.#waitUntilMs - performance.now()))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  /** Waits until the socket's buffer is empty; false when the client is gone, or cut off for taking nothing. */
  #drained(): Promise<boolean> {
    const socket = this.#socket
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        socket.off('drain', finish).off('close', finish)
        resolve(!this.#closed)
      }
      const timer = setTimeout(() => this.destroy(), this.#writeTimeoutMs)
      socket.on('drain', finish).on('close', finish)
    })
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      this.#lines.push(chunk)
      if (this.#lines.bufferedBytes > BACKLOG_MAX_BYTES) socket.pause()
      this.#wake?.()
    })
    socket.on('end', () => {
      this.#ended = true
      this.#wake?.()
    })
    socket.on('error', () => {}) // 'close' follows and says all there is to say
    socket.on('close', () => {
      if (socket !== this.#socket) return
      this.#ended = true
      this.#closed = true
      this.#wake?.()
    })
  }
}

/** From our last byte to the end of the connection. */
const CLOSE_TIMEOUT_MS = 5_000
