/** The foreign server that mail goes out to. It is never killed, and writes down each copy that it got, and if it said so. */
import { type AddressInfo, type Socket, createServer } from 'node:net'

/** A copy for one recipient, whose final dot has come. */
export interface Taken {
  readonly recipient: string
  readonly data: Buffer
  /** Of the server that it came from, when its final dot came. */
  readonly life: string
  /** False when the sender was gone before 250 could be said. */
  readonly answered: boolean
}

export interface NextHop extends AsyncDisposable {
  readonly port: number
}

const END_OF_DATA = Buffer.from('\r\n.\r\n')

export interface NextHopOptions {
  /** Where it listens; 127.0.0.1. */
  readonly host?: string
  /** Whose copy it is that has just come from an address. */
  readonly lifeOf?: (from: string) => string
}

/**
 * Recipients whose name begins with `nobody` are refused. `pauseMs`: how long it thinks between the final dot and its
 * answer, anew each time: the window of RFC 1047 stands open so long.
 */
export async function startNextHop(
  pauseMs: () => number,
  onTaken: (taken: Taken) => void,
  { host = '127.0.0.1', lifeOf = () => '' }: NextHopOptions = {},
): Promise<NextHop> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    const from = socket.remoteAddress ?? ''
    const session = new Session(socket, () => lifeOf(from), pauseMs, onTaken)
    socket.on('data', (chunk: Buffer) => session.take(chunk))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

class Session {
  readonly #socket: Socket
  readonly #pauseMs: () => number
  readonly #onTaken: (taken: Taken) => void
  readonly #lifeOf: () => string
  #buffered: Buffer = Buffer.alloc(0)
  #inData = false
  #recipients: string[] = []
  #thinking = false

  constructor(socket: Socket, lifeOf: () => string, pauseMs: () => number, onTaken: (taken: Taken) => void) {
    this.#socket = socket
    this.#pauseMs = pauseMs
    this.#onTaken = onTaken
    this.#lifeOf = lifeOf
    this.#say('220 next-hop.example')
  }

  take(chunk: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, chunk])
    while (!this.#thinking) {
      const end = this.#buffered.indexOf(this.#inData ? END_OF_DATA : '\r\n')
      if (end < 0) return
      const piece = this.#buffered.subarray(0, end)
      this.#buffered = this.#buffered.subarray(end + (this.#inData ? END_OF_DATA.length : 2))
      if (this.#inData) this.#end(piece)
      else this.#command(piece.toString('latin1'))
    }
  }

  #say(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\r\n`)
  }

  #command(line: string): void {
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
        return this.#say('250-next-hop.example\r\n250-PIPELINING\r\n250 8BITMIME')
      case 'RCPT': {
        const recipient = /<(.*?)>/.exec(line)?.[1] ?? ''
        if (recipient.startsWith('nobody')) return this.#say('550 5.1.1 No such user')
        this.#recipients.push(recipient)
        return this.#say('250 2.1.5 Ok')
      }
      case 'DATA':
        this.#inData = this.#recipients.length > 0
        return this.#say(this.#inData ? '354 Go' : '554 5.5.1 No recipients')
      case 'QUIT':
        this.#socket.end('221 2.0.0 Bye\r\n')
        return
      case 'MAIL':
      case 'RSET':
        this.#recipients = []
        return this.#say('250 2.0.0 Ok')
      default:
        return this.#say('500 5.5.1 What?')
    }
  }

  #end(data: Buffer): void {
    const recipients = this.#recipients.splice(0)
    const life = this.#lifeOf()
    this.#inData = false
    this.#thinking = true
    setTimeout(() => {
      this.#thinking = false
      const answered = this.#socket.writable
      this.#say('250 2.0.0 Queued')
      for (const recipient of recipients) this.#onTaken({ recipient, data, life, answered })
      this.take(Buffer.alloc(0))
    }, this.#pauseMs())
  }
}
