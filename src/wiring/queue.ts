/** The queue's worker and the relay that it hands mail to. */
import { networkInterfaces } from 'node:os'
import type { Desk } from '../admin/desk.ts'
import { cachedDns } from '../base/dns-cache.ts'
import * as events from '../base/events.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Config } from '../config/load.ts'
import type { Network } from '../keys/network.ts'
import type { RetrySchedule } from '../queue/retry.ts'
import { type Deliverer, QueueWorker } from '../queue/worker.ts'
import { putOff } from './mail-store.ts'
import { readCredentials } from '../relay/credentials.ts'
import { MxResolver } from '../relay/mx.ts'
import { Relay, type RelayEvents } from '../relay/relay.ts'
import { type Routes, SMTP_PORT, parseRoutes } from '../relay/route.ts'
import { StsPolicies } from '../relay/sts-policies.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

interface Deliverers {
  readonly relay: Relay
  readonly mailStore: Relay | undefined
  readonly deliverLocally: Deliverer
}

export function queueWorker(
  desk: Desk,
  live: LiveConfig,
  { relay, mailStore, deliverLocally }: Deliverers,
): QueueWorker {
  const { config, clock, store } = desk
  return new QueueWorker({
    clock,
    store,
    hostname: config.hostname,
    isOwnDomain: (domain) => desk.domains.includes(domain),
    deliverLocally,
    relay: (mail, content) => relay.deliver(mail, content),
    deliverToStore: mailStore === undefined ? putOff : (mail, content) => mailStore.deliver(mail, content),
    abortRelay: () => {
      relay.close(true)
      mailStore?.close(true)
    },
    get schedule() {
      return scheduleOf(live.current)
    },
    limits: {
      get runningMax() {
        return live.current.queue.runningMax
      },
      // a next hop of ours may have all there are; what we do to others' hosts has a narrower limit
      runningForMax(domain) {
        const { queue, relay: rules } = live.current
        const isRouted = rules.routes[domain] !== undefined || rules.routes['*'] !== undefined
        return isRouted ? queue.runningMax : queue.runningPerDomainMax
      },
    },
  })
}

function scheduleOf({ queue }: Config): RetrySchedule {
  return {
    firstMs: queue.retryFirstMinutes * MINUTE_MS,
    pauseMaxMs: queue.retryPauseMaxMinutes * MINUTE_MS,
    jitter: 0.1,
    tellDelayAfterMs: queue.tellDelayAfterHours * HOUR_MS,
    giveUpAfterMs: queue.giveUpAfterHours * HOUR_MS,
  }
}

export function relayOf(
  { store, clock }: Desk,
  live: LiveConfig,
  { fetch, askDns: ask }: Network,
  hopTried: NonNullable<RelayEvents['hopTried']>,
): Relay {
  const { hostname, dns, relay } = live.current
  const sts = new StsPolicies({ store, clock, ask, fetch })
  return new Relay({
    helo: hostname,
    get routes() {
      return routesOf(live.current)
    },
    resolver: new MxResolver({
      ownNames: [hostname],
      isOwnAddress: ownAddresses(live.current.listeners.mx),
      ask: cachedDns(ask, clock),
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
      hopTried,
      hostFailed: ({ reply: { code, lines }, ...facts }) =>
        events.hostFailed({ ...facts, reply: [code, ...lines].join(' ') }),
    },
  })
}

/** Where others' MX records would lead back to our own listener; interfaces that come later are not known. */
function ownAddresses(mx: Config['listeners']['mx']): (address: string) => boolean {
  if (mx === null || mx.port !== SMTP_PORT) return () => false
  const everywhere = Object.values(networkInterfaces()).flatMap((own = []) => own.map(({ address }) => address))
  const addresses = new Set(mx.host === '::' || mx.host === '0.0.0.0' ? everywhere : [mx.host])
  return (address) => addresses.has(address)
}

function routesOf({ relay }: Config): Routes {
  const routes = parseRoutes(relay.routes)
  if (!routes.ok) throw new TypeError(`the schema let a wrong route through: ${routes.error}`)
  return routes.value
}
