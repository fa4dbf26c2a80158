/** Takes one message to the next hop of one domain: route, hosts in order, TLS, session, transaction, verdicts. */
import { hex } from '../base/bytes.ts'
import type { TlsaRecord } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import type { ContentSource, OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import type { ForwardPath } from '../protocol/smtp-envelope.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { openConnection, type Credentials, type Opened, type RelayConnection } from './connection.ts'
import type { MailHosts, MxResolver } from './mx.ts'
import { namesHost, type StsPolicy } from './mta-sts.ts'
import { ConnectionPool, POOL_LIMITS, type PoolLimits } from './pool.ts'
import { isTooManyRecipients, outcomeOf } from './remote-reply.ts'
import { routeOf, SMTP_PORT, type NextHop, type Routes } from './route.ts'
import { RELAY_TIMEOUTS, type RelayTimeouts } from './timeouts.ts'
import { tlsVerdict, type HopTls, type TlsFactsOfHost, type TlsVerdict } from './tls-policy.ts'

export interface RelayDeps {
  /** Our name in EHLO (RFC 5321 §4.1.1.1). */
  readonly helo: string
  readonly routes: Routes
  readonly resolver: Pick<MxResolver, 'mailHosts' | 'addresses' | 'nextHopAddresses' | 'tlsaRecords'>
  /** Asked once per message. */
  readonly hopTls: (domain: string) => HopTls
  /** The policy that the domain has published, if any (RFC 8461). */
  readonly stsPolicy: (domain: string) => Promise<StsPolicy | undefined>
  /** Sign-in at a configured next hop; rejects when it cannot be read. */
  readonly credentials?: (host: string) => Promise<Credentials | undefined>
  /** A readable message may go on in the clear after a failed handshake (docs/decisions/0010-relay-tls.md). */
  readonly clearAllowed: boolean
  readonly anchorsPem?: readonly string[]
  /** Port of hosts found by MX; other than 25 in tests only. */
  readonly mxPort?: number
  readonly timeouts?: RelayTimeouts
  readonly poolLimits?: PoolLimits
  readonly events: RelayEvents
}

export interface RelayEvents {
  sessionOpened(session: {
    readonly host: string
    readonly address: string
    readonly tls: RelayConnection['tls']
  }): void
  hostFailed(host: {
    readonly host: string
    readonly address: string
    readonly stage: string
    readonly reply: Reply
  }): void
}

/** Recipients in one transaction: what every server must take (RFC 5321 §4.5.3.1.8). */
export const RECIPIENTS_PER_TRANSACTION_MAX = 100
/** Addresses of all hosts of a domain that one attempt tries. */
export const ADDRESSES_TRIED_MAX = 8

export class Relay {
  readonly #deps: RelayDeps
  readonly #timeouts: RelayTimeouts
  readonly #pool: ConnectionPool
  readonly #busy = new Set<RelayConnection>()

  constructor(deps: RelayDeps) {
    this.#deps = deps
    this.#timeouts = deps.timeouts ?? RELAY_TIMEOUTS
    this.#pool = new ConnectionPool(deps.poolLimits ?? POOL_LIMITS)
  }

  /**
   * One attempt for all recipients of `mail`; answers for each of them once. Nothing a peer or DNS does makes it throw;
   * it throws what reading `content` throws.
   */
  async deliver(mail: OutgoingMail, content: ContentSource): Promise<readonly RecipientResult[]> {
    const hosts = await this.#hosts(mail)
    if (hosts.kind !== 'hosts') return allRecipients(mail.recipients, hosts.kind, hosts.reply)
    const found = await this.#firstSession(hosts, mail)
    if (found.kind === 'trouble') return allRecipients(mail.recipients, found.outcome, found.reply, found.remote)
    return this.#sendAll(found, mail, content)
  }

  /** Ends waiting sessions; with `force` also those with a message under way, which is then tried again later. */
  close(force = false): void {
    this.#pool.close()
    if (force) for (const connection of this.#busy) connection.close()
  }

  async #hosts(mail: OutgoingMail): Promise<(MailHosts & { kind: 'failed' | 'deferred' }) | HostList> {
    const route = routeOf(mail.domain, this.#deps.routes)
    switch (route.kind) {
      case 'host':
        return { kind: 'hosts', ...(await this.#configured(route)) }
      case 'mx': {
        const hosts = await this.#deps.resolver.mailHosts(route.domain)
        return hosts.kind === 'hosts' ? { ...hosts, port: this.#deps.mxPort ?? SMTP_PORT, configured: false } : hosts
      }
    }
  }

  async #configured({ host, port }: NextHop): Promise<Omit<HostList, 'kind'>> {
    const credentials = await this.#deps.credentials?.(host)
    return { names: [host], port, configured: true, secure: false, ...(credentials && { credentials }) }
  }

  /** Walks hosts and their addresses until one gives a session (RFC 5321 §5.1). */
  async #firstSession(hosts: HostList, mail: OutgoingMail): Promise<Session | Trouble> {
    const troubles: Trouble[] = []
    let tried = 0
    const { resolver } = this.#deps
    for (const host of hosts.names) {
      const found = await (hosts.configured ? resolver.nextHopAddresses(host) : resolver.addresses(host))
      if (found.kind !== 'addresses') {
        troubles.push({ kind: 'trouble', outcome: found.kind, reply: found.reply })
        continue
      }
      const verdict = tlsVerdict(mail, await this.#tlsFacts(hosts, host, found, mail), this.#deps.clearAllowed)
      if (typeof verdict === 'string') {
        const why = reply(451, '4.7.5', `${host} is not asked: ${verdict}`)
        troubles.push({ kind: 'trouble', outcome: 'deferred', reply: why })
        continue
      }
      const { port, credentials } = hosts
      const hop = { host, domain: mail.domain, port, verdict, ...(credentials && { credentials }) }
      for (const address of found.addresses) {
        if (tried++ >= ADDRESSES_TRIED_MAX) break
        const session = await this.#session({ ...hop, address }, true)
        if (session.kind === 'session') return session
        troubles.push(session)
      }
    }
    // as long as one host may do better later, nothing is lost
    const last = troubles.findLast((one) => one.outcome === 'deferred') ?? troubles.at(-1)
    return last ?? { kind: 'trouble', outcome: 'deferred', reply: reply(451, '4.4.4', 'No mail host to try') }
  }

  /** Only a host to which signed answers lead is asked for its TLSA records (RFC 7672 §2.2). */
  async #tlsFacts(
    hosts: HostList,
    host: string,
    { secure }: { readonly secure: boolean },
    mail: OutgoingMail,
  ): Promise<TlsFactsOfHost> {
    const configured = this.#deps.hopTls(mail.domain)
    if (hosts.configured) return { configured, ...(hosts.credentials && { signIn: true }) }
    const policy = await this.#deps.stsPolicy(mail.domain)
    const enforced = policy?.mode === 'enforce' ? policy : undefined
    return {
      configured,
      ...(enforced !== undefined && { sts: namesHost(enforced, host) ? 'named' : 'not-named' }),
      ...(hosts.secure && secure && { tlsa: await this.#deps.resolver.tlsaRecords(host, hosts.port) }),
    }
  }

  async #session(hop: Hop, mayReuse: boolean): Promise<Session | Trouble> {
    const key = poolKey(hop)
    for (let waiting = mayReuse ? this.#pool.take(key) : undefined; waiting; waiting = this.#pool.take(key))
      if (await waiting.ready()) return { kind: 'session', connection: waiting, key, hop, reused: true }
    const first = await this.#open(hop, hop.verdict.use)
    if (first.kind === 'open') return { kind: 'session', connection: first.connection, key, hop, reused: false }
    if (first.stage !== 'tls' || !hop.verdict.clearAfterFailure) return troubleOf(first, hop)
    const clear = await this.#open(hop, 'off')
    if (clear.kind === 'open')
      return { kind: 'session', connection: clear.connection, key: `${key} clear`, hop, reused: false }
    return troubleOf(clear, hop)
  }

  async #open(hop: Hop, tls: 'off' | 'if-offered' | 'always'): Promise<Opened> {
    const opened = await openConnection({
      address: hop.address,
      port: hop.port,
      hostName: hop.host,
      domain: hop.domain,
      ...(hop.credentials && { credentials: hop.credentials }),
      helo: this.#deps.helo,
      tls,
      verify: hop.verdict.verify,
      ...(this.#deps.anchorsPem && { anchorsPem: this.#deps.anchorsPem }),
      timeouts: this.#timeouts,
    })
    const { host, address } = hop
    if (opened.kind === 'open') this.#deps.events.sessionOpened({ host, address, tls: opened.connection.tls })
    else this.#deps.events.hostFailed({ host, address, stage: opened.stage, reply: opened.reply })
    return opened
  }

  /** As many transactions as it takes: too many recipients for one is no reason to wait (RFC 5321 §4.5.3.1.10). */
  async #sendAll(session: Session, mail: OutgoingMail, content: ContentSource): Promise<readonly RecipientResult[]> {
    const results: RecipientResult[] = []
    let current = session
    let waiting: readonly ForwardPath[] = mail.recipients
    while (waiting.length > 0) {
      const now = waiting.slice(0, RECIPIENTS_PER_TRANSACTION_MAX)
      const report = await this.#sendOn(current, { ...mail, recipients: now }, content)
      if (report.untouched && current.reused) {
        // closed while it waited for us: the host deserves a fresh session before the mail is put off
        const fresh = await this.#session(current.hop, false)
        if (fresh.kind === 'trouble')
          return [...results, ...allRecipients(waiting, fresh.outcome, fresh.reply, fresh.remote)]
        current = fresh
        continue
      }
      const onward = report.results.some((one) => one.outcome === 'delivered')
      const again = new Set(
        report.results.filter((one) => onward && one.outcome === 'deferred' && isTooManyRecipients(one.reply)),
      )
      results.push(...report.results.filter((one) => !again.has(one)))
      const addresses = new Set(Array.from(again, (one) => one.recipient))
      waiting = [...now.filter((path) => addresses.has(path.address)), ...waiting.slice(now.length)]
      if (waiting.length > 0 && !(await current.connection.ready())) {
        const why = reply(451, '4.4.2', `Session with ${current.hop.host} ended before every recipient was served`)
        return [...results, ...allRecipients(waiting, 'deferred', why)]
      }
    }
    this.#pool.give(current.key, current.connection)
    return results
  }

  async #sendOn(session: Session, mail: OutgoingMail, content: ContentSource): ReturnType<RelayConnection['send']> {
    this.#busy.add(session.connection)
    try {
      return await session.connection.send(mail, content)
    } finally {
      this.#busy.delete(session.connection)
    }
  }
}

interface HostList {
  readonly kind: 'hosts'
  readonly names: readonly string[]
  readonly port: number
  /** By the operator, not by DNS. */
  readonly configured: boolean
  /** Signed DNS names them. */
  readonly secure: boolean
  readonly credentials?: Credentials
}

interface Hop {
  readonly host: string
  /** Whose mail it takes. */
  readonly domain: Domain
  readonly address: string
  readonly port: number
  readonly verdict: TlsVerdict
  readonly credentials?: Credentials
}

interface Session {
  readonly kind: 'session'
  readonly connection: RelayConnection
  /** Where it waits afterwards. */
  readonly key: string
  readonly hop: Hop
  readonly reused: boolean
}

interface Trouble {
  readonly kind: 'trouble'
  readonly outcome: 'deferred' | 'failed'
  readonly reply: Reply
  readonly remote?: string
}

/** Sessions that were opened under the same demands are alike. */
function poolKey({ host, domain, address, port, verdict: { use, verify } }: Hop): string {
  const proven = typeof verify === 'string' ? verify : `${domain} ${verify.tlsa.map(tlsaText).join(' ')}`
  return [host, address, port, use, proven].join(' ')
}

const tlsaText = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage}-${selector}-${matchingType}-${hex(data)}`

/** A host that says at once that it takes no mail, ever (RFC 7504: 521), is believed; any other trouble may pass. */
function troubleOf(closed: Opened & { kind: 'closed' }, hop: Hop): Trouble {
  const { remoteSaid, reply: answer } = closed
  const outcome = remoteSaid && answer.code === 521 ? outcomeOf(answer) : 'deferred'
  return { kind: 'trouble', outcome, reply: answer, ...(remoteSaid && { remote: hop.host }) }
}

function allRecipients(
  recipients: readonly ForwardPath[],
  outcome: 'deferred' | 'failed',
  answer: Reply,
  remote?: string,
): RecipientResult[] {
  return recipients.map(({ address }) => ({
    recipient: address,
    outcome,
    reply: answer,
    ...(remote !== undefined && { remote }),
    dsnPassedOn: false,
  }))
}
