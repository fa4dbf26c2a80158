/** A listening socket and its connections: counts them, signs users in, stops. */
/* oxlint-disable no-underscore-dangle -- the library names its internals so */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSecureContext, type TLSSocket } from 'node:tls'
import { SMTPServer, type SMTPServerAuthentication, type SMTPServerSession } from 'smtp-server'
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { readProxyHeader } from '../protocol/proxy-protocol.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { peerGroup } from '../base/peer-address.ts'
import { takePreamble } from '../base/preamble.ts'
import { connectRefusal } from './admission.ts'
import type { ReceiveLimits } from './limits.ts'
import type { TlsKeys } from './receive.ts'
import { SmtpConnection, type ListenerContext } from './smtp-connection.ts'

type OnAccepted = Parameters<SMTPServer['_handleProxy']>[1]
type AuthCallback = Parameters<SMTPServer['onAuth']>[2]

export class SmtpListener extends SMTPServer {
  stopping = false
  #context: ListenerContext
  /** Every connection until its socket is closed. */
  readonly #all = new Set<SmtpConnection>()
  /** Those counted in, and as whose. */
  readonly #admitted = new Map<SmtpConnection, string>()
  readonly #ofPeer = new Map<string, number>()
  readonly #bySession = new WeakMap<SMTPServerSession, SmtpConnection>()

  constructor(context: ListenerContext, options: { readonly implicitTls: boolean; readonly tls: TlsKeys }) {
    const { limits, hostname } = context
    super({
      secure: options.implicitTls,
      ...options.tls,
      minVersion: 'TLSv1.2', // RFC 8996: the older ones are deprecated
      name: hostname,
      authMethods: ['PLAIN', 'LOGIN'],
      allowInsecureAuth: true, // commands.ts decides
      disableReverseLookup: true,
      useXClient: false,
      useXForward: false,
      useProxy: false,
      maxClients: limits.connectionsMax, // of TLS handshakes; admit() counts the sessions
      socketTimeout: limits.idleTimeoutMs,
      logger: false,
    })
    this.#context = context
    this.on('error', (error) => context.events.connectionFailed({ by: context.agent.kind, why: error.message }))
  }

  get connectionCount(): number {
    return this.#all.size
  }

  override _expectsProxyHeader(socket: Socket): boolean {
    return this.#context.trust.sendsProxyHeader(socket.remoteAddress ?? '')
  }

  /** The library's own reader knows version 1 only, and lets through what is no header of it. */
  override _handleProxy(socket: Socket, callback: OnAccepted): void {
    if (this._expectsProxyHeader(socket)) void this.#takeProxyHeader(socket, callback)
    else callback(null, NO_OPTIONS)
  }

  override connect(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): void {
    const connection = new SmtpConnection(this, this.#context, socket, options)
    this.connections.add(connection)
    this.#all.add(connection)
    this.#bySession.set(connection.session, connection)
    connection.on('error', (error: Error) => this.emit('error', error))
    connection.init()
  }

  /** Counts a connection in, or says why not. */
  admit(connection: SmtpConnection): Reply | undefined {
    const { remoteAddress } = connection
    const { limits, guards } = this.#context
    const group = peerGroup(remoteAddress)
    const ofPeer = this.#ofPeer.get(group) ?? 0
    const refusal = connectRefusal(this.#admitted.size, ofPeer, limits) ?? guards.connection(remoteAddress)
    if (refusal !== undefined) return refusal
    this.#admitted.set(connection, group)
    this.#ofPeer.set(group, ofPeer + 1)
    return undefined
  }

  /** A connection's socket is closed. More than once does no harm. */
  release(connection: SmtpConnection): void {
    this.#all.delete(connection)
    this.#countOut(connection)
  }

  /** Another client speaks on the connection now, and is counted in the place of the one before. */
  readmit(connection: SmtpConnection): Reply | undefined {
    this.#countOut(connection)
    return this.admit(connection)
  }

  #countOut(connection: SmtpConnection): void {
    const group = this.#admitted.get(connection)
    if (group === undefined) return
    this.#admitted.delete(connection)
    const ofPeer = (this.#ofPeer.get(group) ?? 1) - 1
    if (ofPeer === 0) this.#ofPeer.delete(group)
    else this.#ofPeer.set(group, ofPeer)
  }

  /** For connections from now on. Throws when key and certificate are no pair, and keeps the old ones. */
  setTls(tls: TlsKeys): void {
    createSecureContext(tls) // the library would forget the old ones first
    this.updateSecureContext(tls)
  }

  /** For connections from now on. */
  setLimits(limits: ReceiveLimits): void {
    this.#context = { ...this.#context, limits }
  }

  override onAuth(auth: SMTPServerAuthentication, session: SMTPServerSession, callback: AuthCallback): void {
    const connection = this.#bySession.get(session)
    if (connection !== undefined) void this.#signIn(connection, auth, callback)
  }

  /** Sessions end when nothing is under way in them, all of them after `graceMs`. Resolves when the last is closed. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve())
    })
    for (const socket of this._pendingSockets.values()) socket.destroy()
    const lastWords = reply(421, '4.3.2', 'The server is stopping, try again later')
    for (const connection of this.#all) if (connection.idle) connection.answerAndClose(lastWords)
    const timer = setTimeout(() => void this.#endAll(lastWords), graceMs)
    await closed
    clearTimeout(timer)
  }

  async #takeProxyHeader(socket: Socket, callback: OnAccepted): Promise<void> {
    const balancer = socket.remoteAddress ?? ''
    const header = await takePreamble(socket, readProxyHeader)
    if (!header.ok) {
      const { agent, events } = this.#context
      const { why, silent } = header.error
      if (!silent) events.refused({ by: agent.kind, peerAddress: balancer, reply: `no PROXY header: ${why}` })
      return callback(new Error(why))
    }
    const client = header.value
    const options = client && { remoteAddress: client.address, remotePort: client.port }
    callback(null, { ...NO_OPTIONS, ...options })
  }

  async #endAll(lastWords: Reply): Promise<void> {
    for (const connection of this.#all) connection.answerAndClose(lastWords)
    await sleep(LINGER_MS)
    for (const connection of this.#all) connection._socket.destroy()
  }

  async #signIn(connection: SmtpConnection, auth: SMTPServerAuthentication, callback: AuthCallback): Promise<void> {
    const { agent, limits, events } = this.#context
    const name = auth.username ?? ''
    const facts = { by: 'submission' as const, name, peerAddress: connection.remoteAddress, session: connection.id }
    try {
      // RFC 4616 §2: acting for somebody else is not offered
      const forOther = auth.authzid !== undefined && auth.authzid !== '' && auth.authzid !== name
      const login = forOther ? undefined : await agent.login?.(name, auth.password ?? '', facts.peerAddress)
      if (typeof login === 'object') {
        callback(Object.assign(new Error(login.lines.join(' ')), { responseCode: login.code }))
        return
      }
      if (login !== undefined) {
        connection.login = login
        events.loginSucceeded(facts)
        callback(null, { user: login })
        return
      }
    } catch (error) {
      events.trouble({ during: 'signing in', error })
      callback(Object.assign(new Error('Cannot check this now, try again later'), { responseCode: 454 }))
      return
    }
    events.loginFailed(facts)
    connection.loginFailures++
    await sleep(limits.loginFailureDelayMs * 2 ** (connection.loginFailures - 1), undefined, { ref: false })
    if (connection.loginFailures < limits.loginFailuresMax) {
      callback(null, { responseCode: 535, message: WRONG })
      return
    }
    connection.answer(reply(535, '5.7.8', WRONG))
    connection.answerAndClose(reply(421, '4.7.0', 'Too many failed logins'))
  }
}

/** Without an id of ours, the connection makes its own. */
const NO_OPTIONS = { id: '' }

const WRONG = 'Wrong name or password'

/** For the last words to reach the client. */
const LINGER_MS = 200
