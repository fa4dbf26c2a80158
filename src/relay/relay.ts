/** Takes one message to the next hop of one domain: route, hosts in order, TLS, session, transaction, verdicts. */
import { hex } from '../base/bytes.ts'
import type { TlsaRecord } from '../base/dns-client.ts'
import type { ContentSource, OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import type { ForwardPath } from '../protocol/smtp-envelope.ts'
import { reply, replyText, type Reply } from '../protocol/smtp-reply.ts'
import { hopFacts } from './hop-tls-facts.ts'
import { openConnection, type Credentials, type Opened, type RelayConnection } from './connection.ts'
import { addressesOf, type HostList, type HostListDeps, hostsFor } from './host-list.ts'
import type { HowFound, MxResolver } from './mx.ts'
import { namesHost, type StsPolicy } from './mta-sts.ts'
import { ConnectionPool, POOL_LIMITS, type PoolLimits } from './pool.ts'
import { isTooManyRecipients, outcomeOf } from './remote-reply.ts'
import { SilentAddresses } from './silent-addresses.ts'
import { RELAY_TIMEOUTS, type RelayTimeouts } from './timeouts.ts'
import { tlsVerdict, type HopTls, type TlsFactsOfHost, type TlsRefusal, type TlsVerdict } from './tls-policy.ts'
import { TlsSessions } from './tls-sessions.ts'
import { failureOf, type HopTried, type TlsResult } from './tls-reports/result.ts'

export interface RelayDeps extends HostListDeps {
  /** Our name in EHLO (RFC 5321 §4.1.1.1). */
  readonly helo: string
  /** LMTP is for a mail store of our own (RFC 2033). */
  readonly protocol?: 'smtp' | 'lmtp'
  readonly resolver: HostListDeps['resolver'] & Pick<MxResolver, 'tlsaRecords'>
  /** Asked once per message. */
  readonly hopTls: (domain: string) => HopTls
  /** The policy that the domain has published, if any (RFC 8461). */
  readonly stsPolicy: (domain: string) => Promise<StsPolicy | undefined>
  /** A readable message may go on in the clear after a failed handshake (docs/decisions/0010-relay-tls.md). */
  readonly clearAllowed: boolean
  readonly anchorsPem?: readonly string[]
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
    /** Of the mail that would have gone there. */
    readonly messageId: string
  }): void
  /** A host that the DNS names was asked for TLS, or could not be; for reports. */
  hopTried?(hop: HopTried): void
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
  readonly #tlsSessions = new TlsSessions()
  readonly #silent = new SilentAddresses()

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
    const hosts = await hostsFor(mail.domain, this.#deps)
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

  /** Walks hosts and their addresses until one gives a session that may carry the message (RFC 5321 §5.1). */
  async #firstSession(hosts: HostList, mail: OutgoingMail): Promise<Session | Trouble> {
    const troubles: Trouble[] = []
    let tried = 0
    for await (const hop of this.#hops(hosts, mail)) {
      if (hop.kind === 'hop' && tried++ >= ADDRESSES_TRIED_MAX) break
      const session = hop.kind === 'hop' ? await this.#session(hop, true) : hop
      if (session.kind === 'trouble') {
        troubles.push(session)
        continue
      }
      const refusal = mail.tls === 'required' ? session.connection.refusalOf(mail) : undefined
      if (refusal === undefined) return session
      // RFC 8689: each host of the domain is asked before the message is returned
      this.#pool.give(session.key, session.connection)
      troubles.push({ kind: 'trouble', outcome: 'failed', reply: refusal })
    }
    // as long as one host may do better later, nothing is lost
    const last = troubles.findLast((one) => one.outcome === 'deferred') ?? troubles.at(-1)
    return last ?? { kind: 'trouble', outcome: 'deferred', reply: reply(451, '4.4.4', 'No mail host to try') }
  }

  /** In the order to try; addresses that were silent a moment ago come last. */
  async *#hops(hosts: HostList, mail: OutgoingMail): AsyncGenerator<Hop | Trouble> {
    const silent: Hop[] = []
    for await (const [host, found] of addressesOf(hosts, this.#deps)) {
      if (found.kind !== 'addresses') {
        yield { kind: 'trouble', outcome: found.kind === 'deferred' ? 'deferred' : 'failed', reply: found.reply }
        continue
      }
      const verdict = tlsVerdict(mail, await this.#tlsFacts(hosts, host, found, mail), this.#deps.clearAllowed)
      if ('refused' in verdict) {
        const result = { dane: 'dnssec-invalid', 'mta-sts': 'validation-failure', sender: undefined } as const
        this.#tried({ ...hosts, recipientDomain: mail.domain, host }, verdict.by, result[verdict.by])
        yield notAsked(host, verdict)
        continue
      }
      const { port, credentials } = hosts
      const hop = { kind: 'hop' as const, host, port, verdict, ...(credentials && { credentials }) }
      // RFC 7672 §2.2.1: what an unsigned answer led to proves itself by its own name only
      const { configured } = hosts
      const recipientDomain = mail.domain
      const domain = hosts.secure ? recipientDomain : host
      const { messageId } = mail
      const more = { domain, recipientDomain, configured, messageId, tlsRequired: mail.tls === 'required' }
      for (const address of found.addresses) {
        const isSilent = this.#silent.has(address, port, Date.now())
        if (isSilent) silent.push({ ...hop, ...more, address })
        else yield { ...hop, ...more, address }
      }
    }
    yield* silent
  }

  /** What is known of one of them, to judge by. */
  async #tlsFacts(hosts: HostList, host: string, found: HowFound, mail: OutgoingMail): Promise<TlsFactsOfHost> {
    const { hopTls, resolver, stsPolicy } = this.#deps
    const configured = hopTls(mail.domain)
    const tlsa = mail.tls === 'unimportant' ? undefined : await resolver.tlsaRecords(host, hosts.port, found)
    const facts = { configured, ...(tlsa && { tlsa }) }
    if (hosts.configured) return { ...facts, nameProven: true, ...(hosts.credentials && { signIn: true }) }
    const policy = await stsPolicy(mail.domain)
    const named = policy && (namesHost(policy, host) ? 'named' : 'not-named')
    return {
      ...facts,
      nameProven: hosts.secure || host === mail.domain,
      ...(policy?.mode === 'enforce' && named && { sts: named }),
      ...(policy?.mode === 'testing' && named && { stsTested: named }),
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
    const key = poolKey(hop)
    // a session that is taken up again shows no certificate to judge
    const session = hop.verdict.stsTested === undefined ? this.#tlsSessions.of(key, Date.now()) : undefined
    const opened = await openConnection({
      address: hop.address,
      port: hop.port,
      hostName: hop.host,
      domain: hop.domain,
      ...(hop.credentials && { credentials: hop.credentials }),
      helo: this.#deps.helo,
      protocol: this.#deps.protocol ?? 'smtp',
      tls,
      verify: hop.verdict.verify,
      ...(session && { session }),
      keepSession: (fresh) => this.#tlsSessions.keep(key, fresh, Date.now()),
      ...(this.#deps.anchorsPem && { anchorsPem: this.#deps.anchorsPem }),
      timeouts: this.#timeouts,
    })
    const { host, address, messageId } = hop
    if (opened.kind === 'closed' && opened.stage === 'connect') this.#silent.add(address, hop.port, Date.now())
    // what the server no longer likes must not be tried for an hour
    if (opened.kind === 'closed' && opened.stage === 'tls') this.#tlsSessions.forget(key)
    if (opened.kind === 'open') this.#deps.events.sessionOpened({ host, address, tls: opened.connection.tls })
    else this.#deps.events.hostFailed({ host, address, messageId, stage: opened.stage, reply: opened.reply })
    const { sendingAddress } = opened
    const tested = { ...hop, ...(sendingAddress && { sendingAddress }) }
    this.#tried(tested, hop.verdict.by, tlsResultOf(opened, tls, hop.verdict.stsTested))
    return opened
  }

  /** Nothing is reported of what the operator or the sender chose. */
  #tried(
    hop: Pick<Hop, 'recipientDomain' | 'host' | 'configured'> &
      Partial<Pick<Hop, 'address' | 'verdict'> & Pick<HopTried, 'sendingAddress'>>,
    by: TlsVerdict['by'],
    result: TlsResult | undefined,
  ): void {
    const type = hop.verdict?.stsTested === undefined ? POLICY_TYPE[by] : 'sts'
    if (result === undefined || type === undefined || hop.configured) return
    const verify = hop.verdict?.verify
    const strings = typeof verify === 'object' ? { strings: verify.tlsa.map(tlsaText) } : {}
    const { recipientDomain, host, address, sendingAddress } = hop
    const ends = { ...(address !== undefined && { address }), ...(sendingAddress !== undefined && { sendingAddress }) }
    const where = { domain: recipientDomain, host, ...ends }
    this.#deps.events.hopTried?.({ ...where, policy: { type, ...strings }, result })
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
      const { hop, connection } = current
      const over = hopFacts(hop.address, hop.verdict, connection.tls)
      for (const one of report.results)
        if (!again.has(one)) results.push(one.remote === undefined ? one : { ...one, hop: over })
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

interface Hop {
  readonly kind: 'hop'
  readonly host: string
  /** Whose mail it takes, or `host` when nothing signed says so. */
  readonly domain: string
  readonly recipientDomain: string
  /** By the operator, not by DNS. */
  readonly configured: boolean
  readonly address: string
  readonly port: number
  readonly verdict: TlsVerdict
  readonly credentials?: Credentials
  readonly messageId: string
  /** By the sender: a failure of TLS is final (RFC 8689). */
  readonly tlsRequired: boolean
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

const POLICY_TYPE: Readonly<Partial<Record<TlsVerdict['by'], HopTried['policy']['type']>>> = {
  dane: 'tlsa',
  'mta-sts': 'sts',
  nobody: 'no-policy-found',
}

/** `undefined`: it says nothing of TLS. */
function tlsResultOf(
  opened: Opened,
  tls: 'off' | 'if-offered' | 'always',
  stsTested: TlsVerdict['stsTested'],
): TlsResult | undefined {
  if (tls === 'off') return undefined
  if (stsTested === 'not-named') return 'validation-failure'
  if (opened.kind === 'open') {
    const { tls: facts } = opened.connection
    if (facts === undefined) return 'starttls-not-supported'
    return stsTested === undefined || facts.distrust === undefined ? 'success' : failureOf(facts.distrust)
  }
  if (opened.stage !== 'tls') return undefined
  // what the server itself answers is about STARTTLS; all else is ours about the handshake
  return opened.remoteSaid ? 'starttls-not-supported' : failureOf(opened.reply.lines.join(' '))
}

/** Sessions that were opened under the same demands are alike. */
function poolKey({ host, domain, address, port, verdict: { use, verify } }: Hop): string {
  const proven = typeof verify === 'string' ? verify : `${domain} ${verify.base} ${verify.tlsa.map(tlsaText).join(' ')}`
  return [host, address, port, use, proven].join(' ')
}

const tlsaText = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage}-${selector}-${matchingType}-${hex(data)}`

/** A host that says at once that it takes no mail, ever (RFC 7504: 521), is believed; any other trouble may pass. */
function troubleOf(closed: Opened & { kind: 'closed' }, hop: Hop): Trouble {
  const { remoteSaid, reply: answer, stage } = closed
  const isForNow = remoteSaid && answer.code < 500
  if (stage === 'tls' && hop.tlsRequired && !isForNow) {
    const why = reply(550, '5.7.10', `The sender demands TLS (REQUIRETLS): ${replyText(answer)}`)
    return { kind: 'trouble', outcome: 'failed', reply: why }
  }
  const outcome = remoteSaid && answer.code === 521 ? outcomeOf(answer) : 'deferred'
  return { kind: 'trouble', outcome, reply: answer, ...(remoteSaid && { remote: hop.host }) }
}

function notAsked(host: string, { refused, forGood }: TlsRefusal): Trouble {
  const text = `${host} is not asked: ${refused}`
  if (forGood) return { kind: 'trouble', outcome: 'failed', reply: reply(550, '5.7.10', text) }
  return { kind: 'trouble', outcome: 'deferred', reply: reply(451, '4.7.5', text) }
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
