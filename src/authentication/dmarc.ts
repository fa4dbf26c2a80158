/**
 * Does SPF or DKIM speak for the author's domain, and what does that domain ask for if not? (DMARC, RFC 9989.) Where an
 * organization's domain begins is told by the records themselves, found by walking up the names; no list of suffixes is
 * needed.
 */
import type { DnsAsk } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import { type TagList, parseTagList } from './tag-list.ts'

/** What a domain asks for (p=, sp=, np=). */
export type DmarcPolicy = 'none' | 'quarantine' | 'reject'

/** RFC 8601 §2.7.1 and RFC 9989. */
export type DmarcWord = 'pass' | 'fail' | 'none' | 'temperror' | 'permerror'

export interface DmarcResult {
  readonly result: DmarcWord
  /** Of the author's domain; missing when it says none. */
  readonly policy?: DmarcPolicy
  readonly domain?: Domain
}

/** Domains that SPF or a DKIM signature has vouched for; `undecided`: the name server was in trouble. */
export interface Vouched {
  readonly spf: string | undefined
  readonly dkim: readonly string[]
  readonly undecided: boolean
}

/** Questions of one walk: names with more labels are cut to so many less one (RFC 9989's DNS Tree Walk). */
const WALK_MAX = 8
/** Authors that one From may name; each has a domain of its own to be asked. */
const AUTHORS_MAX = 5

const POLICIES: readonly DmarcPolicy[] = ['none', 'quarantine', 'reject']

/** The worst that is found for any author. */
export async function checkDmarc(authors: readonly Domain[], vouched: Vouched, ask: DnsAsk): Promise<DmarcResult> {
  const domains = [...new Set(authors)]
  if (domains.length === 0 || domains.length > AUTHORS_MAX) return { result: 'permerror' }
  const results = await Promise.all(domains.map((domain) => new DmarcCheck(ask).author(domain, vouched)))
  return results.toSorted((a, b) => severity(b) - severity(a))[0] as DmarcResult
}

const severity = ({ result, policy }: DmarcResult): number =>
  ['pass', 'none', 'permerror', 'temperror', 'fail'].indexOf(result) + POLICIES.indexOf(policy ?? 'none') / 10

interface Found {
  readonly name: string
  readonly tags: TagList
}

/** The name server could not say. */
class WalkTrouble extends Error {}

class DmarcCheck {
  readonly #ask: DnsAsk

  constructor(ask: DnsAsk) {
    this.#ask = ask
  }

  async author(domain: Domain, vouched: Vouched): Promise<DmarcResult> {
    try {
      const walked = await this.#walk(domain)
      const organization = organizationOf(domain, walked)
      const record = walked.find(({ name }) => name === domain) ?? policyAbove(walked, organization)
      if (record === undefined) return { result: 'none', domain }
      if (await this.#isAligned(domain, organization, record.tags, vouched)) return pass(domain, record)
      if (vouched.undecided) return { result: 'temperror', domain }
      return { result: 'fail', domain, policy: await this.#policy(domain, record) }
    } catch (error) {
      if (error instanceof WalkTrouble) return { result: 'temperror', domain }
      throw error
    }
  }

  async #isAligned(domain: Domain, organization: string, tags: TagList, vouched: Vouched): Promise<boolean> {
    const { spf, dkim } = vouched
    if (spf !== undefined && (await this.#speaksFor(spf, domain, organization, tags.get('aspf')))) return true
    for (const signer of new Set(dkim))
      if (await this.#speaksFor(signer, domain, organization, tags.get('adkim'))) return true
    return false
  }

  /** Strict: the very domain. Relaxed: one of the same organization. */
  async #speaksFor(name: string, domain: Domain, organization: string, mode: string | undefined): Promise<boolean> {
    const other = name.toLowerCase()
    if (other === domain) return true
    if (mode === 's' || !isWithin(other, organization)) return false
    return organizationOf(other, await this.#walk(other)) === organization
  }

  /** RFC 9989: all records on the way up, the lowest first; `psd=` ends it. */
  async #walk(domain: string): Promise<readonly Found[]> {
    const found: Found[] = []
    for (const name of namesUpwards(domain)) {
      const tags = await this.#recordAt(name)
      if (tags === undefined) continue
      found.push({ name, tags })
      if (tags.get('psd') === 'n' || (tags.get('psd') === 'y' && name !== domain)) break
    }
    return found
  }

  /** Several records at one name are as none. */
  async #recordAt(name: string): Promise<TagList | undefined> {
    const answer = await this.#ask(`_dmarc.${name}`, 'TXT')
    if (answer.kind === 'trouble') throw new WalkTrouble()
    if (answer.kind !== 'records') return undefined
    const records = answer.records.filter((text) => /^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text))
    return records.length === 1 ? parseTagList(records[0] as string) : undefined
  }

  /** `t=y` asks for one step less; a subdomain's may be another, and that of a name that is not there a third. */
  async #policy(domain: Domain, { name, tags }: Found): Promise<DmarcPolicy> {
    const own = policyIn(tags, 'p') ?? 'none'
    const below = policyIn(tags, 'sp') ?? own
    const absent = policyIn(tags, 'np')
    let policy = name === domain ? own : below
    if (name !== domain && absent !== undefined && (await this.#ask(domain, 'A')).kind === 'no-domain') policy = absent
    return tags.get('t') === 'y' ? (POLICIES[Math.max(0, POLICIES.indexOf(policy) - 1)] as DmarcPolicy) : policy
  }
}

const pass = (domain: Domain, { tags }: Found): DmarcResult => ({
  result: 'pass',
  domain,
  policy: policyIn(tags, 'p') ?? 'none',
})

const policyIn = (tags: TagList, name: string): DmarcPolicy | undefined =>
  POLICIES.find((policy) => policy === tags.get(name)?.toLowerCase())

const isWithin = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`)

/** The organization's record; without one, that of the registry above it (`psd=y`). */
const policyAbove = (walked: readonly Found[], organization: string): Found | undefined =>
  walked.find(({ name }) => name === organization) ?? walked.find(({ tags }) => tags.get('psd') === 'y')

/** RFC 9989: where a record says so, else the highest name that has a record. */
function organizationOf(domain: string, walked: readonly Found[]): string {
  const last = walked.at(-1)
  if (last === undefined) return domain
  const isRegistry = last.tags.get('psd') === 'y' && last.name !== domain
  return isRegistry
    ? domain
        .split('.')
        .slice(-(last.name.split('.').length + 1))
        .join('.')
    : last.name
}

/** The name itself, then those above it, with no more than `WALK_MAX` in all. */
function namesUpwards(domain: string): readonly string[] {
  const labels = domain.split('.')
  const above = labels.slice(Math.max(1, labels.length - (WALK_MAX - 1)))
  return [domain, ...above.map((_label, index) => above.slice(index).join('.'))]
}
