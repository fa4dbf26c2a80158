/**
 * One session with a next hop, SMTP or LMTP, kept open for several messages. The only file that uses nodemailer's
 * smtp-connection; what we use beyond its types is named in inside-library.ts.
 */
// oxlint-disable no-underscore-dangle -- the library's own names, all of them in inside-library.ts
import assert from 'node:assert/strict'
import { isIP, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { ok } from '../base/result.ts'
import type { ContentSource, OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { keepSession, provesItself, tlsOf, type HopTlsFacts } from './hop-tls-facts.ts'
import type { Verify } from './tls-policy.ts'
import { parseRemoteReply, REPLY_MAX_BYTES } from './remote-reply.ts'
import { endingOf, resultsOf, type Ending, type Failure, type Stage } from './ending.ts'
import { DataPump } from './data-pump.ts'
import { rcptParameters, refusalBeforeMail, type Offers } from './extensions.ts'
import { connectSocket, isSocketPath } from './connect-socket.ts'
import { type HearsReply, innerOf, type Inner } from './inside-library.ts'
import { LmtpReplies } from './lmtp-replies.ts'
import type { RelayTimeouts } from './timeouts.ts'

export interface ConnectTo {
  /** An IP address, or the path of a UNIX socket. */
  readonly address: string
  readonly port: number
  readonly protocol: 'smtp' | 'lmtp'
  /** Name for SNI, certificate and reports; the address when the route has no name. */
  readonly hostName: string
  /** Whose mail it takes: a certificate that DANE vouches for may name it too. */
  readonly domain: string
  /** What we call ourselves in EHLO. */
  readonly helo: string
  readonly tls: 'off' | 'if-offered' | 'always'
  readonly verify: Verify
  /** Only with `verify`. */
  readonly credentials?: Credentials
  /** A session with the same server, opened under the same demands, that may be taken up again. */
  readonly session?: Buffer
  /** Gets what later connections may take up; the server has just shown its certificate. */
  readonly keepSession?: (session: Buffer) => void
  /** Trust anchors in PEM; Node's own when missing. */
  readonly anchorsPem?: readonly string[]
  readonly timeouts: RelayTimeouts
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** How far opening came. `reply` is the host's when `remoteSaid`, else our own words. */
export type Opened =
  | { readonly kind: 'open'; readonly connection: RelayConnection; readonly sendingAddress?: string }
  | {
      readonly kind: 'closed'
      /** Ours; missing when there was no connection. */
      readonly sendingAddress?: string
      readonly stage: 'connect' | 'hello' | 'tls' | 'sign-in'
      readonly reply: Reply
      readonly remoteSaid: boolean
    }

export interface SendReport {
  readonly results: readonly RecipientResult[]
  /** The session was gone before it said a word about this message: safe to send on a new one. */
  readonly untouched: boolean
}

/** Connects, greets, and starts TLS as asked. Never throws for what the peer does. */
export async function openConnection(to: ConnectTo): Promise<Opened> {
  const socket = await connectSocket(to.address, to.port, to.timeouts.connectMs)
  if (!('socket' in socket))
    return { kind: 'closed', stage: 'connect', reply: noConnection(to, socket.why), remoteSaid: false }
  const sendingAddress = socket.socket.localAddress ?? ''
  return { ...(await openSession(socket.socket, to)), sendingAddress }
}

/** Hears the greeting, says EHLO, starts TLS, signs in. */
async function openSession(socket: Socket, to: ConnectTo): Promise<Opened> {
  const smtp = new SMTPConnection({
    connection: socket,
    host: to.hostName,
    port: to.port,
    secure: false,
    lmtp: to.protocol === 'lmtp',
    name: to.helo,
    ignoreTLS: to.tls === 'off',
    requireTLS: to.tls === 'always',
    opportunisticTLS: to.tls === 'if-offered',
    greetingTimeout: to.timeouts.greetingMs,
    connectionTimeout: to.timeouts.greetingMs + to.timeouts.helloMs,
    socketTimeout: to.timeouts.commandMs,
    maxResponseSize: REPLY_MAX_BYTES,
    // RFC 8996: nothing older. Without `verify` the certificate proves nothing and is not asked to (RFC 7435)
    tls: {
      rejectUnauthorized: to.verify === 'name',
      minVersion: 'TLSv1.2',
      ...(to.anchorsPem && { ca: [...to.anchorsPem] }),
      ...(to.session && { session: to.session }),
      ...(typeof to.verify === 'object' && to.verify.base !== undefined && { servername: to.verify.base }),
    },
  })
  const failure = await new Promise<Failure | undefined>((resolve) => {
    // the library's own limits end with the greeting; this one holds whatever trickles in
    const limit = setTimeout(
      () => resolve({ code: 'ETIMEDOUT', message: 'Timeout before the session was set up' }),
      to.timeouts.greetingMs + to.timeouts.helloMs,
    )
    const settle = (error?: Failure): void => {
      clearTimeout(limit)
      resolve(error)
    }
    smtp.on('error', settle) // stays: a later error must find a listener
    smtp.connect((error) => settle(error))
  })
  if (failure === undefined) return proceed(smtp, to)
  const stage = smtp.upgrading === true || failure.code === 'ETLS' ? 'tls' : 'hello'
  smtp.close()
  const said = failure.response === undefined ? undefined : parseRemoteReply(failure.response)
  return { kind: 'closed', stage, reply: said ?? noSession(to, stage, failure), remoteSaid: said !== undefined }
}

/** The session stands: what else is asked of the server before mail goes there. */
async function proceed(smtp: SMTPConnection, to: ConnectTo): Promise<Opened> {
  const socket = smtp._socket || undefined
  const proof = typeof to.verify === 'string' ? ok(undefined) : provesItself(socket, to)
  if (!proof.ok) {
    smtp.close()
    const why = reply(454, '4.7.5', `${where(to)} is not believed: ${proof.error}`)
    return { kind: 'closed', stage: 'tls', reply: why, remoteSaid: false }
  }
  if (socket instanceof TLSSocket) keepSession(socket, to)
  const refusal = to.credentials === undefined ? undefined : await signIn(smtp, to, to.credentials)
  if (refusal === undefined) return { kind: 'open', connection: new RelayConnection(smtp, to) }
  smtp.close()
  return { kind: 'closed', stage: 'sign-in', reply: refusal, remoteSaid: false }
}

/** Signs in (RFC 4954). Why not, in words that hold no secret; for the operator, and mail waits until it is mended. */
async function signIn(
  smtp: SMTPConnection,
  to: ConnectTo,
  { user, password }: Credentials,
): Promise<Reply | undefined> {
  if (!smtp.secure || to.verify === 'nothing') throw new TypeError('no password without TLS and a name that is proven')
  if (!smtp.allowsAuth)
    return reply(451, '4.7.0', `${where(to)} lets nobody sign in, though relay.credentials has a row`)
  const failure = await new Promise<Failure | undefined>((resolve) => {
    const limit = setTimeout(() => resolve({ message: 'Timeout' }), to.timeouts.commandMs)
    smtp.login({ credentials: { user, pass: password } }, (error) => {
      clearTimeout(limit)
      resolve(error ?? undefined)
    })
  })
  if (failure === undefined) return undefined
  return reply(451, '4.7.8', `${where(to)} does not let us sign in as ${user}: ${failure.response ?? failure.message}`)
}

export class RelayConnection {
  readonly hostName: string
  readonly tls: HopTlsFacts | undefined
  /** Messages that were tried here. */
  messages = 0
  /** Called once when the session ends for whatever reason. */
  onEnd: () => void = () => {}
  readonly #smtp: SMTPConnection
  readonly #inner: Inner
  readonly #timeouts: RelayTimeouts
  /** Said before the first message, and never again. */
  readonly #offers: Offers
  #ended = false
  /** A transaction may be open at the server: RSET first. */
  #dirty = false
  #current: OutgoingMail | undefined
  #rcptIndex = 0
  #progress: Progress | undefined
  /** By LMTP, to the message that was sent last. */
  #replies: LmtpReplies | undefined
  /** Ends the transaction that runs. */
  #abandon: GiveUp | undefined

  constructor(smtp: SMTPConnection, to: ConnectTo) {
    this.#smtp = smtp
    this.#inner = innerOf(smtp)
    this.#timeouts = to.timeouts
    this.#offers = {
      extensions: new Set(this.#inner._supportedExtensions),
      sizeMaxBytes: this.#inner._maxAllowedSize,
      secure: smtp.secure,
    }
    this.hostName = to.hostName
    this.tls = tlsOf(this.#socket(), typeof to.verify !== 'string')
    // the data is not the library's to write: it only hears the replies to it
    this.#inner._createSendStream = (callback) => {
      if (to.protocol === 'lmtp') this.#expectReplies(callback)
      else this.#inner._responseActions.push((response) => this.#inner._actionSMTPStream(response, callback))
      return { outByteCount: 0 }
    }
    const sendCommand = this.#inner._sendCommand.bind(smtp)
    this.#inner._sendCommand = (line, logLine) => sendCommand(this.#withParameters(line), logLine)
    smtp.once('end', () => this.#end())
  }

  get usable(): boolean {
    return !this.#ended
  }

  /** Why the message can never go this way, known before a word of it is said. */
  refusalOf(mail: OutgoingMail): Reply | undefined {
    return refusalBeforeMail(mail, this.#offers, this.hostName)
  }

  /** Before another message: ends what the last one left open. False when the session cannot be used any more. */
  async ready(): Promise<boolean> {
    if (this.#ended || !this.#dirty) return !this.#ended
    const cleared = await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), this.#timeouts.farewellMs)
      const settle = (done: boolean): void => {
        clearTimeout(limit)
        this.#smtp.off('end', onEnd)
        resolve(done)
      }
      const onEnd = (): void => settle(false)
      this.#smtp.on('end', onEnd)
      // after "all recipients refused" the library leaves the transaction open (RFC 5321 §4.1.1.5)
      this.#smtp.reset((error) => settle(error === null))
    })
    if (cleared) this.#dirty = false
    else this.close()
    return cleared
  }

  /**
   * Sends one message. Never throws for what the peer does; the answer holds every recipient once. Throws what `content`
   * throws: nothing was accepted then.
   */
  async send(mail: OutgoingMail, content: ContentSource): Promise<SendReport> {
    assert(!this.#ended && this.#current === undefined, 'one message at a time')
    const refusal = this.refusalOf(mail)
    if (refusal !== undefined) return { results: this.#all(mail, 'failed', refusal, false), untouched: false }
    this.messages++
    this.#dirty = true
    this.#current = mail
    this.#rcptIndex = 0
    this.#replies = undefined
    const ending = await this.#transact(mail, content)
    this.#current = undefined
    if (ending.why === undefined && ending.stage === 'sent') this.#dirty = false
    if (ending.stage === 'sending' || ending.lost) this.close()
    if (ending.unreadable !== undefined) throw ending.unreadable
    const untouched = ending.lost && ending.stage === 'envelope' && ending.refused.size === 0 && !ending.timedOut
    return { results: resultsOf(mail, ending, this.hostName, this.#offers.extensions.has('DSN')), untouched }
  }

  /** Says good-bye and closes, without waiting for it. */
  quit(): void {
    if (this.#ended) return
    this.#smtp.quit()
    setTimeout(() => this.close(), this.#timeouts.farewellMs).unref()
  }

  close(): void {
    this.#smtp.close()
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.onEnd()
    // the library forgets the message under way when it is closed from here; its own errors come first, in this same turn
    queueMicrotask(() => this.#abandon?.({ message: 'the session was closed' }))
  }

  #socket(): Socket | undefined {
    return this.#smtp._socket || undefined
  }

  /** MAIL to the reply after the final dot. The library speaks the envelope, and hears the replies; the data is ours. */
  #transact(mail: OutgoingMail, content: ContentSource): Promise<Ending> {
    return new Promise((resolve) => {
      const progress: Progress = { stage: 'envelope', limit: undefined, ended: false }
      this.#progress = progress
      const envelope: Envelope = {
        from: mail.mailFrom,
        to: mail.recipients.map((path) => path.address),
        size: mail.sizeBytes,
        use8BitMime: mail.eightBit,
        requireTLSExtensionEnabled: mail.tls === 'required',
        ...((mail.ret ?? mail.envid) && { dsn: { ret: mail.ret, envid: mail.envid } }),
      }
      const socket = this.#socket()
      const pump = socket && new DataPump(socket)
      const settle = (error: Failure | undefined, response?: string): void => {
        // content that is still being read must not reach into the next transaction
        if (progress.ended) return
        progress.ended = true
        clearTimeout(progress.limit)
        this.#abandon = undefined
        pump?.stop()
        socket?.setTimeout(this.#timeouts.commandMs)
        const said = { error, response, taken: this.#replies?.taken }
        resolve(endingOf(progress.stage, envelope.rejectedErrors ?? [], said))
      }
      this.#abandon = settle
      this.#limit(progress, this.#timeouts.envelopeMs, 'Timeout in the envelope', settle)
      // what the library takes for a message to be piped, once the envelope has been accepted
      const source = {
        pipe: () => void (pump && this.#sendData(pump, content, progress, settle)),
      } as unknown as Readable
      this.#smtp.send(envelope, source, (error, info) => settle(error ?? undefined, info?.response))
    })
  }

  #expectReplies(done: HearsReply): void {
    const replies = new LmtpReplies(this.#inner._envelope, () => this.#progress?.stage === 'sent', done)
    this.#replies = replies
    for (let count = replies.expected; count > 0; count--)
      this.#inner._responseActions.push((response) => replies.hear(response))
  }

  async #sendData(pump: DataPump, content: ContentSource, progress: Progress, settle: GiveUp): Promise<void> {
    // from here on our own limits hold: silence after the final dot is longer than between commands
    this.#socket()?.setTimeout(0)
    const { lastServerResponse: answer } = this.#smtp
    // the library would go on after any 2yz; who does not wait for data would take them for commands (RFC 5321 §4.1.1.4)
    if (answer === false || !answer.startsWith('354'))
      return settle({ code: 'EPROTOCOL', message: 'DATA was answered with something else than 354' })
    progress.stage = 'sending'
    const onBlock = (): void => this.#limit(progress, this.#timeouts.dataBlockMs, 'Timeout while sending data', settle)
    try {
      onBlock()
      if (!(await pump.run(content, onBlock))) return
      progress.stage = 'sent'
      this.#limit(progress, this.#timeouts.dataTerminationMs, 'Timeout after the final dot', settle)
    } catch (error) {
      settle(Object.assign(error instanceof Error ? error : new Error(String(error)), { code: 'ESTREAM' }))
    }
  }

  #limit(progress: Progress, ms: number, why: string, settle: GiveUp): void {
    clearTimeout(progress.limit)
    if (progress.ended) return
    progress.limit = setTimeout(() => settle({ code: 'ETIMEDOUT', message: why }), ms)
  }

  /** Parameters that the library does not know per recipient, or not without a UTF-8 address. */
  #withParameters(line: string): string {
    const mail = this.#current
    if (mail === undefined) return line
    if (line.startsWith('MAIL FROM:') && mail.smtpUtf8 && !line.endsWith(' SMTPUTF8')) {
      return / SMTPUTF8(?: |$)/.test(line) ? line : `${line} SMTPUTF8` // RFC 6531 §3.4
    }
    if (!line.startsWith('RCPT TO:')) return line
    const path = mail.recipients[this.#rcptIndex++]
    return path === undefined ? line : line + rcptParameters(path, this.#offers)
  }

  #all(mail: OutgoingMail, outcome: 'deferred' | 'failed', answer: Reply, remoteSaid: boolean): RecipientResult[] {
    return mail.recipients.map(({ address }) => ({
      recipient: address,
      outcome,
      reply: answer,
      ...(remoteSaid && { remote: this.hostName }),
      dsnPassedOn: false,
    }))
  }
}

type GiveUp = (error: Failure) => void

type Envelope = Parameters<SMTPConnection['send']>[0] & { readonly rejectedErrors?: readonly Failure[] }

interface Progress {
  stage: Stage
  limit: NodeJS.Timeout | undefined
  /** The outcome is known: nothing changes it any more. */
  ended: boolean
}

const where = (to: ConnectTo): string =>
  isSocketPath(to.address)
    ? to.address
    : isIP(to.hostName) === 0
      ? `${to.hostName} [${to.address}]:${to.port}`
      : `[${to.address}]:${to.port}`

const noConnection = (to: ConnectTo, why: string): Reply => reply(451, '4.4.1', `No connection to ${where(to)}: ${why}`)

function noSession(to: ConnectTo, stage: 'hello' | 'tls', failure: Failure): Reply {
  if (stage === 'tls') return reply(454, '4.7.0', `No TLS with ${where(to)}: ${failure.message}`)
  return reply(451, '4.4.2', `No session with ${where(to)}: ${failure.message}`)
}
