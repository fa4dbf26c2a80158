/** What is asked of others on the network: whether certificates are revoked, what a correspondent's are, and by what means. */
import { type DnsAsk, createDnsClient } from '../base/dns-client.ts'
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/load.ts'
import type { Domain } from '../message/address.ts'
import type { Store } from '../store/database.ts'
import { KeyFinder, type KeyFinderOptions } from './find.ts'
import { readFound } from './found-keys.ts'
import { HostGate } from './host-gate.ts'
import { createLookUp } from './host-names.ts'
import { type Fetch, createFetch } from './http-fetch.ts'
import { keySources } from './key-sources.ts'
import { networkList } from './public-address.ts'
import type { PublicKeys } from './public-keys.ts'
import { ValidationSource } from './validation-source.ts'

/** A mail to a thousand people in one domain, or in two hundred. */
const ONE_LARGE_MAIL = { runningMax: 200, waitingPerHostMax: 1_000 }

export interface NetworkDeps {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly publicKeys: PublicKeys
  readonly domains: readonly Domain[]
  readonly prepareAlarm: KeyFinderOptions['prepareAlarm']
}

export interface Network {
  readonly fetch: Fetch
  readonly askDns: DnsAsk
  readonly validation: ValidationSource
  readonly finder: KeyFinder
  /** Ends what is under way. */
  close(): void
}

export function createNetwork(deps: NetworkDeps): Network {
  const { config, store, clock, publicKeys, domains, prepareAlarm } = deps
  const { fetch: rules, dns, lookup } = config
  const resolver = dns.resolver === null ? {} : { resolver: dns.resolver }
  const fetch = createFetch({ allowed: networkList(rules.allowNetworks), ...resolver })
  const askDns = createDnsClient({
    ...(dns.resolver === null ? {} : { server: dns.resolver }),
    ...(dns.trustValidation === 'auto' ? {} : { trustValidation: dns.trustValidation === 'always' }),
  })
  const lookUp = createLookUp(resolver.resolver, 'name-server')
  const fetchKeys = createFetch({ allowed: networkList(rules.allowNetworks), lookUp })
  const gate = new HostGate(clock, ONE_LARGE_MAIL)
  const gated: Fetch = (request, signal) => gate.run(request.url, () => fetchKeys(request, signal))
  const budgetMs = rules.waitSeconds * 1000
  const validation = new ValidationSource({ store, clock, fetch, budgetMs, fetchIssuers: rules.issuers })
  const finder = new KeyFinder({
    store,
    clock,
    publicKeys,
    sources: keySources(lookup, {
      fetch: gated,
      lookUp,
      askDns,
      read: readFound,
    }),
    isOwnDomain: (domain) => domains.includes(domain),
    waitMs: lookup.waitSeconds * 1000,
    prepareAlarm,
  })
  return {
    fetch,
    askDns,
    validation,
    finder,
    close() {
      validation.close()
      finder.close()
    },
  }
}
