/**
 * An SMTP server that does what a test tells it to, however wrong: one reply for each step, or silence, or a closed
 * connection. It keeps what the client sent. The opposite of a real server, of which test/interop/ has some.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls'

/** Text of a reply, without the last CRLF; or one of the deeds below. */
export type Step = string
/** Says nothing more, and listens no more. */
export const HANG = 'hang'
/** Closes the connection. */
export const DROP = 'drop'
/** Closes it with a TCP reset. */
export const RESET = 'reset'
/** Closes its own half, and goes on listening. */
export const HALF_CLOSE = 'half-close'
/** Reads nothing more, so that what is sent to it piles up. */
export const STALL = 'stall'
/** A reply whose lines never end. */
export const ENDLESS = 'endless'
/** Octets that are no TLS record, under the session. */
export const GARBLE = 'garble'

export interface SmtpScript {
  readonly greeting?: Step
  /** Keywords of the EHLO reply, or a whole step. */
  readonly ehlo?: readonly string[] | { readonly step: Step }
  /** EHLO after STARTTLS; as before when missing. */
  readonly ehloOverTls?: readonly string[] | { readonly step: Step }
  readonly helo?: Step
  /** A 220 without `tls` is an empty promise. */
  readonly starttls?: Step
  readonly mail?: Step | (() => Step)
  /** `nth`: 1 for the first RCPT of the transaction. */
  readonly rcpt?: Step | ((line: string, nth: number) => Step)
  readonly data?: Step
  /** Said in the middle of the data, before its end. */
  readonly midData?: Step
  /** Reply to the final dot; `nth`: 1 for the first message of the server's life. */
  readonly end?: Step | ((nth: number) => Step)
  readonly rset?: Step
  readonly quit?: Step
  /** Makes STARTTLS work when it is among the keywords. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly onServerName?: (name: string) => void }
}

export interface ScriptedSmtp extends AsyncDisposable {
  readonly port: number
  /** Command lines, one list for each session. */
  readonly sessions: string[][]
  /** Data as it crossed the wire, final dot left out, dots not unstuffed. */
  readonly messages: Buffer[]
  /** Messages whose final dot was answered 250: it has said that it takes care of them. */
  readonly taken: Buffer[]
  /** Everything the client sent, commands and data, apart by whether TLS hid it. */
  readonly received: { readonly clear: Buffer[]; readonly overTls: Buffer[] }
  /** Closes the connections there are. */
  dropAll(): void
  close(): Promise<void>
}

const CRLF = '\r\n'

/** Listens on a free port of 127.0.0.1, or where it is told to. */
export async function startScriptedSmtp(
  script: SmtpScript,
  { host = '127.0.0.1', port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<ScriptedSmtp> {
  const sessions: string[][] = []
  const messages: Buffer[] = []
  const taken: Buffer[] = []
  const received = { clear: new Array<Buffer>(), overTls: new Array<Buffer>() }
  const sockets = new Set<Socket>()
  // one for all sessions: its tickets are good for the next one
  let secureContext: SecureContext | undefined
  const contextOf = (): SecureContext | undefined => (secureContext ??= script.tls && createSecureContext(script.tls))
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const commands: string[] = []
    sessions.push(commands)
    // oxlint-disable-next-line no-new -- it lives as long as the socket whose events it answers
    new ScriptedSession(socket, script, { commands, messages, taken, received }, contextOf)
  })
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const close = async (): Promise<void> => {
    dropAll()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    messages,
    taken,
    received,
    dropAll,
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Seen extends Pick<ScriptedSmtp, 'messages' | 'taken' | 'received'> {
  readonly commands: string[]
}

/** What it does instead of a reply, to the connection or to the session over it. */
const DEEDS: Readonly<Record<string, (plain: Socket, session: Socket) => void>> = {
  [HANG]: () => {},
  [DROP]: (_plain, session) => session.destroy(),
  [RESET]: (plain) => plain.resetAndDestroy(),
  [HALF_CLOSE]: (_plain, session) => session.end(),
  [STALL]: (_plain, session) => session.pause(),
  [ENDLESS]: (_plain, session) => endless(session),
  [GARBLE]: (plain) => plain.write(Buffer.alloc(64, 0x2a)),
}

function endless(session: Socket): void {
  const line = `250-${'and so on '.repeat(5)}\r\n`.repeat(20)
  const more = (): void => {
    while (session.writable && session.write(line));
  }
  session.on('drain', more)
  more()
}

class ScriptedSession {
  readonly #script: SmtpScript
  readonly #seen: Seen
  readonly #plain: Socket
  readonly #secureContext: () => SecureContext | undefined
  #socket: Socket
  #buffered: Buffer = Buffer.alloc(0)
  #inData = false
  /** Of the data that are in `#buffered`: without an end among them. */
  #searched = 0
  #recipients = 0
  #stopped = false

  constructor(plain: Socket, script: SmtpScript, seen: Seen, secureContext: () => SecureContext | undefined) {
    this.#secureContext = secureContext
    this.#script = script
    this.#seen = seen
    this.#plain = plain
    this.#socket = plain
    plain.on('error', () => plain.destroy())
    plain.on('data', this.#onData)
    this.#act(script.greeting ?? '220 scripted.example ESMTP')
  }

  readonly #onData = (chunk: Buffer): void => {
    const { received } = this.#seen
    ;(this.#socket === this.#plain ? received.clear : received.overTls).push(chunk)
    this.#buffered = Buffer.concat([this.#buffered, chunk])
    while (!this.#stopped) {
      if (this.#inData) {
        if (!this.#takeData()) return
        continue
      }
      const end = this.#buffered.indexOf(CRLF)
      if (end < 0) return
      const line = this.#buffered.subarray(0, end).toString('utf8')
      this.#buffered = this.#buffered.subarray(end + 2)
      this.#seen.commands.push(line)
      this.#answer(line)
    }
  }

  #act(step: Step): void {
    const deed = DEEDS[step]
    if (deed !== undefined) {
      this.#stopped = step !== HALF_CLOSE
      deed(this.#plain, this.#socket)
    } else if (this.#socket.writable) this.#socket.write(step + CRLF, 'latin1')
  }

  #answer(line: string): void {
    const script = this.#script
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
        return this.#act(this.#ehlo())
      case 'HELO':
        return this.#act(script.helo ?? '250 scripted.example')
      case 'STAR':
        return this.#startTls()
      case 'MAIL':
        this.#recipients = 0
        return this.#act(typeof script.mail === 'function' ? script.mail() : (script.mail ?? '250 2.1.0 Ok'))
      case 'RCPT': {
        this.#recipients++
        const { rcpt = '250 2.1.5 Ok' } = script
        return this.#act(typeof rcpt === 'function' ? rcpt(line, this.#recipients) : rcpt)
      }
      case 'DATA': {
        const step = script.data ?? '354 Go'
        this.#inData = step.startsWith('354')
        return this.#act(step)
      }
      case 'RSET':
        return this.#act(script.rset ?? '250 2.0.0 Ok')
      case 'QUIT':
        this.#act(script.quit ?? '221 2.0.0 Bye')
        if (script.quit === undefined) this.#socket.end()
        return undefined
      default:
        return this.#act('500 5.5.1 What?')
    }
  }

  #ehlo(): Step {
    const { ehlo, ehloOverTls } = this.#script
    const keywords = (this.#socket === this.#plain ? undefined : ehloOverTls) ?? ehlo ?? ['PIPELINING', '8BITMIME']
    if ('step' in keywords) return keywords.step
    const lines = ['scripted.example', ...keywords]
    return lines.map((word, i) => `250${i < lines.length - 1 ? '-' : ' '}${word}`).join(CRLF)
  }

  #startTls(): void {
    const secureContext = this.#secureContext()
    const { starttls = secureContext === undefined ? '502 5.5.1 No TLS here' : '220 2.0.0 Go ahead' } = this.#script
    this.#act(starttls)
    if (this.#stopped || !starttls.startsWith('220')) return
    this.#plain.removeListener('data', this.#onData)
    if (secureContext === undefined) {
      // promised, and then not done: talks on in the clear
      this.#plain.once('data', () => this.#act('500 5.5.1 What?'))
      return
    }
    const { onServerName } = this.#script.tls ?? {}
    const SNICallback = (name: string, done: (error: null) => void): void => (onServerName?.(name), done(null))
    this.#socket = new TLSSocket(this.#plain, { isServer: true, secureContext, SNICallback })
    this.#socket.on('data', this.#onData)
    this.#socket.on('error', () => this.#plain.destroy())
  }

  /** False when the end of the data is not there yet. */
  #takeData(): boolean {
    const { midData, end: answer = '250 2.0.0 Queued' } = this.#script
    if (midData !== undefined && this.#buffered.length > 0) {
      this.#act(midData)
      this.#stopped = true
      return false
    }
    const empty = this.#buffered.subarray(0, 3).equals(Buffer.from('.\r\n'))
    const end = empty ? -2 : this.#buffered.indexOf('\r\n.\r\n', Math.max(0, this.#searched - 4))
    this.#searched = end === -1 ? this.#buffered.length : 0
    if (end === -1) return false
    const message = Buffer.from(this.#buffered.subarray(0, end + 2))
    const { messages, taken } = this.#seen
    messages.push(message)
    this.#buffered = this.#buffered.subarray(end + 5)
    this.#inData = false
    const step = typeof answer === 'function' ? answer(messages.length) : answer
    if (step.startsWith('250')) taken.push(message)
    this.#act(step)
    return true
  }
}
