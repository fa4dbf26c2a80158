/**
 * One client's connection: the library runs the socket, TLS, SASL and the idle timer; what is said on it is ours
 * (commands.ts, strict-stream.ts). Overridden methods with an underscore are internals of smtp-server 3.21.
 */
/* oxlint-disable no-underscore-dangle -- the library names its internals so */
import { isUtf8, type Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import type { Address, Domain } from '../message/address.ts'
import type { SmtpEnvelope } from '../protocol/smtp-envelope.ts'
import { formatReply, reply, replyText, type Reply } from '../protocol/smtp-reply.ts'
import type { SessionFacts, TlsFacts } from '../protocol/smtp-session.ts'
import { ClientIdentity } from './client-identity.ts'
import { conductRefusal, endsSession, faultReply } from './admission.ts'
import type { Agent } from './agent.ts'
import { Timers } from './timers.ts'
import { transmissionTypeOf } from './transmission-type.ts'
import { runCommand, type Session, type Step, type Transaction } from './commands.ts'
import { DataPhase } from './data-phase.ts'
import type { Guards } from './guards.ts'
import { greeting, libraryReply, STOPPING, TIMEOUT } from './connection-replies.ts'
import type { ReceiveLimits } from './limits.ts'
import { Pace } from './pace.ts'
import type { ReceiveEvents } from './receive.ts'
import type { SmtpListener } from './smtp-listener.ts'
import type { Trust } from './trust.ts'
import { StrictStream, type DataHandler, type LineFault } from './strict-stream.ts'

/** What all connections of a listener share. */
export interface ListenerContext {
  readonly agent: Agent
  readonly limits: ReceiveLimits
  readonly guards: Guards
  readonly hostname: Domain
  readonly postmaster: Address
  readonly allowPlainAuthOnLoopback: boolean
  readonly startTlsOffered: boolean
  readonly trust: Trust
  readonly events: ReceiveEvents
}

export class SmtpConnection extends SMTPConnection implements Session {
  readonly agent: Agent
  readonly limits: ReceiveLimits
  readonly guards: Guards
  readonly hostname: Domain
  readonly postmaster: Address
  readonly startTlsOffered: boolean
  readonly client: ClientIdentity
  helo: Session['helo']
  login: Address | undefined
  idleCommands = 0
  loginFailures = 0
  #transaction: Transaction | undefined
  #errors = 0
  readonly #context: ListenerContext
  readonly #listener: SmtpListener
  /** While a message's data comes in. */
  #phase: DataPhase | undefined
  #pace: Pace | undefined
  #endPaceWatch = nothing
  /** When the client had its turn last to say a command; on the clock that never jumps. */
  #turnMs = performance.now()
  #tls: TlsFacts | undefined
  readonly #timers = new Timers()
  #lastWords: Reply | undefined

  constructor(
    listener: SmtpListener,
    context: ListenerContext,
    socket: Socket | TLSSocket,
    options?: SMTPConnectionOptions | null,
  ) {
    super(listener, socket, options)
    this.#listener = listener
    this.#context = context
    this.agent = context.agent
    this.limits = context.limits
    this.guards = context.guards
    this.hostname = context.hostname
    this.postmaster = context.postmaster
    this.startTlsOffered = context.startTlsOffered
    this.client = new ClientIdentity(this.remoteAddress, socket.remoteAddress ?? '', context.trust)
  }

  get transaction(): Transaction | undefined {
    return this.#transaction
  }

  set transaction(transaction) {
    this.#transaction = transaction
    if (transaction === undefined) this.client.endMessage()
    this.remoteAddress = this.client.address
  }

  get passwordsSafe(): boolean {
    return this.secure || (this.#context.allowPlainAuthOnLoopback && this.client.isHere)
  }

  /** Nothing is under way: the session can be ended without harm. */
  get idle(): boolean {
    return this.transaction === undefined && this.#phase === undefined && !this._handlerPending
  }

  facts(): SessionFacts {
    const login = this.login ?? this.transaction?.user
    const mustCarry = this.login === undefined && login !== undefined ? this.client.mustCarry : []
    return {
      id: this.id,
      kind: this.agent.kind,
      peerAddress: this.remoteAddress,
      helo: this.client.helo(this.helo?.name ?? ''),
      tls: this.#tlsFacts(),
      protocol: transmissionTypeOf(this),
      ...(login === undefined ? {} : { login }),
      ...(mustCarry.length > 0 && { mustCarry }),
    }
  }

  /** Says a reply, and reports it when it is a refusal; 421 also closes (RFC 5321 §3.8). */
  answer(answer: Reply): void {
    if (answer.code >= 400) {
      this.#errors++
      const { remoteAddress: peerAddress, id: session } = this
      this.#context.events.refused({ by: this.agent.kind, session, peerAddress, reply: replyText(answer) })
    }
    this.#say(answer)
    if (answer.code === 421) this.close()
  }

  /** Answers, and ends the session now; what the client has sent meanwhile is not read. */
  answerAndClose(answer: Reply): void {
    if (this._parser instanceof StrictStream) this._parser.stop()
    this.answer(answer)
    this.close()
  }

  // -- what the library calls

  /** Instead of the library's 100 ms pause and reverse look-up. */
  override init(): void {
    this._setListeners(() => {
      const refusal = this.#listener.admit(this)
      if (refusal !== undefined) return this.answer(refusal)
      this.#timers.after(this.limits.sessionMaxMs, () => this.#endWhenAnswered(reply(421, '4.4.2', 'Session too long')))
      this.#watchTurn(this.limits.idleTimeoutMs)
      // sockets are read between a timer and an immediate: a client that talks at once is noticed
      this.#timers.after(this.limits.greetingDelayMs, () => setImmediate(() => this.#greet()))
    })
  }

  override _createParser(): StrictStream {
    const stream = new StrictStream({
      commandMaxBytes: () => this.#commandMaxBytes(),
      onLine: (line, next) => this._onCommand(line, next),
      onBadLine: (fault) => this.#onBadLine(fault),
    })
    stream.on('error', (error) => this.#context.events.trouble({ during: 'reading commands', error }))
    return stream
  }

  override _onCommand(line: Buffer, next: () => void = nothing): void {
    if (this._upgrading) return next() // came in clear before the handshake: never read (RFC 3207 §4.2)
    const done = (): void => {
      this._handlerPending = false
      this.#turnMs = performance.now()
      this._whenWritable(next)
    }
    this._handlerPending = true
    if (!this._ready) return this.answerAndClose(reply(421, '4.7.0', 'You talk before you are greeted'))
    const sasl = this._nextHandler
    if (sasl !== false) {
      this._nextHandler = false
      return sasl.call(this, line, done)
    }
    if (this.#listener.stopping && this.transaction === undefined) return this.answerAndClose(STOPPING)
    const refusal = conductRefusal({ idleCommands: this.idleCommands, errors: this.#errors }, this.limits)
    if (refusal !== undefined) return this.answerAndClose(refusal)
    if (!isUtf8(line) || line.some((byte) => byte < 0x20 || byte === 0x7f)) {
      this.#carryOut({ kind: 'reply', reply: reply(500, '5.5.2', 'A command is one line of text') }, line, done)
      return
    }
    void this.#run(line, done)
  }

  /** Replies that the library makes (SASL, time-out). */
  override send(code: number, data?: string | string[] | null): void {
    const text = Array.isArray(data) ? data.join('\n') : (data ?? '')
    this.answer(libraryReply(code, text))
  }

  /** RFC 3207 §4.2: what was said before the handshake is forgotten. */
  override upgrade(callback: () => void, secureCallback?: () => void): void {
    this.client.forget()
    this.#forget()
    super.upgrade(callback, secureCallback)
  }

  override _onClose(): void {
    this.#timers.clear()
    this.#phase?.abort()
    this.#phase = undefined
    this.#listener.release(this)
    super._onClose()
  }

  // -- commands

  async #run(line: Buffer, done: () => void): Promise<void> {
    try {
      this.#carryOut(await runCommand(this, line.toString('utf8')), line, done)
    } catch (error) {
      this.#context.events.trouble({ during: 'answering a command', error })
      this.answer(reply(451, '4.3.0', 'Local error, try again later'))
      done()
    }
  }

  #carryOut(step: Step, line: Buffer, done: () => void): void {
    switch (step.kind) {
      case 'reply':
        this.answer(step.reply)
        return done()
      case 'close':
        this.answerAndClose(step.reply)
        return done()
      case 'starttls':
        // commands injected before the handshake, to be obeyed after it (CVE-2011-0411)
        if (this._parser instanceof StrictStream && this._parser.hasMore)
          return this.answerAndClose(reply(501, '5.5.4', 'Nothing may follow STARTTLS before TLS has begun'))
        this.answer(reply(220, '2.0.0', 'Ready to start TLS'))
        this._socket.uncork()
        this._handlerPending = false
        return this.upgrade(done)
      case 'greet':
        this.#forget(step.login)
        return this.#greetAgain(done)
      case 'auth':
        return this.handler_AUTH(line, done)
      case 'data':
        return this.#receive(step.envelope, done)
    }
  }

  #receive(envelope: SmtpEnvelope, done: () => void): void {
    const stream = this._parser
    if (!(stream instanceof StrictStream)) return done() // the connection is gone
    const { agent, events } = this.#context
    const announcedBytes = Math.min(envelope.declaredSizeBytes ?? 0, RESERVED_MAX_BYTES)
    const hold = this.guards.content(this.limits.heldPerMessageMaxBytes, announcedBytes)
    if ('code' in hold) {
      this.answer(hold)
      return done()
    }
    const phase = new DataPhase(agent.inbox, this.facts(), envelope, events, hold)
    this.#phase = phase
    this.#pace = new Pace(this._socket.bytesRead)
    this.#watchPace(this.#pace)
    stream.receiveData(this.#dataHandler(phase), this.limits)
    this.answer(reply(354, '', 'End data with <CR><LF>.<CR><LF>'))
    done()
  }

  #dataHandler(phase: DataPhase): DataHandler {
    return {
      onContent: (chunk, next) => {
        this._handlerPending = true // the client does not idle while we make it wait
        phase.push(chunk, () => {
          this._handlerPending = false
          next()
        })
        if (this._handlerPending) this.#pace?.madeWait()
      },
      onFault: (fault) => {
        const refusal = faultReply(fault, this.limits)
        if (endsSession(fault)) this.#lastWords = refusal
        phase.refuse(refusal)
        this.#watchDiscard(refusal, this._socket.bytesRead)
      },
      onEnd: (next) => {
        this.#endPaceWatch()
        this._handlerPending = true
        this.#phase = undefined
        void this.#finish(phase, next)
      },
    }
  }

  async #finish(phase: DataPhase, next: () => void): Promise<void> {
    const answer = await phase.answer()
    this.transaction = undefined
    this._handlerPending = false
    this.#turnMs = performance.now()
    if (answer.code < 400) this.idleCommands = this.#errors = 0
    const lastWords = this.#lastWords ?? (this.#listener.stopping ? STOPPING : undefined)
    if (answer !== lastWords) {
      if (answer === phase.refusal) this.answer(answer)
      else this.#say(answer) // who accepts or refuses a message also reports it
    }
    if (lastWords !== undefined) this.answerAndClose(lastWords)
    this._whenWritable(next)
  }

  /** A refused message is read to its end for the sake of a clear answer; but not for ever. */
  #watchDiscard(refusal: Reply, bytesBefore: number, bytesAtFault = bytesBefore): void {
    this.#timers.after(this.limits.discardPauseMs, () => {
      if (this.#phase === undefined) return
      const bytes = this._socket.bytesRead
      if (bytes !== bytesBefore && bytes - bytesAtFault < this.limits.discardMaxBytes)
        return this.#watchDiscard(refusal, bytes, bytesAtFault)
      this.answerAndClose(refusal)
    })
  }

  /** One byte a second is no way to keep a session, and a message's memory, for hours. */
  #watchPace(pace: Pace): void {
    const { paceMs, dataMinBytesPerSecond } = this.limits
    this.#endPaceWatch = this.#timers.after(paceMs, () => {
      if (!pace.tooSlow(this._socket.bytesRead, (dataMinBytesPerSecond * paceMs) / 1_000)) return this.#watchPace(pace)
      this.answerAndClose(reply(421, '4.4.2', 'Too slow, try again later'))
    })
  }

  /** The idle timer starts again with each byte; a command has to come whole. */
  #watchTurn(waitMs: number): void {
    this.#timers.after(waitMs, () => {
      const idleMs = performance.now() - this.#turnMs
      const itsTurn = this.#phase === undefined && !this._handlerPending
      if (!itsTurn) this.#turnMs = performance.now()
      else if (idleMs >= this.limits.idleTimeoutMs) return this.answerAndClose(TIMEOUT)
      this.#watchTurn(Math.max(this.limits.idleTimeoutMs - (itsTurn ? idleMs : 0), 1))
    })
  }

  #onBadLine(fault: LineFault): void {
    if (this._upgrading) return
    const text = fault === 'too-long' ? 'Line too long' : 'Lines end with CRLF (RFC 5321 section 2.3.8)'
    this.answerAndClose(reply(500, '5.5.2', text))
  }

  // -- session

  #say(answer: Reply): void {
    const socket = this._socket
    // during a TLS handshake a reply would stand, in clear, between its records
    if (this._upgrading || !socket.writable) return
    if (socket.writableCorked === 0) {
      // the answers to pipelined commands travel together (RFC 2920 §3.2)
      socket.cork()
      setImmediate(() => socket.uncork())
    }
    socket.write(formatReply(answer), 'latin1')
  }

  #greet(): void {
    this._ready = true
    this._resetSession() // the library's SASL keeps its state there
    this.answer(greeting(this.hostname))
  }

  #forget(login?: Address): void {
    this.helo = undefined
    this.login = login
    this.transaction = undefined
  }

  #greetAgain(done: () => void): void {
    const refusal = this.#listener.readmit(this)
    if (refusal !== undefined) return this.answerAndClose(refusal)
    const { remoteAddress: peerAddress, login, id: session } = this
    if (login !== undefined)
      this.#context.events.loginSucceeded({ by: 'submission', name: login, peerAddress, session })
    this.answer(greeting(this.hostname))
    done()
  }

  #endWhenAnswered(lastWords: Reply): void {
    if (this._handlerPending && this.#phase === undefined) this.#lastWords = lastWords
    else this.answerAndClose(lastWords)
  }

  #commandMaxBytes(): number {
    const mayAuth = this.agent.login !== undefined && this.login === undefined
    return mayAuth ? this.limits.authCommandMaxBytes : this.limits.commandMaxBytes
  }

  #tlsFacts(): TlsFacts | undefined {
    const socket = this._socket
    if (!this.secure || !(socket instanceof TLSSocket)) return undefined
    this.#tls ??= { protocol: socket.getProtocol() ?? '', cipher: socket.getCipher().standardName }
    return this.#tls
  }
}

/** What a client says that it will send is believed up to here; the rest is counted when it comes. */
const RESERVED_MAX_BYTES = 256 * 2 ** 10

const nothing = (): void => undefined
