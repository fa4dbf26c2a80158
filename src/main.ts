/**
 * Wires configuration → stores → agents → listeners; the only file that knows everybody. The agents meet in rows of the
 * store and in the functions that are handed to them here.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPop3 } from './access/pop3/server.ts'
import { openMaildrop } from './access/mailbox-maildrop.ts'
import type { Pop3Deps } from './access/pop3/deps.ts'
import type { Desk } from './admin/desk.ts'
import * as events from './base/events.ts'
import { WorkerPool } from './base/worker-pool.ts'
import { LiveConfig } from './config/live.ts'
import type { Config } from './config/load.ts'
import { inboundPolicyFor, outboundPolicyFor } from './config/policy-settings.ts'
import { createInbound } from './gateway/inbound.ts'
import { type Outbound, createOutbound } from './gateway/outbound.ts'
import type { ProtectionPool } from './gateway/protect.ts'
import { ToldRefusals } from './gateway/told-refusals.ts'
import { changedKeyAlarm } from './gateway/changed-key.ts'
import { type Network, createNetwork } from './keys/network.ts'
import { signIn } from './keys/sign-in.ts'
import { keepUpKeys } from './keys/upkeep.ts'
import { type Address, parseAddress } from './message/address.ts'
import { startPublishing } from './publish/publish.ts'
import { type Deliverer, QueueWorker } from './queue/worker.ts'
import { mxAgent } from './receive/mx.ts'
import { startListener } from './receive/receive.ts'
import { submissionAgent } from './receive/submission.ts'
import type { Agent } from './receive/agent.ts'
import { MxResolver } from './relay/mx.ts'
import { readCredentials } from './relay/credentials.ts'
import { Relay } from './relay/relay.ts'
import { StsPolicies } from './relay/sts-policies.ts'
import { type Routes, parseRoutes } from './relay/route.ts'
import { findAccount } from './store/accounts.ts'
import { keepHouse, startHousekeeping } from './store/housekeeping.ts'
import type { Inbox } from './protocol/smtp-session.ts'

/** `receive`: SMTP in. `relay`: works the queue. `access`: POP3, and the directory of our users' keys. */
export const ROLES = ['receive', 'relay', 'access'] as const
export type Role = (typeof ROLES)[number]

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** SIGTERM to exit takes 10 s at most (contract); this much of it is for what runs. */
const STOP_GRACE_MS = 6_000
/** Housekeeping may be in the middle of a large folder; it goes on at the next start. */
const HOUSEKEEPING_GRACE_MS = 500
const STREAM_TIMEOUT_FACTOR = 20

export interface Running {
  readonly listeners: Readonly<Record<string, events.Listening>>
  /** Takes over TLS certificates and what `RELOADED` (config/live.ts) names; the rest counts from the next start. */
  reload(next: Config): Promise<void>
  /** Accepts nothing more, finishes what is under way, closes the store. */
  stop(): Promise<void>
}

interface Part {
  readonly listening: readonly [name: string, at: events.Listening]
  setTls(tls: TlsFiles): void
  stop(): Promise<void>
}

interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** Starts the roles on the desk; says "ready" when every listener is up. */
export async function startServer(desk: Desk, roles: readonly Role[]): Promise<Running> {
  const { config } = desk
  const live = new LiveConfig(config)
  const pool = protectionPool(config)
  const network = createNetwork({
    ...desk,
    prepareAlarm: (key) =>
      changedKeyAlarm(desk.store, key, { readers: [postmasterOf(desk)], nowMs: desk.clock.nowMs() }),
  })
  const inbound = createInbound(inboundDeps(desk, live, pool, network))
  const relay = relayOf(desk, live, network)
  const worker = queueWorker(desk, relay, inbound.deliver)
  const workQueue = roles.includes('relay')
  // not before the reply that is being written has gone out: a lease is a commit
  const wakeQueue = (): void => void (workQueue && setImmediate(() => worker.notify()))
  const outbound = createOutbound(outboundDeps(desk, live, pool, network, wakeQueue))
  const parts: Part[] = []
  let endHousekeeping = (): Promise<void> => Promise.resolve()
  const stop = async (): Promise<void> => {
    // side by side, for all of them may take the whole grace; what comes in meanwhile stays in the queue
    await Promise.all([...parts.map((part) => part.stop()), worker.stop(STOP_GRACE_MS)])
    relay.close()
    await Promise.race([endHousekeeping(), sleep(HOUSEKEEPING_GRACE_MS, undefined, { ref: false })])
    network.close()
    await pool.close()
    await desk.store.close()
  }
  try {
    const tls = await readTls(config)
    if (roles.includes('receive')) await startReceive(desk, tls, { inbound, outbound }, parts)
    if (roles.includes('access')) await startAccess(desk, tls, parts)
    if (roles.includes('access')) await startDirectory(desk, tls, parts)
    if (workQueue) await worker.start({ alone: true })
  } catch (error) {
    await stop()
    throw error
  }
  const keep = async (): Promise<void> => {
    const rules = { evidenceDays: config.evidence.keepDays, traceDays: config.trace.keepDays }
    await keepHouse(desk.store, desk.clock, rules)
    const { openpgp, certificateValidityDays: validityDays } = config.keys
    if (workQueue) await keepUpKeys(desk, { openpgp, validityDays }, desk.clock.nowMs()) // one process, or there are two of each
  }
  endHousekeeping = startHousekeeping(keep, (error) => events.trouble({ during: 'housekeeping', error }))
  const listeners = Object.fromEntries(parts.map((part) => part.listening))
  events.ready({ listeners })
  return {
    listeners,
    async reload(next) {
      const fresh = await readTls(next)
      for (const part of parts) part.setTls(fresh)
      events.reloaded(live.replace(next))
    },
    stop,
  }
}

function protectionPool({ protection }: Config): ProtectionPool {
  const size = protection.threads === 0 ? availableParallelism() : protection.threads
  return new WorkerPool({
    script: new URL('./gateway/protection-worker.ts', import.meta.url),
    size,
    timeoutMs: protection.timeoutSeconds * 1000,
    streamTimeoutMs: protection.timeoutSeconds * 1000 * STREAM_TIMEOUT_FACTOR,
    heapMaxMb: protection.heapMaxMegabytes,
    queueMax: 1000,
    streamsMax: Math.max(2, size),
    name: 'protection',
    onReplaced: (why) => events.workerReplaced({ pool: 'protection', why }),
  })
}

function outboundDeps(
  desk: Desk,
  live: LiveConfig,
  pool: ProtectionPool,
  network: Network,
  wakeQueue: () => void,
): Parameters<typeof createOutbound>[0] {
  return {
    ...desk,
    hostname: desk.config.hostname,
    pool,
    ...network,
    policyFor: (domain) => outboundPolicyFor(live.current, domain),
    rules: () => live.current.policy,
    wakeQueue,
  }
}

function inboundDeps(
  desk: Desk,
  live: LiveConfig,
  pool: ProtectionPool,
  network: Network,
): Parameters<typeof createInbound>[0] {
  const { config } = desk
  return {
    ...desk,
    hostname: config.hostname,
    pool,
    ...network,
    policyFor: (domain) => inboundPolicyFor(live.current, domain),
    allowWeak: config.protection.allowWeakAlgorithms,
    keepEvidence: config.evidence.keepDays > 0,
    told: new ToldRefusals(config.limits.refusalsAfterDecryptionPerDay),
  }
}

function queueWorker(desk: Desk, relay: Relay, deliverLocally: Deliverer): QueueWorker {
  const { config, clock, store } = desk
  const { queue } = config
  return new QueueWorker({
    clock,
    store,
    hostname: config.hostname,
    isOwnDomain: (domain) => desk.domains.includes(domain),
    deliverLocally,
    relay: (mail, content) => relay.deliver(mail, content),
    abortRelay: () => relay.close(true),
    schedule: {
      firstMs: queue.retryFirstMinutes * MINUTE_MS,
      pauseMaxMs: queue.retryPauseMaxMinutes * MINUTE_MS,
      jitter: 0.1,
      tellDelayAfterMs: queue.tellDelayAfterHours * HOUR_MS,
      giveUpAfterMs: queue.giveUpAfterHours * HOUR_MS,
    },
    limits: { runningMax: queue.runningMax, runningPerDomainMax: queue.runningPerDomainMax },
  })
}

function relayOf({ store, clock }: Desk, live: LiveConfig, { fetch, askDns: ask }: Network): Relay {
  const { hostname, dns, relay } = live.current
  const sts = new StsPolicies({ store, clock, ask, fetch })
  return new Relay({
    helo: hostname,
    get routes() {
      return routesOf(live.current)
    },
    resolver: new MxResolver({
      ownNames: [hostname],
      ask,
      hostsFile: dns.resolver === null,
      random: Math.random,
      allowLocalAddresses: relay.allowLocalAddresses,
    }),
    stsPolicy: (domain) => (live.current.relay.mtaSts ? sts.policyOf(domain) : Promise.resolve(undefined)),
    credentials: (host) => readCredentials(live.current.relay.credentials[host]),
    hopTls: () => live.current.relay.tls,
    get clearAllowed() {
      return live.current.relay.clearAfterTlsFailure
    },
    events: {
      sessionOpened: () => undefined,
      hostFailed: ({ host, address, stage, reply: { code, lines } }) =>
        events.hostFailed({ host, address, stage, reply: [code, ...lines].join(' ') }),
    },
  })
}

function routesOf({ relay }: Config): Routes {
  const routes = parseRoutes(relay.routes)
  if (!routes.ok) throw new TypeError(`the schema let a wrong route through: ${routes.error}`)
  return routes.value
}

/** Each listener is in `parts` as soon as it listens, so that it is closed when a later one cannot. */
async function startReceive(
  desk: Desk,
  tls: TlsFiles,
  { inbound, outbound }: { readonly inbound: Inbox; readonly outbound: Outbound },
  parts: Part[],
): Promise<void> {
  const mx = mxAgent({
    inbox: inbound,
    isOwnDomain: (domain) => desk.domains.includes(domain),
    recipientKnown: async (address) => {
      const account = await findAccount(desk.store.db, address)
      return account !== undefined && account.status !== 'removed'
    },
  })
  const submission = submissionAgent({
    inbox: outbound,
    login: (name, password) => loginFor(desk, name, password),
    onRcpt: (_session, to) => outbound.refuseRecipient(to),
  })
  const agents: readonly [name: 'mx' | 'submission' | 'submissions', agent: Agent][] = [
    ['mx', mx],
    ['submission', submission],
    ['submissions', submission],
  ]
  for (const [name, agent] of agents) parts.push(...(await startSmtp(desk, tls, name, agent)))
}

async function loginFor(desk: Desk, name: string, password: string): Promise<Address | undefined> {
  const account = await signIn(desk, name, password)
  if (account === 'busy') throw new Error('too many sign-ins at once')
  return account === 'wrong' ? undefined : account.address
}

function postmasterOf({ config, domains }: Desk): Address {
  const postmaster = parseAddress(`postmaster@${domains[0] ?? config.hostname}`)
  if (postmaster === undefined) throw new TypeError('a domain without a postmaster')
  return postmaster
}

async function startSmtp(
  desk: Desk,
  tls: TlsFiles,
  name: 'mx' | 'submission' | 'submissions',
  agent: Agent,
): Promise<Part[]> {
  const { config } = desk
  const at = config.listeners[name]
  if (at === null) return []
  const { limits } = config
  const listener = await startListener({
    agent,
    host: at.host,
    port: at.port,
    hostname: config.hostname,
    postmaster: postmasterOf(desk),
    tls,
    implicitTls: name === 'submissions',
    allowPlainAuthOnLoopback: config.submission.allowPlainAuthOnLoopback,
    limits: {
      messageMaxBytes: limits.messageSizeMaxBytes,
      recipientsMax: limits.recipientsMax,
      connectionsMax: limits.connectionsMax,
      connectionsPerPeerMax: limits.connectionsPerAddressMax,
    },
    events,
  })
  return [
    {
      listening: [name, { host: listener.host, port: listener.port }],
      setTls: (fresh) => listener.setTls(fresh),
      stop: () => listener.stop(STOP_GRACE_MS),
    },
  ]
}

async function startAccess(desk: Desk, tls: TlsFiles, parts: Part[]): Promise<void> {
  const { config } = desk
  const { connectionsMax, connectionsPerAddressMax } = config.limits
  const deps: Pop3Deps = {
    async login(name, password) {
      const account = await signIn(desk, name, password)
      if (typeof account === 'string') return { ok: false, temporary: account === 'busy' }
      return { ok: true, open: () => openMaildrop(desk.store, account.id) }
    },
    events: pop3Events,
  }
  for (const name of ['pop3', 'pop3s'] as const) {
    const at = config.listeners[name]
    if (at === null) continue
    const server = await startPop3(
      {
        ...at,
        implicitTls: name === 'pop3s',
        tls: { certificatePem: tls.cert, keyPem: tls.key },
        allowPlainOnLoopback: config.pop3.allowPlainAuthOnLoopback,
        limits: { connectionsMax, connectionsPerAddressMax, stopGraceMs: STOP_GRACE_MS },
      },
      deps,
    )
    parts.push({
      listening: [name, server.address],
      setTls: ({ cert, key }) => server.setTls({ certificatePem: cert, keyPem: key }),
      stop: () => server.stop(),
    })
  }
}

async function startDirectory(desk: Desk, tls: TlsFiles, parts: Part[]): Promise<void> {
  const { listeners, limits } = desk.config
  if (listeners.https === null) return
  const { connectionsMax, connectionsPerAddressMax: connectionsPerPeerMax } = limits
  const options = { ...listeners.https, tls, connectionsMax, connectionsPerPeerMax, stopGraceMs: STOP_GRACE_MS }
  const directory = await startPublishing(options, desk)
  parts.push({
    listening: ['https', directory.address],
    setTls: (fresh) => directory.setTls(fresh),
    stop: () => directory.stop(),
  })
}

const pop3Events: Pop3Deps['events'] = {
  loggedIn: ({ id, peerAddress, login = '' }) =>
    events.loginSucceeded({ by: 'pop3', name: login, peerAddress, session: id }),
  loginFailed: ({ id, peerAddress }, { name }) => events.loginFailed({ by: 'pop3', name, peerAddress, session: id }),
  retrieved: ({ peerAddress, login = '' }) => events.fetched({ address: login, peerAddress, messages: 1, deleted: 0 }),
  removed: ({ peerAddress, login = '' }, ids) =>
    events.fetched({ address: login, peerAddress, messages: 0, deleted: ids.length }),
  turnedAway: (peerAddress, why) => events.refused({ by: 'pop3', peerAddress, reply: why }),
  closed: ({ peerAddress, login }, why) => {
    if (why !== 'quit' && why !== 'client-gone')
      events.sessionEnded({ by: 'pop3', peerAddress, name: login ?? '', why })
  },
  failed: (_session, error) => events.trouble({ during: 'pop3', error }),
}

/** Throws when the two are no pair: with an empty key, say, a listener would take them and then fail in every session. */
async function readTls({ tls }: Config): Promise<TlsFiles> {
  const [cert, key] = await Promise.all([readFile(tls.certificate, 'utf8'), readFile(tls.key, 'utf8')])
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('they are no pair')
  } catch (error) {
    throw new Error(`Certificate ${tls.certificate} and key ${tls.key}: ${(error as Error).message}`, { cause: error })
  }
  return { cert, key }
}
