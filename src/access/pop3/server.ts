import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { negative, printReply } from '../../protocol/pop3-reply.ts'
import { Connection } from './connection.ts'
import type { Pop3Deps, TurnedAway } from './deps.ts'
import { isLoopback, peerGroup } from '../../base/peer-address.ts'
import { takePreamble } from '../../base/preamble.ts'
import { readProxyHeader } from '../../protocol/proxy-protocol.ts'
import { POP3_LIMITS, type Pop3Limits } from './limits.ts'
import { Session } from './session.ts'

/** A certificate chain and its key, both in PEM. */
export interface Pop3Tls {
  readonly certificatePem: string
  readonly keyPem: string
}

/** One POP3 listener. */
export interface Pop3Options {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** True for pop3s (port 995): TLS from the first octet. False for pop3 (port 110): STLS is offered if `tls` is there. */
  readonly implicitTls: boolean
  readonly tls: Pop3Tls | undefined
  /** Load balancers of ours, by their address: a PROXY header comes first, and says who the client is. Default: none. */
  readonly sendsProxyHeader?: (address: string) => boolean
  /** Lets clients on this machine sign in without TLS. */
  readonly allowPlainOnLoopback: boolean
  /** What differs from `POP3_LIMITS`. */
  readonly limits?: Partial<Pop3Limits>
}

/** Listens; rejects when it cannot, and when the certificate or its key is none. */
export async function startPop3(options: Pop3Options, deps: Pop3Deps): Promise<Pop3Server> {
  const server = new Pop3Server(options, deps)
  await server.listen()
  return server
}

/** A listening POP3 server with its sessions. */
export class Pop3Server {
  readonly #options: Pop3Options
  readonly #deps: Pop3Deps
  #limits: Pop3Limits
  readonly #listener: Server
  /** Of load balancers, and of the clients behind them nothing is known yet. */
  readonly #unannounced = new Set<Socket>()
  /** Each with its end. */
  readonly #sessions = new Map<Session, Promise<void>>()
  /** Open sessions of each peer group. */
  readonly #sessionsOf = new Map<string, number>()
  #tlsContext: SecureContext | undefined
  #sessionCount = 0

  constructor(options: Pop3Options, deps: Pop3Deps) {
    this.#options = options
    this.#deps = deps
    this.#limits = { ...POP3_LIMITS, ...options.limits }
    if (options.tls !== undefined) this.setTls(options.tls)
    // Half-open: a client may send all its commands, close its side and then read the answers.
    this.#listener = createServer({ allowHalfOpen: true }, (socket) => this.#onConnection(socket))
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#listener.once('error', reject)
    this.#listener.listen(this.#options.port, this.#options.host, resolve)
    await promise
    this.#listener.off('error', reject)
    // The system has no descriptor left for one more connection; those that are open go on.
    this.#listener.on('error', (error) => this.#deps.events.failed(undefined, error))
  }

  get connections(): number {
    return this.#sessions.size
  }

  /** Where it listens, with the port that was picked. */
  get address(): { readonly host: string; readonly port: number } {
    const bound = this.#listener.address() as AddressInfo
    return { host: bound.address, port: bound.port }
  }

  /** Takes another certificate for the TLS sessions that begin from now on. Throws when it is none. */
  setTls(tls: Pop3Tls): void {
    this.#tlsContext = createSecureContext({ cert: tls.certificatePem, key: tls.keyPem, minVersion: 'TLSv1.2' })
  }

  /** For sessions that begin from now on. */
  setLimits(limits: Partial<Pop3Limits>): void {
    this.#limits = { ...POP3_LIMITS, ...limits }
  }

  /**
   * Accepts nobody any more and lets sessions end what they have begun: a message on its way, a QUIT. A session whose
   * client is silent is closed soon, and all are after the grace period; nothing is deleted by that.
   */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()))
    for (const socket of this.#unannounced) socket.destroy()
    for (const session of this.#sessions.keys()) session.stop()
    const timer = setTimeout(() => {
      for (const session of this.#sessions.keys()) session.cutOff()
    }, this.#limits.stopGraceMs)
    await Promise.all(this.#sessions.values())
    clearTimeout(timer)
    await closed
  }

  #onConnection(socket: Socket): void {
    const peerAddress = socket.remoteAddress
    if (peerAddress === undefined)
      socket.destroy() // gone before we looked
    else if (this.#options.sendsProxyHeader?.(peerAddress) === true) void this.#announce(socket, peerAddress)
    else this.#admit(socket, peerAddress)
  }

  async #announce(socket: Socket, balancer: string): Promise<void> {
    if (this.#unannounced.size >= this.#limits.connectionsMax) {
      socket.destroy()
      return
    }
    this.#unannounced.add(socket)
    const header = await takePreamble(socket, readProxyHeader)
    this.#unannounced.delete(socket)
    if (header.ok) this.#admit(socket, header.value?.address ?? balancer)
    else if (!header.error.silent) this.#deps.events.turnedAway(balancer, 'no-proxy-header')
  }

  #admit(socket: Socket, peerAddress: string): void {
    const peer = peerGroup(peerAddress)
    const ofPeer = this.#sessionsOf.get(peer) ?? 0
    if (this.#sessions.size >= this.#limits.connectionsMax) this.#turnAway(socket, peerAddress, 'connections-max')
    else if (ofPeer >= this.#limits.connectionsPerAddressMax)
      this.#turnAway(socket, peerAddress, 'connections-per-address-max')
    else if (!this.#deps.mayConnect(peerAddress)) this.#turnAway(socket, peerAddress, 'connections-per-minute')
    else {
      this.#sessionsOf.set(peer, ofPeer + 1)
      this.#begin(socket, peerAddress, peer)
    }
  }

  #begin(socket: Socket, peerAddress: string, peer: string): void {
    const connection = new Connection(socket, this.#limits.writeTimeoutMs)
    const session = new Session(
      connection,
      {
        id: `pop3-${++this.#sessionCount}`,
        peerAddress,
        // what a load balancer says of its client tells nothing of the line between it and us
        plainAllowed: this.#options.allowPlainOnLoopback && [peerAddress, socket.remoteAddress ?? ''].every(isLoopback),
        implicitTls: this.#options.implicitTls,
        tlsContext: () => this.#tlsContext,
      },
      this.#deps,
      this.#limits,
    )
    const done = session.run().finally(() => this.#forget(session, peer))
    this.#sessions.set(session, done)
  }

  #forget(session: Session, peer: string): void {
    this.#sessions.delete(session)
    const left = (this.#sessionsOf.get(peer) ?? 1) - 1
    if (left === 0) this.#sessionsOf.delete(peer)
    else this.#sessionsOf.set(peer, left)
  }

  #turnAway(socket: Socket, peerAddress: string, why: TurnedAway): void {
    this.#deps.events.turnedAway(peerAddress, why)
    socket.on('error', () => {}) // it is closed anyway
    if (this.#options.implicitTls) socket.destroy()
    else socket.end(printReply(negative('Too many connections', 'SYS/TEMP')), () => socket.destroy())
  }
}
