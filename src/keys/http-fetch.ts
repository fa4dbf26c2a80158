/**
 * The one place that speaks HTTP as a client: fetches what certificates point to, and keys of correspondents. Whoever can
 * get a certificate issued or be written to chooses the address, so everything is bounded, and nothing that is not on the
 * Internet at large is reached.
 */
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type BlockList, isIP } from 'node:net'
import { concatBytes } from '../base/bytes.ts'
import { foreignText } from '../base/limits.ts'
import { type Result, fail, ok } from '../base/result.ts'
import { type LookUpHost, createLookUp } from './host-names.ts'
import { isPublicAddress, isWithin } from './public-address.ts'

/** One fetch, with all its redirects. */
export const FETCH_TIMEOUT_MS = 10_000
export const REDIRECTS_MAX = 3
const HEADER_MAX_BYTES = 16 * 1024
/** Elsewhere than on these ports there may be anything; hosts that are allowed by name of their network may use others. */
const PORTS: ReadonlySet<string> = new Set(['', '80', '443'])

export interface FetchRequest {
  readonly url: string
  /** Sent by POST; a GET without. */
  readonly body?: { readonly type: string; readonly bytes: Uint8Array }
  readonly sizeMaxBytes: number
  /** Nothing is asked, nor followed, without TLS to a host whose certificate is verified. */
  readonly httpsOnly?: boolean
  /** That there is nothing (404, 410) is an answer too: no bytes. */
  readonly emptyWhenAbsent?: boolean
  /** Missing: as many as anybody may need. */
  readonly redirectsMax?: number
}

/** The whole body of a 200, to a POST of any 2xx; or one sentence why there is none. Never rejects. */
export type Fetch = (request: FetchRequest, signal: AbortSignal) => Promise<Result<Uint8Array>>

export interface FetchOptions {
  /** Networks that may be reached although they are not public. */
  readonly allowed: BlockList
  /** `dns.resolver`; the system's when missing. */
  readonly resolver?: string
  /** How hosts are looked up, in place of that. */
  readonly lookUp?: LookUpHost
}

export function createFetch(options: FetchOptions): Fetch {
  const resolve = options.lookUp ?? createLookUp(options.resolver)
  const mayReach = (address: string): boolean => isPublicAddress(address) || isWithin(options.allowed, address)
  return async (wanted, signal) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)])
    try {
      return await follow(wanted, { resolve, mayReach, allowed: options.allowed, signal: limited })
    } catch (error) {
      return fail(
        limited.aborted ? 'it took too long' : foreignText(error instanceof Error ? error.message : String(error)),
      )
    }
  }
}

interface Reach {
  readonly resolve: LookUpHost
  mayReach(address: string): boolean
  readonly allowed: BlockList
  readonly signal: AbortSignal
}

async function follow(wanted: FetchRequest, reach: Reach): Promise<Result<Uint8Array>> {
  let url = URL.parse(wanted.url)
  const { redirectsMax = REDIRECTS_MAX } = wanted
  for (let hop = 0; hop <= redirectsMax; hop++) {
    const refusal = await refusalOf(url, wanted, reach)
    if (url === null || refusal !== undefined) return fail(refusal ?? 'it is no URL')
    const response = await send(url, wanted, reach)
    const status = response.statusCode ?? 0
    const isTaken = wanted.body !== undefined && status >= 200 && status <= 299
    if (status === 200 || isTaken) return readBody(response, wanted.sizeMaxBytes)
    response.destroy()
    if (wanted.emptyWhenAbsent === true && (status === 404 || status === 410)) return ok(new Uint8Array(0))
    const again = status === 307 || status === 308 || (wanted.body === undefined && status >= 301 && status <= 303)
    if (!again || response.headers.location === undefined) return fail(`the server answered ${status}`)
    url = URL.parse(response.headers.location, url)
  }
  return fail(redirectsMax === 0 ? 'it is elsewhere now' : `it was sent on more than ${redirectsMax} times`)
}

/** Before anything is sent; the addresses are looked at once more when the connection is made. */
async function refusalOf(
  url: URL | null,
  { httpsOnly }: FetchRequest,
  { resolve, mayReach, allowed }: Reach,
): Promise<string | undefined> {
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return 'it is no http URL'
  if (httpsOnly === true && url.protocol === 'http:') return 'it is not protected by TLS'
  if (url.username !== '' || url.password !== '') return 'the URL has a name or a password in it'
  const host = hostOf(url)
  const addresses = isIP(host) === 0 ? (await resolve(host)).map(({ address }) => address) : [host]
  if (addresses.length === 0) return `${host} has no address`
  if (!addresses.some(mayReach)) return `${host} is not on the public Internet`
  const isOurs = addresses.every((address) => isWithin(allowed, address))
  return PORTS.has(url.port) || isOurs ? undefined : `port ${url.port} is not one of the Web`
}

/** Without the brackets of an IPv6 address. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1')

function send(url: URL, { body }: FetchRequest, { resolve, mayReach, signal }: Reach): Promise<IncomingMessage> {
  const options: RequestOptions = {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'user-agent': 'sealpost',
      accept: '*/*',
      ...(body === undefined ? {} : { 'content-type': body.type, 'content-length': body.bytes.length }),
    },
    agent: false,
    maxHeaderSize: HEADER_MAX_BYTES,
    signal,
    // What is connected to is exactly what this says: a name that resolves otherwise the second time gains nothing.
    lookup: (host, { all }, done) => {
      resolve(host).then(
        (found) => {
          const usable = found.filter(({ address }) => mayReach(address))
          const [first] = usable
          if (first === undefined) done(new Error(`${host} is not on the public Internet`), '')
          else if (all === true) done(null, [...usable])
          else done(null, first.address, first.family)
        },
        (error: unknown) => done(error as Error, ''),
      )
    },
  }
  return new Promise((resolved, rejected) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, resolved)
    request.on('error', rejected)
    request.end(body?.bytes)
  })
}

async function readBody(response: IncomingMessage, sizeMaxBytes: number): Promise<Result<Uint8Array>> {
  const tooLarge = fail(`it is larger than ${sizeMaxBytes} bytes`)
  if (Number(response.headers['content-length'] ?? 0) > sizeMaxBytes) {
    response.destroy()
    return tooLarge
  }
  const chunks: Uint8Array[] = []
  let lengthBytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    lengthBytes += chunk.length
    if (lengthBytes > sizeMaxBytes) return tooLarge // leaving the loop ends the connection
    chunks.push(chunk)
  }
  return ok(concatBytes(chunks))
}
