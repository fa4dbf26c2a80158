/** One request to an S3-compatible store, and its answer; the door of aws4fetch, which signs it. */
import { AwsV4Signer } from 'aws4fetch'
import { createHash } from 'node:crypto'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Readable } from 'node:stream'

/** Connections of one node; who comes when all are in use waits. */
const CONNECTIONS_MAX = 32
/** The other side may have closed one that was idle for longer. */
const IDLE_CONNECTION_MS = 4_000
/** Of one request with all that it carries. */
const REQUEST_MAX_MS = 120_000
/** What is asked for is smaller. */
export const ANSWER_MAX_BYTES = 4 * 2 ** 20
const NOTHING_SHA256 = createHash('sha256').digest('hex')

export interface BucketSettings {
  /** `https://s3.example.org` */
  readonly endpoint: string
  readonly region: string
  readonly name: string
  /** What the key of each object begins with. */
  readonly prefix: string
  /** The bucket stands in the path, not in the host name. */
  readonly pathStyle: boolean
  readonly accessKeyId: string
  readonly secretKey: string
  /** PEM of the authorities that may vouch for the endpoint; those of Node when missing. */
  readonly ca?: string | undefined
  /** Without a byte in either direction the connection counts as lost. */
  readonly silenceMaxMs: number
}

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Missing: of the bucket itself. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly range?: { readonly from: number; readonly lengthBytes: number }
  readonly body?: S3Body
}

/** Can be sent again. */
export interface S3Body {
  readonly lengthBytes: number
  /** In hex: the store takes nothing else than what we meant. */
  readonly sha256: string
  open(): Readable
}

export interface S3Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly bytes: Uint8Array
}

export class S3Connections {
  readonly #settings: BucketSettings
  readonly #agent: HttpAgent | HttpsAgent
  /** Keys for signing, each good for a day. */
  readonly #signingKeys = new Map<string, ArrayBuffer>()

  constructor(settings: BucketSettings) {
    this.#settings = settings
    const how = { keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: IDLE_CONNECTION_MS }
    this.#agent = isTls(settings) ? new HttpsAgent({ ...how, ca: settings.ca }) : new HttpAgent(how)
  }

  /** Rejects when there is no whole answer. */
  async send(wanted: S3Request): Promise<S3Answer> {
    const { url, headers } = await this.#signed(wanted)
    const response = await this.#open(url, headers, wanted)
    const bytes = await wholeOf(response)
    return { status: response.statusCode ?? 0, headers: response.headers, bytes }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #signed({ method, key, query = {}, body, range }: S3Request): Promise<SignedRequest> {
    const { accessKeyId, secretKey: secretAccessKey, region } = this.#settings
    const url = urlOf(this.#settings, key)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: { 'X-Amz-Content-Sha256': body?.sha256 ?? NOTHING_SHA256 },
      accessKeyId,
      secretAccessKey,
      region,
      service: 's3',
      cache: this.#signingKeys,
    })
    const signed = await signer.sign()
    const more: Record<string, string> = {}
    if (method === 'PUT' || method === 'POST') more['content-length'] = String(body?.lengthBytes ?? 0)
    if (range !== undefined) more['range'] = `bytes=${range.from}-${range.from + range.lengthBytes - 1}`
    return { url: signed.url, headers: { ...Object.fromEntries(signed.headers), ...more } }
  }

  #open(url: URL, headers: SignedRequest['headers'], { method, body }: S3Request): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const signal = AbortSignal.timeout(REQUEST_MAX_MS)
    const options = { method, headers, agent: this.#agent, signal }
    const request = (isTls(this.#settings) ? requestHttps : requestHttp)(url, options, resolve)
    const { silenceMaxMs } = this.#settings
    request.setTimeout(silenceMaxMs, () => request.destroy(new Error(`nothing was heard for ${silenceMaxMs / 1000} s`)))
    request.on('error', (error) => reject(signal.aborted ? new Error('it took too long') : error))
    const stream = body?.open()
    if (stream === undefined) {
      request.end()
      return promise
    }
    stream.on('error', (error) => request.destroy(error))
    request.on('close', () => stream.destroy())
    stream.pipe(request)
    return promise
  }
}

interface SignedRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

const isTls = ({ endpoint }: BucketSettings): boolean => endpoint.startsWith('https:')

/** Of the bucket itself without a key. */
export function urlOf(
  { endpoint, name, pathStyle }: Pick<BucketSettings, 'endpoint' | 'name' | 'pathStyle'>,
  key = '',
): URL {
  const url = new URL(endpoint)
  if (!pathStyle) url.hostname = `${name}.${url.hostname}`
  url.pathname = pathStyle ? `/${name}${key === '' ? '' : `/${key}`}` : `/${key}`
  return url
}

/** Leaving the loop ends the connection. */
async function wholeOf(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let lengthBytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    lengthBytes += chunk.length
    if (lengthBytes > ANSWER_MAX_BYTES) throw new Error(`the answer is larger than ${ANSWER_MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
