/** The plain HTTP listener for those who watch the server: health, readiness, metrics. Reads only, tells no secret. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { HTTP_SERVER_OPTIONS, type HttpAt, type HttpListening, listenHttp, stopHttp } from '../base/http-server.ts'
import type { Finding } from './readiness.ts'

export interface ObserveDeps {
  findings(): Promise<readonly Finding[]>
  metrics(): Promise<string>
  failed(error: unknown): void
}

interface Page {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface ObserveListener extends HttpListening {
  stop(graceMs: number): Promise<void>
}

const TEXT = 'text/plain; charset=utf-8'
/** The version that every Prometheus reads. */
const METRICS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

export async function startObserving(at: HttpAt, deps: ObserveDeps): Promise<ObserveListener> {
  const server = createServer(
    HTTP_SERVER_OPTIONS,
    (request, response) => void answer(request, response, deps).catch((error: unknown) => deps.failed(error)),
  )
  const listening = await listenHttp(server, at, (error) => deps.failed(error))
  return { ...listening, stop: (graceMs) => stopHttp(server, graceMs) }
}

async function answer(request: IncomingMessage, response: ServerResponse, deps: ObserveDeps): Promise<void> {
  response.on('error', () => undefined) // the client is gone
  const { method = '', url = '' } = request
  const reads = method === 'GET' || method === 'HEAD'
  try {
    const page = reads ? await pageAt(url.split('?', 1)[0] ?? '', deps) : notAllowed
    response.writeHead(page.status, {
      'content-type': page.type,
      'content-length': Buffer.byteLength(page.body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(!reads && { allow: 'GET, HEAD' }),
      // who looks again on a connection that closes just then would take the server for dead; nor is a body read
      connection: 'close',
    })
    response.end(method === 'HEAD' ? undefined : page.body)
  } catch (error) {
    response.writeHead(500, { 'content-length': 0, connection: 'close' }).end()
    throw error
  }
}

const notAllowed: Page = { status: 405, type: TEXT, body: 'only GET and HEAD\n' }

async function pageAt(path: string, deps: ObserveDeps): Promise<Page> {
  switch (path) {
    case '/healthz': // that it is answered is what it says
      return { status: 200, type: TEXT, body: 'ok\n' }
    case '/readyz': {
      const findings = await deps.findings()
      const ready = findings.every(({ ok }) => ok)
      const lines = [{ ready }, ...findings].map((line) => `${JSON.stringify(line)}\n`)
      return { status: ready ? 200 : 503, type: 'application/x-ndjson', body: lines.join('') }
    }
    case '/metrics':
      return { status: 200, type: METRICS_TEXT, body: await deps.metrics() }
    default:
      return { status: 404, type: TEXT, body: 'there are /healthz, /readyz and /metrics\n' }
  }
}
