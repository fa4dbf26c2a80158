/** What is known of a recipient when it is decided how their copy is protected. */
import type { Correspondents } from '../keys/correspondents.ts'
import { type Address, type Domain, domainOf } from '../message/address.ts'
import type { OutboundPolicy } from '../policy/settings.ts'
import type { Changes } from '../store/changes.ts'
import type { KnownRecipient } from './copies-made.ts'
import { type RecipientStatusDeps, withoutRevoked } from './recipient-status.ts'

export interface KnownRecipientsDeps extends RecipientStatusDeps {
  readonly correspondents: Correspondents
  readonly store: { readonly changes: Changes }
  policyFor(domain: Domain): OutboundPolicy
}

/** So long what was worked out at RCPT serves the mail that follows: revocations are fetched meanwhile. */
const KEPT_MS = 5_000
const KEPT_MAX = 1_000

interface Kept {
  readonly facts: KnownRecipient
  readonly fromMs: number
  readonly untilMs: number
  readonly generation: number
}

export class KnownRecipients {
  readonly #deps: KnownRecipientsDeps
  /** In the order in which they were worked out. */
  readonly #kept = new Map<Address, Kept>()

  constructor(deps: KnownRecipientsDeps) {
    this.#deps = deps
  }

  /** Of keys, abilities and trust no older than the call; of revocations that are fetched, a few seconds. */
  async of(address: Address, nowMs: number): Promise<KnownRecipient> {
    const generation = this.#deps.store.changes.generation()
    const policy = this.#deps.policyFor(domainOf(address))
    const kept = this.#kept.get(address)
    const isFresh = kept?.generation === generation && kept.facts.policy === policy
    if (isFresh && kept.fromMs <= nowMs && nowMs < kept.untilMs) return kept.facts
    const facts = await this.#workOut(address, policy, nowMs)
    this.#keep(address, { facts, fromMs: nowMs, untilMs: goodUntilMs(facts, nowMs), generation })
    return facts
  }

  async #workOut(address: Address, policy: OutboundPolicy, nowMs: number): Promise<KnownRecipient> {
    const { correspondents, publicKeys } = this.#deps
    const correspondent = await correspondents.get(address, nowMs, policy.standards)
    const usable = await withoutRevoked(this.#deps, address, correspondent.certificates, policy.revocation, nowMs)
    const notYetValid = await publicKeys.notYetValid(address, nowMs, policy.standards)
    return { address, ...correspondent, ...usable, notYetValid, policy, known: await publicKeys.known(address) }
  }

  #keep(address: Address, kept: Kept): void {
    this.#kept.delete(address)
    if (kept.facts.statusUnknown === true) return // the answer may come at any moment
    this.#kept.set(address, kept)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest)
  }
}

/** A certificate comes into its time, or runs out, at the moment that it says. */
function goodUntilMs({ known }: KnownRecipient, nowMs: number): number {
  const turns = known.flatMap(({ certificate }) => [certificate.notBeforeMs, certificate.notAfterMs + 1])
  return Math.min(nowMs + KEPT_MS, ...turns.filter((atMs) => atMs > nowMs))
}
