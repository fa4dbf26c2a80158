/** A plain SMTP client that says exactly what it is told, for the demo and the end-to-end tests. */
import { once } from 'node:events'
import { type Socket, connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface SmtpTalk extends AsyncDisposable {
  /** Everything said so far, `> ` and `< ` lines. */
  readonly transcript: string[]
  /** Sends a line (or raw bytes) and returns the reply, its lines joined by a line feed. */
  say(line: string | Uint8Array): Promise<string>
  /** Sends some of a message; resolves when more may come. */
  write(bytes: Uint8Array): Promise<void>
  startTls(): Promise<void>
}

export interface TalkOptions {
  readonly tls?: boolean
  /** Our own address, of those of this machine. */
  readonly from?: string
  readonly host?: string
}

/** Connects and reads the greeting. TLS certificates are not checked: the servers' are self-signed. */
export async function talkSmtp(port: number, options: TalkOptions = {}): Promise<SmtpTalk> {
  const { host = '127.0.0.1' } = options
  const to = { port, host, ...(options.from !== undefined && { localAddress: options.from }) }
  let socket: Socket =
    options.tls === true ? connectTls({ socket: connectTcp(to), rejectUnauthorized: false }) : connectTcp(to)
  const transcript: string[] = []
  let replies = readReplies(socket)
  const next = async (): Promise<string> => {
    const reply = await replies.next()
    if (reply.done === true) throw new Error(`the server closed the connection after:\n${transcript.join('\n')}`)
    transcript.push(...reply.value.split('\n').map((line) => `< ${line}`))
    return reply.value
  }
  await next()
  return {
    transcript,
    async say(line) {
      if (typeof line === 'string') transcript.push(`> ${line}`)
      socket.write(typeof line === 'string' ? `${line}\r\n` : line)
      return next()
    },
    async write(bytes) {
      if (!socket.write(bytes) && !socket.destroyed) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
    },
    async startTls() {
      socket.removeAllListeners()
      const plain = socket
      socket = connectTls({ socket: plain, rejectUnauthorized: false })
      await new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve).once('error', reject)
        socket.once('close', () => reject(new Error('the server closed the connection in the handshake')))
      })
      replies = readReplies(socket)
    },
    async [Symbol.asyncDispose]() {
      socket.destroy()
    },
  }
}

async function* readReplies(socket: Socket): AsyncGenerator<string, void, undefined> {
  const waiting: Buffer[] = []
  let wake: () => void = () => undefined
  let ended = false
  socket.on('data', (chunk: Buffer) => {
    waiting.push(chunk)
    wake()
  })
  const end = (): void => {
    ended = true
    wake()
  }
  socket.on('close', end).on('error', end)
  let text = ''
  for (;;) {
    for (
      let end = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text);
      end !== null;
      end = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text)
    ) {
      text = text.slice(end[0].length)
      yield end[0].trimEnd().replaceAll('\r\n', '\n')
    }
    if (waiting.length === 0) {
      if (ended) return
      await new Promise<void>((resolve) => (wake = resolve))
    }
    text += Buffer.concat(waiting.splice(0)).toString('utf8')
  }
}

export interface Submission {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly from?: string
  readonly to: readonly string[]
  /** With CRLF line ends. */
  readonly message: string | Uint8Array
  /** Parameters of MAIL, such as ` BODY=8BITMIME`. */
  readonly mailParameters?: string
}

/** Signs in over STARTTLS, submits one message, returns the reply to its end. */
export async function submit(mail: Submission): Promise<{ reply: string; transcript: string[] }> {
  await using talk = await talkSmtp(mail.port)
  const login = await sayHello(talk, mail.user, mail.password)
  if (!login.startsWith('235')) return { reply: login, transcript: talk.transcript }
  const reply = await sendMail(talk, mail.from ?? mail.user, mail)
  return { reply, transcript: talk.transcript }
}

/** A session over STARTTLS, signed in: for one mail after the other. */
export async function signIn(port: number, user: string, password: string, host?: string): Promise<SmtpTalk> {
  const talk = await talkSmtp(port, host === undefined ? {} : { host })
  const login = await sayHello(talk, user, password)
  if (!login.startsWith('235')) throw new Error(`not signed in: ${login}`)
  return talk
}

async function sayHello(talk: SmtpTalk, user: string, password: string): Promise<string> {
  await talk.say('EHLO terminal.example')
  await talk.say('STARTTLS')
  await talk.startTls()
  await talk.say('EHLO terminal.example')
  return talk.say(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`)
}

/** Without signing in, as one server hands mail to another. */
export async function sendUnauthenticated(
  port: number,
  from: string,
  mail: Pick<Submission, 'to' | 'message' | 'mailParameters'>,
): Promise<string> {
  await using talk = await talkSmtp(port)
  await talk.say('EHLO sender.example')
  return await sendMail(talk, from, mail)
}

/** MAIL to the reply after the final dot, in a session that has been opened. `stuffed`: dots are doubled already. */
export async function sendMail(
  talk: SmtpTalk,
  from: string,
  mail: Pick<Submission, 'to' | 'message' | 'mailParameters'> & { readonly stuffed?: boolean },
): Promise<string> {
  const refused = await talk.say(`MAIL FROM:<${from}>${mail.mailParameters ?? ''}`)
  if (!refused.startsWith('250')) return refused
  for (const to of mail.to) {
    const reply = await talk.say(`RCPT TO:<${to}>`)
    if (!reply.startsWith('25')) return reply
  }
  const go = await talk.say('DATA')
  if (!go.startsWith('354')) return go
  const text = Buffer.from(mail.message).toString('latin1')
  const stuffed = mail.stuffed === true ? text : text.replace(/^\./, '..').replaceAll('\r\n.', '\r\n..')
  return talk.say(Buffer.from(`${stuffed}${stuffed.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1'))
}
