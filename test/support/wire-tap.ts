/**
 * The Internet between two providers, with somebody on the line: a TCP proxy that takes STARTTLS out of the server's
 * offer, keeps a copy of every message, and can change it on the way.
 */
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

export interface WireTap extends AsyncDisposable {
  readonly port: number
  /** Every message that went through, as it left the sender (dots unstuffed). */
  readonly messages: Buffer[]
  /** Replies of the receiving server, one line each, in order. */
  readonly replies: string[]
  /** Changes the next messages on the way; `undefined` lets them pass. */
  tamper: ((message: Buffer) => Buffer) | undefined
}

/** `target` is asked at each connection: the port of the real server. */
export async function startWireTap(target: () => number): Promise<WireTap> {
  const sockets = new Set<Socket>()
  const messages: Buffer[] = []
  const replies: string[] = []
  const server = createServer((client) => {
    const upstream = connect(target(), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    const listener = new ClientListener(tap, (bytes) => upstream.write(bytes))
    client.on('data', (chunk: Buffer) => listener.take(chunk))
    let line = ''
    upstream.on('data', (chunk: Buffer) => {
      const lines = (line + chunk.toString('latin1')).split('\r\n')
      line = lines.pop() ?? ''
      for (const reply of lines) {
        replies.push(reply)
        if (reply.startsWith('354')) listener.dataFollows()
        if (!/^250[- ]STARTTLS/i.test(reply)) client.write(`${reply}\r\n`, 'latin1')
        else if (reply[3] === ' ') client.write('250 HELP\r\n')
      }
    })
  })
  const tap: WireTap = {
    port: 0,
    messages,
    replies,
    tamper: undefined,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(tap, { port: (server.address() as AddressInfo).port })
}

const END_OF_DATA = Buffer.from('\r\n.\r\n')

class ClientListener {
  readonly #tap: WireTap
  readonly #pass: (bytes: Uint8Array) => void
  /** What came of the message so far, and its last bytes, in which its end may have begun. */
  #data: Buffer[] | undefined
  #tail: Buffer = Buffer.alloc(0)

  constructor(tap: WireTap, pass: (bytes: Uint8Array) => void) {
    this.#tap = tap
    this.#pass = pass
  }

  dataFollows(): void {
    this.#data = []
    this.#tail = Buffer.alloc(0)
  }

  take(chunk: Buffer): void {
    if (this.#data === undefined) return this.#pass(chunk)
    this.#data.push(chunk)
    const window = Buffer.concat([this.#tail, chunk])
    this.#tail = window.subarray(-(END_OF_DATA.length - 1))
    if (!window.includes(END_OF_DATA)) return
    const data = Buffer.concat(this.#data)
    this.#data = undefined
    const end = data.indexOf(END_OF_DATA)
    const message = unstuff(data.subarray(0, end + 2))
    this.#tap.messages.push(message)
    this.#pass(stuff(this.#tap.tamper?.(message) ?? message))
    const rest = data.subarray(end + END_OF_DATA.length)
    if (rest.length > 0) this.#pass(rest)
  }
}

const unstuff = (data: Buffer): Buffer =>
  Buffer.from(data.toString('latin1').replace(/^\./, '').replaceAll('\r\n.', '\r\n'), 'latin1')

const stuff = (message: Buffer): Buffer =>
  Buffer.from(`${message.toString('latin1').replace(/^\./, '..').replaceAll('\r\n.', '\r\n..')}.\r\n`, 'latin1')
