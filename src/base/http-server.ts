/** What our HTTP servers have in common: small requests, few connections, a start that fails loudly, an end that waits for answers. */
import type { AddressInfo, Server, Socket } from 'node:net'
import { peerGroup } from './peer-address.ts'

const HEADER_MAX_BYTES = 8 * 1024
/** For all of a request's header. */
const HEADER_TIMEOUT_MS = 10_000
/** For a whole request; and a connection on which nothing moves, an answer that nobody takes included. */
const IDLE_TIMEOUT_MS = 15_000
const KEEP_ALIVE_MS = 5_000
const REQUESTS_PER_CONNECTION_MAX = 100

/** Options of `createServer`, of node:http as of node:https. */
export const HTTP_SERVER_OPTIONS = {
  maxHeaderSize: HEADER_MAX_BYTES,
  headersTimeout: HEADER_TIMEOUT_MS,
  requestTimeout: IDLE_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 1_000,
} as const

export interface HttpAt {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
}

/** The servers of node:http and node:https alike. */
export interface AnyHttpServer extends Server {
  maxRequestsPerSocket: number | null
  timeout: number
  closeIdleConnections(): void
  closeAllConnections(): void
}

export interface HttpListening {
  readonly address: { readonly host: string; readonly port: number }
  /** Open now. */
  connections(): number
}

/** Listens, within limits. Rejects when the address cannot be used; errors after that go to `failed`. */
export async function listenHttp(
  server: AnyHttpServer,
  at: HttpAt,
  failed: (error: unknown) => void,
): Promise<HttpListening> {
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX
  server.timeout = IDLE_TIMEOUT_MS
  const connections = limitConnections(server, at)
  server.on('clientError', (_error, socket: Socket) => socket.destroy())
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(at.port, at.host, resolve)
  await promise
  server.off('error', reject)
  server.on('error', failed)
  const { address, port } = server.address() as AddressInfo
  return { address: { host: address, port }, connections }
}

/** Answers what was asked already; who then still holds on is let go. */
export async function stopHttp(server: AnyHttpServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(timer)
}

/** As the limits are when a client connects. Returns how many there are. */
function limitConnections(server: Server, limits: HttpAt): () => number {
  server.maxConnections = limits.connectionsMax
  const open = new Map<string, number>()
  let all = 0
  server.on('connection', (socket: Socket) => {
    const peer = peerGroup(socket.remoteAddress ?? '')
    const count = (open.get(peer) ?? 0) + 1
    server.maxConnections = limits.connectionsMax
    if (count > limits.connectionsPerPeerMax) {
      socket.destroy()
      return
    }
    open.set(peer, count)
    all++
    socket.once('close', () => {
      all--
      const left = (open.get(peer) ?? 1) - 1
      if (left === 0) open.delete(peer)
      else open.set(peer, left)
    })
  })
  return () => all
}
