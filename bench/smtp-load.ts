/** Clients that hand in mail as fast as it is taken, several mails a connection, commands pipelined (RFC 2920). */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export interface Load {
  /** Connections take them in turns. */
  readonly ports: readonly number[]
  /** AUTH PLAIN, in clear. */
  readonly signIn?: { readonly user: string; readonly password: string }
  readonly from: string
  /** The same for all, or the `index`th mail's. */
  readonly to: string | ((index: number) => string)
  readonly connections: number
  readonly mails: number
  /** As many begin in a second, whether those before are done or not; without it, as soon as there is a connection. */
  readonly perSecond?: number
  /** Called when all connections stand and have signed in. */
  readonly onConnected?: () => Promise<void>
  /** The `index`th mail, dots doubled, with the CRLF at its end. */
  readonly mail: (index: number) => Buffer
}

/** How long each mail took to the reply behind its end, in ms: from MAIL, or from when it was due (`perSecond`). */
export async function handIn(load: Load): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: load.connections }, (_, index) => Client.connect(load, index)))
  await load.onConnected?.()
  const firstMs = performance.now()
  let begun = 0
  const times: number[] = []
  const work = async (client: Client): Promise<void> => {
    while (begun < load.mails) {
      const index = begun++
      const mail = load.mail(index)
      const startMs = load.perSecond === undefined ? performance.now() : firstMs + (index * 1000) / load.perSecond
      await until(startMs)
      await client.send(load.from, typeof load.to === 'string' ? load.to : load.to(index), mail)
      times.push(performance.now() - startMs)
    }
    client.close()
  }
  await Promise.all(clients.map(work))
  return times
}

async function until(ms: number): Promise<void> {
  const waitMs = ms - performance.now()
  if (waitMs > 0) await pause(waitMs)
}

const END = Buffer.from('.\r\n')
const CR = '\r\n'

class Client {
  readonly #socket: Socket
  #text = ''
  #failed: Error | undefined
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    socket.on('error', (error) => (this.#failed = error)) // after QUIT too: a server that stops may reset the connection
    socket.on('close', () => this.#wake())
  }

  static async connect({ ports, signIn }: Load, index: number): Promise<Client> {
    const socket = connect(ports[index % ports.length] ?? 0, '127.0.0.1')
    await once(socket, 'connect')
    const client = new Client(socket)
    await client.#expect('2')
    await client.#say(`EHLO load.example${CR}`, '2')
    if (signIn === undefined) return client
    const plain = Buffer.from(`\0${signIn.user}\0${signIn.password}`).toString('base64')
    await client.#say(`AUTH PLAIN ${plain}${CR}`, '2')
    return client
  }

  async send(from: string, to: string, mail: Buffer): Promise<void> {
    this.#socket.write(`MAIL FROM:<${from}>${CR}RCPT TO:<${to}>${CR}DATA${CR}`)
    await this.#expect('2')
    await this.#expect('2')
    await this.#expect('3')
    this.#socket.cork()
    this.#socket.write(mail)
    this.#socket.write(END)
    this.#socket.uncork()
    await this.#expect('2')
  }

  close(): void {
    this.#socket.end(`QUIT${CR}`)
  }

  async #say(text: string, expected: string): Promise<void> {
    this.#socket.write(text)
    await this.#expect(expected)
  }

  /** The next reply; throws when it begins otherwise. */
  async #expect(digit: string): Promise<void> {
    for (;;) {
      const reply = REPLY.exec(this.#text)?.[0]
      if (reply !== undefined) {
        this.#text = this.#text.slice(reply.length)
        if (!reply.startsWith(digit)) throw new Error(`the server said: ${reply}`)
        return
      }
      if (this.#socket.destroyed) throw new Error('the server closed the connection', { cause: this.#failed })
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

const REPLY = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/
