/** Where mail for a domain goes first: a configured next hop, an address literal, or what DNS says. Pure. */
import { isIP } from 'node:net'
import type { Domain } from '../message/address.ts'
import { fail, ok, type Result } from '../base/result.ts'
import { isSocketPath } from './connect-socket.ts'

export interface NextHop {
  /** Host name or IP address (IPv6 without brackets). */
  readonly host: string
  readonly port: number
}

export type Route = ({ readonly kind: 'host' } & NextHop) | { readonly kind: 'mx'; readonly domain: Domain }

/** `relay.routes`: domain, or '*' for every domain without a row of its own (a smarthost) → next hop. */
export type Routes = ReadonlyMap<string, NextHop>

export const SMTP_PORT = 25

/** Which way mail for `domain` takes. */
export function routeOf(domain: Domain, routes: Routes): Route {
  const configured = routes.get(domain) ?? routes.get('*')
  if (configured !== undefined) return { kind: 'host', ...configured }
  const literal = addressLiteral(domain)
  return literal === undefined ? { kind: 'mx', domain } : { kind: 'host', host: literal, port: SMTP_PORT }
}

/** Reads `relay.routes` of the configuration; the error names the row and what to write. */
export function parseRoutes(rows: Readonly<Record<string, string>>): Result<Routes> {
  const routes = new Map<string, NextHop>()
  for (const [domain, text] of Object.entries(rows)) {
    const hop = parseNextHop(text)
    if (hop === undefined) return fail(`relay.routes: "${text}" for ${domain} is not host:port`)
    routes.set(domain.toLowerCase(), hop)
  }
  return ok(routes)
}

/** `host:port`, `host`, `[v6]:port`, `[v6]`; without a port, 25. */
export function parseNextHop(text: string): NextHop | undefined {
  const found = NEXT_HOP.exec(text)
  if (found === null) return undefined
  const host = found[1] ?? found[2] ?? ''
  const port = found[3] === undefined ? SMTP_PORT : Number(found[3])
  if (port < 1 || port > 65_535) return undefined
  if (found[1] !== undefined && isIP(host) !== 6) return undefined
  return { host: host.toLowerCase(), port }
}

/** The mail store behind us. */
export interface MailStore {
  readonly protocol: 'lmtp' | 'smtp'
  /** Port 0 is a UNIX socket, whose path is the host. */
  readonly hop: NextHop
  /** What is sent there stays on this machine, or on a network that nobody else can listen to. */
  readonly mayBeRead: boolean
}

/** The one that `mailboxes` of the configuration names, if any. */
export function mailStoreIn(mailboxes: {
  readonly lmtp: string | null
  readonly lmtpInClear: boolean
  readonly smtp: string | null
  readonly smtpInClear: boolean
}): MailStore | undefined {
  const protocol = mailboxes.lmtp === null ? 'smtp' : 'lmtp'
  const text = mailboxes[protocol]
  if (text === null) return undefined
  const hop = isSocketPath(text) ? { host: text, port: 0 } : parseNextHop(text)
  if (hop === undefined) throw new TypeError(`the schema let a wrong mail store through: ${text}`)
  return { protocol, hop, mayBeRead: mailboxes[`${protocol}InClear`] || isThisMachine(hop.host) }
}

/** Whether what is sent to `host` stays on this machine. */
const isThisMachine = (host: string): boolean =>
  isSocketPath(host) || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** The address of a domain literal (RFC 5321 §4.1.3), or `undefined` when `domain` is a name. */
function addressLiteral(domain: Domain): string | undefined {
  if (!domain.startsWith('[') || !domain.endsWith(']')) return undefined
  const inner = domain.slice(1, -1)
  const address = /^ipv6:/i.test(inner) ? inner.slice(5) : inner
  return isIP(address) === 0 ? undefined : address
}

const NEXT_HOP = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?$/
