/**
 * The MTA-STS policies of the domains that mail goes to: asked for, fetched and kept (RFC 8461 §5.1). Whoever can make the look-up
 * fail gains nothing as long as a policy is kept.
 */
import { utf8 } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import type { DnsAsk } from '../base/dns-client.ts'
import * as events from '../base/events.ts'
import type { Fetch } from '../keys/http-fetch.ts'
import type { Store } from '../store/database.ts'
import { findValidationData, keepValidationData } from '../store/validation-data.ts'
import { readStsPolicy, readStsRecord, type StsPolicy } from './mta-sts.ts'

/** RFC 8461 §3.3. */
const POLICY_MAX_BYTES = 64 * 1024
/** How long a domain is not asked again. */
const ASKED_AGAIN_MS = 5 * 60_000
const ASKED_MAX = 10_000

export interface StsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly ask: DnsAsk
  readonly fetch: Fetch
  /** Other than 443 in tests only. */
  readonly port?: number
}

export class StsPolicies {
  readonly #options: StsOptions
  /** Domains that were asked lately, oldest first. */
  readonly #asked = new Map<string, { readonly untilMs: number; readonly policy: Promise<StsPolicy | undefined> }>()

  constructor(options: StsOptions) {
    this.#options = options
  }

  /** `undefined` when the domain has none, or none can be had and none is kept. Rejects only when the store fails. */
  policyOf(domain: string): Promise<StsPolicy | undefined> {
    const nowMs = this.#options.clock.nowMs()
    const asked = this.#asked.get(domain)
    if (asked !== undefined && asked.untilMs > nowMs) return asked.policy
    const policy = this.#find(domain)
    this.#asked.delete(domain)
    this.#asked.set(domain, { untilMs: nowMs + ASKED_AGAIN_MS, policy })
    policy.catch(() => this.#asked.delete(domain))
    const [oldest] = this.#asked.keys()
    if (this.#asked.size > ASKED_MAX && oldest !== undefined) this.#asked.delete(oldest)
    return policy
  }

  async #find(domain: string): Promise<StsPolicy | undefined> {
    const kept = await this.#kept(domain)
    const answer = await this.#options.ask(`_mta-sts.${domain}`, 'TXT')
    const id = answer.kind === 'records' ? readStsRecord(answer.records) : undefined
    if (id === undefined || id === kept?.id) return kept?.policy
    return (await this.#fetch(domain, id)) ?? kept?.policy
  }

  async #fetch(domain: string, id: string): Promise<StsPolicy | undefined> {
    const { fetch, port, store, clock } = this.#options
    const host = `mta-sts.${domain}${port === undefined ? '' : `:${port}`}`
    const url = `https://${host}/.well-known/mta-sts.txt`
    const wanted = { url, sizeMaxBytes: POLICY_MAX_BYTES, httpsOnly: true, redirectsMax: 0 }
    const fetched = await fetch(wanted, new AbortController().signal)
    const policy = fetched.ok ? readStsPolicy(fetched.value) : undefined
    if (!fetched.ok || policy === undefined) {
      const why = fetched.ok ? 'what is there is no policy' : fetched.error
      events.stsPolicyMissing({ domain, url, why })
      return undefined
    }
    const encoded = Buffer.concat([utf8(`${id}\n`), fetched.value])
    const untilMs = clock.nowMs() + policy.maxAgeMs
    await store.commit((tx) => keepValidationData(tx, { key: keyOf(domain), encoded, untilMs }))
    return policy
  }

  async #kept(domain: string): Promise<{ readonly id: string; readonly policy: StsPolicy } | undefined> {
    const { store, clock } = this.#options
    const row = await findValidationData(store.db, keyOf(domain), clock.nowMs())
    const end = row?.encoded.indexOf(0x0a) ?? -1
    const policy = row === undefined || end < 0 ? undefined : readStsPolicy(row.encoded.subarray(end + 1))
    if (row === undefined || policy === undefined) return undefined
    return { id: Buffer.from(row.encoded.subarray(0, end)).toString('latin1'), policy }
  }
}

const keyOf = (domain: string): string => `mta-sts ${domain}`
