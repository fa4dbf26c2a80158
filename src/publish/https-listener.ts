/** The HTTPS server in front of what we publish; the door of node:https as a server. Small requests, small answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Server, createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { peerGroup } from '../base/peer-address.ts'
import type { Answer, Asked } from './directory.ts'
import { RequestMeter } from './request-meter.ts'

const HEADER_MAX_BYTES = 8 * 1024
const HANDSHAKE_TIMEOUT_MS = 10_000
/** For all of a request's header. */
const HEADER_TIMEOUT_MS = 10_000
/** For a whole request; and a connection on which nothing moves, an answer that nobody takes included. */
const IDLE_TIMEOUT_MS = 15_000
const KEEP_ALIVE_MS = 5_000
const REQUESTS_PER_CONNECTION_MAX = 100

export interface HttpsTls {
  readonly cert: string
  readonly key: string
}

export interface HttpsOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly tls: HttpsTls
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
  readonly stopGraceMs: number
}

export interface HttpsDeps {
  answer(asked: Asked): Promise<Answer>
  nowMs(): number
  answered(facts: { readonly peerAddress: string; readonly status: number; readonly address?: string }): void
  failed(error: unknown): void
}

export interface HttpsListener {
  readonly address: { readonly host: string; readonly port: number }
  /** For connections from now on. Throws when it is no certificate with its key. */
  setTls(tls: HttpsTls): void
  stop(): Promise<void>
}

export async function startHttps(options: HttpsOptions, deps: HttpsDeps): Promise<HttpsListener> {
  const meter = new RequestMeter(() => deps.nowMs())
  const server = createServer(
    {
      ...options.tls,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxHeaderSize: HEADER_MAX_BYTES,
      headersTimeout: HEADER_TIMEOUT_MS,
      requestTimeout: IDLE_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void serve(request, response, meter, deps).catch((error: unknown) => deps.failed(error)),
  )
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX
  server.timeout = IDLE_TIMEOUT_MS
  limitConnections(server, options)
  server.on('clientError', (_error, socket) => socket.destroy())
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  await listen(server, options)
  server.on('error', (error) => deps.failed(error))
  const { address, port } = server.address() as AddressInfo
  return {
    address: { host: address, port },
    setTls(tls) {
      createSecureContext(tls) // the server would forget the old ones first
      server.setSecureContext(tls)
    },
    stop: () => stop(server, options.stopGraceMs),
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  meter: RequestMeter,
  deps: HttpsDeps,
): Promise<void> {
  const peerAddress = request.socket.remoteAddress ?? ''
  response.on('error', () => undefined) // the client is gone
  if (!meter.admit(peerGroup(peerAddress))) {
    response.writeHead(429, { 'retry-after': '60', 'content-length': 0, connection: 'close' }).end()
    return deps.answered({ peerAddress, status: 429 })
  }
  const { method = '', url: target = '', headers } = request
  const asked = { method, target, host: headers.host ?? '', accept: headers.accept ?? '*/*' }
  try {
    const { status, headers: fields, body, address } = await deps.answer(asked)
    const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
    // a body that nobody asked for is not read
    const close = hasBody ? { connection: 'close' } : {}
    response.writeHead(status, { ...fields, ...close, 'content-length': body.length })
    response.end(method === 'HEAD' ? undefined : body)
    deps.answered({ peerAddress, status, ...(address !== undefined && { address }) })
  } catch (error) {
    response.writeHead(500, { 'content-length': 0, connection: 'close' }).end()
    throw error
  }
}

/** As the options are when a client connects. */
function limitConnections(server: Server, options: HttpsOptions): void {
  server.maxConnections = options.connectionsMax
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const peer = peerGroup(socket.remoteAddress ?? '')
    const count = (open.get(peer) ?? 0) + 1
    server.maxConnections = options.connectionsMax
    if (count > options.connectionsPerPeerMax) {
      socket.destroy()
      return
    }
    open.set(peer, count)
    socket.once('close', () => {
      const left = (open.get(peer) ?? 1) - 1
      if (left === 0) open.delete(peer)
      else open.set(peer, left)
    })
  })
}

async function listen(server: Server, { port, host }: HttpsOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  await promise
  server.off('error', reject)
}

/** Answers what was asked already; who then still holds on is let go. */
async function stop(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(timer)
}
