/** A plain POP3 client over implicit TLS, for the demo and the end-to-end tests. */
import { connect as connectTcp } from 'node:net'
import { type TLSSocket, connect } from 'node:tls'

export interface Pop3Talk extends AsyncDisposable {
  readonly transcript: string[]
  /** Sends a command; `-ERR` is returned like any answer. With `multiline`, everything up to the lone dot, unstuffed. */
  say(command: string, multiline?: boolean): Promise<Buffer>
}

/** `from`: our own address, of those of this machine. */
export async function talkPop3s(port: number, from?: string, host = '127.0.0.1'): Promise<Pop3Talk> {
  const socket = connect({
    socket: connectTcp({ port, host, ...(from !== undefined && { localAddress: from }) }),
    rejectUnauthorized: false,
  })
  const answers = new Answers(socket)
  const transcript = [`< ${(await answers.line()).toString()}`]
  return {
    transcript,
    async say(command, multiline = false) {
      transcript.push(`> ${command}`)
      socket.write(`${command}\r\n`)
      const first = await answers.line()
      transcript.push(`< ${first.toString()}`)
      return multiline && first.toString().startsWith('+OK') ? answers.untilDot() : first
    },
    async [Symbol.asyncDispose]() {
      socket.destroy()
    },
  }
}

/** Signs in, fetches everything, deletes it if told so, and quits. */
export async function fetchAll(
  port: number,
  user: string,
  password: string,
  options: { readonly remove?: boolean } = {},
): Promise<Buffer[]> {
  await using talk = await talkPop3s(port)
  await talk.say(`USER ${user}`)
  const login = (await talk.say(`PASS ${password}`)).toString()
  if (!login.startsWith('+OK')) throw new Error(`login failed: ${login}`)
  const count = Number((await talk.say('STAT')).toString().split(' ')[1])
  const messages: Buffer[] = []
  for (let number = 1; number <= count; number++) {
    messages.push(await talk.say(`RETR ${number}`, true))
    if (options.remove === true) await talk.say(`DELE ${number}`)
  }
  await talk.say('QUIT')
  return messages
}

/** Fetches until `count` messages are there, or fails after `timeoutMs`. */
export async function fetchWhenThere(
  port: number,
  user: string,
  password: string,
  count = 1,
  timeoutMs = 60_000,
): Promise<Buffer[]> {
  const endMs = Date.now() + timeoutMs
  for (;;) {
    const messages = await fetchAll(port, user, password)
    if (messages.length >= count) return messages
    if (Date.now() > endMs) throw new Error(`${user} has ${messages.length} of ${count} mails after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

class Answers {
  readonly #chunks: Buffer[] = []
  #wake: () => void = () => undefined
  #ended = false

  constructor(socket: TLSSocket) {
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#wake()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('close', end).on('error', end)
  }

  async line(): Promise<Buffer> {
    const line = await this.#through('\r\n')
    return line.subarray(0, -2)
  }

  async untilDot(): Promise<Buffer> {
    const body = await this.#through('\r\n.\r\n', '.\r\n')
    const text = body.subarray(0, -3).toString('latin1')
    return Buffer.from(text.replace(/^\.(?=\.)/, '').replaceAll('\r\n..', '\r\n.'), 'latin1')
  }

  /** Everything up to and including `end`; or `alone`, when that is all there is at the start. */
  async #through(end: string, alone?: string): Promise<Buffer> {
    const taken: Buffer[] = []
    let takenBytes = 0
    let tail: Buffer = Buffer.alloc(0) // the last octets of what was taken: an end may begin there
    for (;;) {
      for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
        const seen = Buffer.concat([tail, chunk])
        const isAlone = alone !== undefined && takenBytes < alone.length && seen.toString('latin1').startsWith(alone)
        const at = isAlone ? 0 : seen.indexOf(end, 0, 'latin1')
        if (at >= 0) {
          const length = at + (isAlone ? (alone ?? '').length : end.length) - tail.length
          if (chunk.length > length) this.#chunks.unshift(chunk.subarray(length))
          return Buffer.concat([...taken, chunk.subarray(0, length)])
        }
        taken.push(chunk)
        takenBytes += chunk.length
        tail = seen.subarray(-end.length + 1)
      }
      if (this.#ended) throw new Error('the server closed the connection')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
