/** Which hosts take mail for a domain: MX look-up (RFC 5321 §5.1). The only DNS of the relay. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { DnsAnswer, DnsAsk, DnsRecords, TlsaRecord } from '../base/dns-client.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { isSocketPath } from './connect-socket.ts'

export type MxRecord = DnsRecords['MX']

/** Hosts in the order to try, those of one preference together, or why there are none. `secure`: signed DNS says so (RFC 7672 §2.2.1). */
export type MailHosts =
  | { readonly kind: 'hosts'; readonly names: readonly (readonly string[])[]; readonly secure: boolean }
  | { readonly kind: 'failed' | 'deferred'; readonly reply: Reply }

export type HostAddresses =
  | ({ readonly kind: 'addresses'; readonly addresses: readonly string[] } & HowFound)
  | { readonly kind: 'failed' | 'deferred' | 'ourselves'; readonly reply: Reply }

/** How the addresses of a host were found. */
export interface HowFound {
  /** Signed DNS says so, from the host's name to its addresses. */
  readonly secure: boolean
  /** The name that CNAME records led to. */
  readonly aliasOf?: string
}

/** TLSA records, and the name of the host that has them: its certificate may bear that one (RFC 7672 §2.2.2). */
export type TlsaOfHost = DnsAnswer<TlsaRecord> & { readonly base?: string }

export interface MxOptions {
  /** Our own names: an MX list that holds one of them is cut there (RFC 5321 §5.1). */
  readonly ownNames: readonly string[]
  /** Do we take mail at this address? Then it is cut there too. */
  readonly isOwnAddress: (address: string) => boolean
  readonly ask: DnsAsk
  /** Names of configured next hops may stand in the system's hosts file. */
  readonly hostsFile: boolean
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Addresses on this host and link are no place for a stranger's MX to point to; tests use them. */
  readonly allowLocalAddresses: boolean
}

/** An MX list longer than this is cut. */
export const MX_HOSTS_MAX = 10
/** Addresses of one host that are tried, IPv6 and IPv4 in turn (RFC 5321 §5.1 asks for two at least). */
export const HOST_ADDRESSES_MAX = 4

export class MxResolver {
  readonly #options: MxOptions

  constructor(options: MxOptions) {
    this.#options = options
  }

  /** Mail hosts of a domain name; the domain itself when it has no MX record (RFC 5321 §5.1). */
  async mailHosts(domain: string): Promise<MailHosts> {
    const answer = await this.#options.ask(domain, 'MX')
    switch (answer.kind) {
      case 'records':
        return mailHostsOf(domain, answer, this.#options)
      case 'none':
        return { kind: 'hosts', names: [[domain]], secure: answer.secure }
      case 'no-domain':
        return { kind: 'failed', reply: reply(550, '5.1.2', `There is no domain ${domain}`) }
      case 'trouble':
        return { kind: 'deferred', reply: reply(451, '4.4.3', `DNS does not answer for ${domain}: ${answer.why}`) }
    }
  }

  /** Addresses of a host, IPv6 and IPv4 in turn. An IP address, which some write into MX records, is its own. */
  async addresses(host: string): Promise<HostAddresses> {
    const { found, trouble, ...how } = isIP(host) === 0 ? await this.#fromDns(host) : literal(host)
    const usable = found.filter((address) => this.#options.allowLocalAddresses || !isLocalAddress(address))
    if (usable.some(this.#options.isOwnAddress)) return { kind: 'ourselves', reply: loopsBack(host) }
    if (usable.length > 0) return { kind: 'addresses', addresses: usable.slice(0, HOST_ADDRESSES_MAX), ...how }
    if (trouble !== undefined)
      return { kind: 'deferred', reply: reply(451, '4.4.3', `DNS does not answer for ${host}: ${trouble}`) }
    const why = found.length > 0 ? 'has only addresses that mean "this host"' : 'has no address'
    return { kind: 'failed', reply: reply(550, '5.4.4', `Mail host ${host} ${why}`) }
  }

  /**
   * Addresses of a configured next hop, which may well be on this machine, and without a resolver of our own in its hosts
   * file, or a UNIX socket here. What does not resolve is put off: the operator will notice, and nothing is lost.
   */
  async nextHopAddresses(host: string): Promise<HostAddresses> {
    if (isIP(host) !== 0 || isSocketPath(host)) return { kind: 'addresses', addresses: [host], secure: false }
    const { hostsFile } = this.#options
    const {
      found,
      trouble: _,
      ...how
    } = hostsFile || !host.includes('.') ? await this.#fromSystem(host) : await this.#fromDns(host)
    if (found.length > 0) return { kind: 'addresses', addresses: found.slice(0, HOST_ADDRESSES_MAX), ...how }
    return { kind: 'deferred', reply: reply(451, '4.4.4', `The configured next hop ${host} has no address`) }
  }

  async #fromDns(host: string): Promise<Found> {
    const { ask } = this.#options
    const [v6, v4] = await Promise.all([ask(host, 'AAAA'), ask(host, 'A')])
    const trouble = [v6, v4].find((answer) => answer.kind === 'trouble')
    const alias = [v6, v4].find((answer) => answer.kind !== 'trouble' && answer.aliasOf !== undefined)
    return {
      found: interleave(v6.kind === 'records' ? v6.records : [], v4.kind === 'records' ? v4.records : []),
      secure: [v6, v4].every((answer) => answer.kind !== 'trouble' && answer.secure),
      ...(alias?.kind !== 'trouble' && alias?.aliasOf !== undefined && { aliasOf: alias.aliasOf }),
      ...(trouble !== undefined && { trouble: trouble.why }),
    }
  }

  async #fromSystem(host: string): Promise<Found> {
    const all = await lookup(host, { all: true }).catch(() => [])
    return { found: all.map((one) => one.address), secure: false }
  }

  /**
   * What signed DNS says of the host's certificate (RFC 7672 §2.2.3): under the name that signed aliases lead to, else under its
   * own. Where only the first alias is signed, and not what it leads to, its own name alone counts (§2.2.2).
   */
  async tlsaRecords(host: string, port: number, { secure, aliasOf }: HowFound): Promise<TlsaOfHost> {
    const { ask } = this.#options
    const bases = aliasOf !== undefined && secure ? [aliasOf, host] : [host]
    if (!secure) {
      const alias = aliasOf === undefined ? undefined : await ask(host, 'CNAME')
      if (alias?.kind === 'trouble') return alias
      if (alias?.kind !== 'records' || !alias.secure) return { kind: 'none', secure: false }
    }
    for (const base of bases) {
      const answer = await ask(`_${port}._tcp.${base}`, 'TLSA')
      // an answer that cannot be had must not lead on to another name (§2.2)
      if (answer.kind === 'trouble') return answer
      if (answer.kind === 'records' && answer.secure) return { ...answer, base }
    }
    return { kind: 'none', secure: false }
  }
}

/** An address that stands where a name should be. */
const literal = (address: string): Found => ({ found: [address], secure: false })

interface Found extends HowFound {
  readonly found: readonly string[]
  /** Why there may be more. */
  readonly trouble?: string
}

/** From MX records to hosts in order: equals shuffled, ourselves and what is behind us dropped (RFC 5321 §5.1). Pure. */
export function mailHostsOf(
  domain: string,
  { records, secure }: { readonly records: readonly MxRecord[]; readonly secure: boolean },
  options: Pick<MxOptions, 'ownNames' | 'random'>,
): MailHosts {
  // RFC 7505 §3: one record, the root as exchange
  if (records.every((mx) => mx.exchange === ''))
    return { kind: 'failed', reply: reply(556, '5.1.10', `The domain ${domain} takes no mail (null MX)`) }
  const ordered = records
    .filter((mx) => mx.exchange !== '')
    .map((mx) => ({ ...mx, tie: options.random() }))
    .toSorted((a, b) => a.preference - b.preference || a.tie - b.tie)
  const own = ordered.find((mx) => options.ownNames.includes(mx.exchange))
  const before = own === undefined ? ordered : ordered.filter((mx) => mx.preference < own.preference)
  if (before.length === 0) return { kind: 'failed', reply: loopsBack(domain) }
  const once = before.filter((mx, at) => before.findIndex(({ exchange }) => exchange === mx.exchange) === at)
  const names = [...Map.groupBy(once.slice(0, MX_HOSTS_MAX), ({ preference }) => preference).values()]
  return { kind: 'hosts', names: names.map((equals) => equals.map((mx) => mx.exchange)), secure }
}

const loopsBack = (where: string): Reply => reply(554, '5.4.6', `Mail for ${where} would loop back to this host`)

/** Loopback, unspecified, link-local, multicast: never where a mail host of the Internet lives. */
export function isLocalAddress(address: string): boolean {
  return LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

const LOCAL = new BlockList()
LOCAL.addSubnet('0.0.0.0', 8, 'ipv4')
LOCAL.addSubnet('127.0.0.0', 8, 'ipv4')
LOCAL.addSubnet('169.254.0.0', 16, 'ipv4')
LOCAL.addSubnet('224.0.0.0', 3, 'ipv4')
LOCAL.addSubnet('::', 127, 'ipv6')
LOCAL.addSubnet('fe80::', 10, 'ipv6')
LOCAL.addSubnet('ff00::', 8, 'ipv6')

function interleave(a: readonly string[], b: readonly string[]): string[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]])
    .flat()
    .filter((address) => address !== undefined)
}
