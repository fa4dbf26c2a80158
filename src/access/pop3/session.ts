import type { SecureContext } from 'node:tls'
import { parsePop3Command } from '../../protocol/pop3-command.ts'
import { COMMAND_LINE_MAX_BYTES, SASL_LINE_MAX_BYTES } from '../../protocol/pop3-lines.ts'
import { MULTI_LINE_END, negative, positive, printReply, type Pop3Reply } from '../../protocol/pop3-reply.ts'
import { DotStuffer } from '../../protocol/dot-stuffing.ts'
import { runCommand } from './commands.ts'
import type { Connection, Input } from './connection.ts'
import type { Pop3CloseReason, Pop3Deps } from './deps.ts'
import type { Pop3Limits } from './limits.ts'
import { factsOf, type Answer, type CommandContext, type SessionState } from './session-state.ts'

/** Lines of a long list that go out together. */
const LINES_BATCH_BYTES = 16 * 1024

/** How a session is set up. */
export interface SessionOptions {
  readonly id: string
  readonly peerAddress: string
  readonly plainAllowed: boolean
  /** TLS begins with the connection (RFC 8314, port 995), not by STLS. */
  readonly implicitTls: boolean
  /** Gives the certificate of the moment; `undefined`: TLS is not available. */
  readonly tlsContext: () => SecureContext | undefined
}

/** One client from greeting to goodbye: reads a line, runs the command, carries out what it answers. */
export class Session {
  readonly #connection: Connection
  readonly #options: SessionOptions
  readonly #context: CommandContext
  readonly #startMs = performance.now()
  #mistakes = 0
  #commands = 0
  #stopping = false
  #cutOff = false

  constructor(connection: Connection, options: SessionOptions, deps: Pop3Deps, limits: Pop3Limits) {
    this.#connection = connection
    this.#options = options
    const state: SessionState = {
      id: options.id,
      peerAddress: options.peerAddress,
      stage: 'authorization',
      tls: false,
      tlsAvailable: options.tlsContext() !== undefined,
      plainAllowed: options.plainAllowed,
      name: undefined,
      loginFailures: 0,
      open: undefined,
    }
    this.#context = { state, deps, limits }
  }

  /** Runs to the end of the connection. Throws nothing: what fails here hurts this client only. */
  async run(): Promise<void> {
    const { deps, state } = this.#context
    let why: Pop3CloseReason = 'client-gone'
    try {
      const ended = await this.#serve()
      why = this.#cutOff && ended === 'client-gone' ? 'stopped' : ended
      await this.#connection.close()
    } catch (error) {
      deps.events.failed(factsOf(state), error)
    } finally {
      this.#connection.destroy()
      deps.events.closed(factsOf(state), why)
    }
  }

  /** The client may end what it has begun, if it does not tarry. */
  stop(): void {
    this.#stopping = true
    this.#connection.hurry(this.#context.limits.stopIdleMs)
  }

  /** It has tarried. */
  cutOff(): void {
    this.#cutOff = true
    this.#connection.destroy()
  }

  async #serve(): Promise<Pop3CloseReason> {
    if (this.#options.implicitTls && !(await this.#startTls())) return 'tls-failed'
    this.#reply(positive('Sealpost POP3 server ready')) // no timestamp in <>: that would offer APOP (RFC 1939 §7)
    for (;;) {
      const input = await this.#connection.readLine(COMMAND_LINE_MAX_BYTES, this.#waitMs())
      const ended = await this.#onInput(input)
      if (ended !== undefined) return ended
    }
  }

  /** Gives the reason when the session is over. */
  async #onInput(input: Input): Promise<Pop3CloseReason | undefined> {
    switch (input.kind) {
      case 'line':
        return this.#onLine(input.bytes)
      case 'too-long':
        return this.#mistake('The line is too long')
      case 'bare-lf':
        return this.#mistake('Lines end in CRLF')
      case 'endless':
        this.#reply(negative('The line has no end'))
        return 'too-many-mistakes'
      case 'closed':
        return 'client-gone'
      case 'timeout':
        return this.#timeoutReason() // nothing is said and nothing is deleted (RFC 1939 §3)
    }
  }

  async #onLine(line: Uint8Array): Promise<Pop3CloseReason | undefined> {
    const { state, limits } = this.#context
    if (state.open === undefined && ++this.#commands > limits.commandsBeforeLoginMax) {
      this.#reply(negative('Too many commands before login'))
      return 'too-many-commands'
    }
    const command = parsePop3Command(line)
    if (!command.ok) return this.#mistake(command.error)
    const answer = runCommand(this.#context, command.value)
    if (answer === undefined) return this.#mistake(`${command.value.name} is not allowed now`)
    return this.#carryOut(await answer)
  }

  async #carryOut(answer: Answer): Promise<Pop3CloseReason | undefined> {
    switch (answer.kind) {
      case 'reply':
        this.#reply(answer.reply)
        return undefined
      case 'lines':
        return (await this.#sendLines(answer.reply, answer.lines)) ? undefined : 'client-gone'
      case 'message':
        return this.#sendMessage(answer.reply, answer.chunks, answer.delivered)
      case 'challenge':
        return this.#challenge(answer.respond)
      case 'start-tls':
        return this.#stls(answer.reply)
      case 'close':
        this.#reply(answer.reply)
        return answer.why
    }
  }

  async #sendLines(reply: Pop3Reply, lines: Iterable<string>): Promise<boolean> {
    this.#reply(reply)
    let batch = ''
    for (const line of lines) {
      batch += `${line}\r\n`
      if (batch.length < LINES_BATCH_BYTES) continue
      if (!(await this.#connection.send(batch))) return false
      batch = ''
    }
    return this.#connection.send(`${batch}${MULTI_LINE_END}`)
  }

  async #sendMessage(
    reply: Pop3Reply,
    chunks: AsyncIterable<Uint8Array>,
    delivered: () => void,
  ): Promise<Pop3CloseReason | undefined> {
    const stuffer = new DotStuffer()
    this.#reply(reply)
    try {
      for await (const chunk of chunks) if (!(await this.#connection.send(stuffer.push(chunk)))) return 'client-gone'
    } catch (error) {
      this.#context.deps.events.failed(factsOf(this.#context.state), error)
      // Without the closing dot the client knows that it has not got the whole message.
      this.#connection.destroy()
      return 'content-failed'
    }
    this.#connection.put(stuffer.end())
    this.#connection.put(MULTI_LINE_END)
    if (!(await this.#connection.flush())) return 'client-gone'
    delivered()
    return undefined
  }

  async #challenge(respond: (line: Uint8Array) => Promise<Answer>): Promise<Pop3CloseReason | undefined> {
    this.#connection.put('+ \r\n')
    const input = await this.#connection.readLine(SASL_LINE_MAX_BYTES, this.#waitMs())
    return input.kind === 'line' ? this.#carryOut(await respond(input.bytes)) : this.#onInput(input)
  }

  async #stls(reply: Pop3Reply): Promise<Pop3CloseReason | undefined> {
    if (this.#connection.hasInput) {
      // Whoever put this after STLS wants it to be obeyed inside TLS (RFC 2595 §4 forbids a client to send it).
      this.#reply(negative('Nothing may follow STLS before TLS has begun'))
      return 'injected-before-tls'
    }
    this.#reply(reply)
    return (await this.#startTls()) ? undefined : 'tls-failed'
  }

  async #startTls(): Promise<boolean> {
    const context = this.#options.tlsContext()
    if (context === undefined) return false
    const { state, limits } = this.#context
    state.tls = await this.#connection.startTls(context, limits.tlsHandshakeTimeoutMs)
    return state.tls
  }

  #mistake(text: string): Pop3CloseReason | undefined {
    this.#reply(negative(text))
    return ++this.#mistakes > this.#context.limits.mistakesMax ? 'too-many-mistakes' : undefined
  }

  #reply(reply: Pop3Reply): void {
    this.#connection.put(printReply(reply))
  }

  #waitMs(): number {
    const { state, limits } = this.#context
    if (this.#stopping) return limits.stopIdleMs
    if (state.open !== undefined) return limits.idleTimeoutMs
    const leftMs = limits.loginTimeoutMs - (performance.now() - this.#startMs)
    return Math.max(0, Math.min(limits.idleTimeoutMs, leftMs))
  }

  #timeoutReason(): Pop3CloseReason {
    if (this.#stopping) return 'stopped'
    const { state, limits } = this.#context
    const tooSlow = state.open === undefined && performance.now() - this.#startMs >= limits.loginTimeoutMs
    return tooSlow ? 'login-too-slow' : 'idle'
  }
}
