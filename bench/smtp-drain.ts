/** The next hop of a benchmark: an SMTP server that takes everything and does nothing with it but count. */
import { type AddressInfo, type Socket, createServer } from 'node:net'

export interface SmtpDrain extends AsyncDisposable {
  readonly port: number
  /** Messages and bytes of messages that were taken, dots and all. */
  readonly taken: { messages: number; bytes: number }
  /** The last messages as they came (still dot-stuffed); at most `keepMax`, kept while it is set. */
  readonly kept: Buffer[]
  keepMax: number
  /** Resolves when `messages` have been taken since the start. */
  whenTaken(messages: number): Promise<void>
}

const END_OF_DATA = Buffer.from('\r\n.\r\n')

export async function startDrain(): Promise<SmtpDrain> {
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  const server = createServer((socket) => {
    socket.setNoDelay(true) // it answers pipelined commands one by one: each answer would wait for the acknowledgement of the last
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    const session = new DrainSession(socket, (message, bytes) => {
      drain.taken.messages++
      drain.taken.bytes += bytes
      if (message !== undefined && drain.kept.length < drain.keepMax) drain.kept.push(message)
      for (const check of waiting) check()
    })
    socket.on('data', (chunk: Buffer) => session.take(chunk, drain.kept.length < drain.keepMax))
  })
  const drain: SmtpDrain = {
    port: 0,
    taken: { messages: 0, bytes: 0 },
    kept: [],
    keepMax: 0,
    whenTaken: (messages) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (drain.taken.messages < messages) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(drain, { port: (server.address() as AddressInfo).port })
}

class DrainSession {
  readonly #socket: Socket
  readonly #onMessage: (message: Buffer | undefined, bytes: number) => void
  #inData = false
  #line = ''
  #tail: Buffer = Buffer.alloc(0)
  #bytes = 0
  #kept: Buffer[] = []

  constructor(socket: Socket, onMessage: (message: Buffer | undefined, bytes: number) => void) {
    this.#socket = socket
    this.#onMessage = onMessage
    socket.write('220 drain.example\r\n')
  }

  take(chunk: Buffer, keep: boolean): void {
    if (this.#inData) this.#takeData(chunk, keep)
    else this.#takeLines(chunk, keep)
  }

  #takeLines(chunk: Buffer, keep: boolean): void {
    let at = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', at)) {
      const verb = (this.#line + chunk.toString('latin1', at, end)).slice(0, 4).toUpperCase()
      this.#line = ''
      at = end + 1
      if (verb === 'EHLO') this.#socket.write('250-drain.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n')
      else if (verb === 'DATA') {
        this.#socket.write('354 go\r\n')
        this.#inData = true
        this.#tail = Buffer.alloc(0)
        return this.take(chunk.subarray(at), keep)
      } else if (verb === 'QUIT') this.#socket.end('221 bye\r\n')
      else this.#socket.write('250 ok\r\n')
    }
    this.#line += chunk.toString('latin1', at)
  }

  #takeData(chunk: Buffer, keep: boolean): void {
    const joined = Buffer.concat([this.#tail, chunk.subarray(0, END_OF_DATA.length)])
    const across = joined.indexOf(END_OF_DATA)
    const end = across >= 0 ? across - this.#tail.length + END_OF_DATA.length : endIn(chunk)
    const content = end < 0 ? chunk : chunk.subarray(0, end)
    this.#bytes += content.length
    if (keep) this.#kept.push(Buffer.from(content))
    if (end < 0) {
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-END_OF_DATA.length)]).subarray(-END_OF_DATA.length + 1)
      return
    }
    this.#inData = false
    this.#socket.write('250 taken\r\n')
    const message = this.#kept.length === 0 ? undefined : Buffer.concat(this.#kept)
    this.#onMessage(message?.subarray(0, -END_OF_DATA.length + 2), this.#bytes)
    this.#bytes = 0
    this.#kept = []
    this.take(chunk.subarray(end), keep)
  }
}

/** Behind the first end of data in `chunk`; -1 without one. */
function endIn(chunk: Buffer): number {
  const at = chunk.indexOf(END_OF_DATA)
  return at < 0 ? -1 : at + END_OF_DATA.length
}
