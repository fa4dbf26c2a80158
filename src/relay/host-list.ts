/** The hosts that take mail for one domain, and where each of them is, in the order to try (RFC 5321 §5.1). */
import type { Domain } from '../message/address.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import type { Credentials } from './connection.ts'
import type { HostAddresses, MxResolver } from './mx.ts'
import { routeOf, SMTP_PORT, type Routes } from './route.ts'

export interface HostList {
  readonly kind: 'hosts'
  /** Those of one preference together. */
  readonly names: readonly (readonly string[])[]
  readonly port: number
  /** By the operator, not by DNS. */
  readonly configured: boolean
  /** Signed DNS names them. */
  readonly secure: boolean
  readonly credentials?: Credentials
}

export interface HostListDeps {
  readonly routes: Routes
  readonly resolver: Pick<MxResolver, 'mailHosts' | 'addresses' | 'nextHopAddresses'>
  /** Sign-in at a configured next hop; rejects when it cannot be read. */
  readonly credentials?: (host: string) => Promise<Credentials | undefined>
  /** Port of hosts found by MX; other than 25 in tests only. */
  readonly mxPort?: number
}

/** Or why there are none. */
export async function hostsFor(
  domain: Domain,
  deps: HostListDeps,
): Promise<HostList | { readonly kind: 'failed' | 'deferred'; readonly reply: Reply }> {
  const route = routeOf(domain, deps.routes)
  switch (route.kind) {
    case 'host': {
      const { host, port } = route
      const credentials = await deps.credentials?.(host)
      const signIn = credentials === undefined ? {} : { credentials }
      return { kind: 'hosts', names: [[host]], port, configured: true, secure: false, ...signIn }
    }
    case 'mx': {
      const hosts = await deps.resolver.mailHosts(route.domain)
      return hosts.kind === 'hosts' ? { ...hosts, port: deps.mxPort ?? SMTP_PORT, configured: false } : hosts
    }
  }
}

/** Host by host. Where we are one of equals, none of them is asked, nor what is behind them (RFC 5321 §5.1). */
export async function* addressesOf(
  { names, configured }: HostList,
  { resolver }: HostListDeps,
): AsyncGenerator<readonly [host: string, found: HostAddresses]> {
  for (const equals of names) {
    const found = await Promise.all(
      equals.map((host) => (configured ? resolver.nextHopAddresses(host) : resolver.addresses(host))),
    )
    const ourselves = found.findIndex(({ kind }) => kind === 'ourselves')
    for (const [at, host] of equals.entries())
      if (ourselves < 0 || at === ourselves) yield [host, found[at] as HostAddresses]
    if (ourselves >= 0) return
  }
}
