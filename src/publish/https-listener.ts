/** The HTTPS server in front of what we publish; the door of node:https as a server. Small requests, small answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import { HTTP_SERVER_OPTIONS, type HttpAt, type HttpListening, listenHttp, stopHttp } from '../base/http-server.ts'
import { peerGroup } from '../base/peer-address.ts'
import type { Answer, Asked } from './directory.ts'
import { RequestMeter } from './request-meter.ts'

const HANDSHAKE_TIMEOUT_MS = 10_000

export interface HttpsTls {
  readonly cert: string
  readonly key: string
}

export interface HttpsOptions extends HttpAt {
  readonly tls: HttpsTls
  readonly stopGraceMs: number
}

export interface HttpsDeps {
  answer(asked: Asked): Promise<Answer>
  nowMs(): number
  answered(facts: { readonly peerAddress: string; readonly status: number; readonly address?: string }): void
  failed(error: unknown): void
}

export interface HttpsListener extends HttpListening {
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
      ...HTTP_SERVER_OPTIONS,
    },
    (request, response) => void serve(request, response, meter, deps).catch((error: unknown) => deps.failed(error)),
  )
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const listening = await listenHttp(server, options, (error) => deps.failed(error))
  return {
    ...listening,
    setTls(tls) {
      createSecureContext(tls) // the server would forget the old ones first
      server.setSecureContext(tls)
    },
    stop: () => stopHttp(server, options.stopGraceMs),
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
