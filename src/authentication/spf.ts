/** May this client send mail for that domain? (SPF, RFC 7208) */
import { isIPv4, isIPv6 } from 'node:net'
import type { DnsAsk, DnsRecords } from '../base/dns-client.ts'
import { dottedIp, inNetwork, reverseName } from './ip-address.ts'
import { type MacroString, expandDomain } from './spf-macro.ts'
import { type SpfMechanism, type SpfQualifier, type SpfRecord, isSpfRecord, parseSpfRecord } from './spf-record.ts'

/** Terms that ask the name server, in all records together (RFC 7208 §4.6.4). */
const LOOKUPS_MAX = 10
/** Names that such terms ask for and that are not there. */
const VOID_LOOKUPS_MAX = 2
/** Hosts of one `mx`, and names of one address. */
const HOSTS_MAX = 10
/** All that the limits above allow, and no more: a macro may ask anew each time that it stands there. */
const QUESTIONS_MAX = 150

/** RFC 7208 §2.6. */
export type SpfWord = SpfQualifier | 'none' | 'temperror' | 'permerror'

export interface SpfQuery {
  /** Of the client. */
  readonly ip: string
  /** Empty for reports; the client's own name counts then (RFC 7208 §2.4). */
  readonly mailFrom: string
  readonly helo: string
}

export interface SpfResult {
  readonly result: SpfWord
  readonly identity: 'mailfrom' | 'helo'
  /** Whose record it was. */
  readonly domain: string
}

export async function checkSpf({ ip, mailFrom, helo }: SpfQuery, ask: DnsAsk): Promise<SpfResult> {
  const identity = mailFrom === '' ? 'helo' : 'mailfrom'
  const written = mailFrom === '' ? `postmaster@${helo}` : mailFrom
  const sender = written.startsWith('@') ? `postmaster${written}` : written
  const domain = sender.slice(sender.lastIndexOf('@') + 1)
  const check = new SpfCheck({ ip: ip.replace(/^::ffff:(?=\d+\.)/i, ''), sender, helo }, ask)
  try {
    return { result: await check.host(domain), identity, domain }
  } catch (error) {
    if (error instanceof SpfError) return { result: error.result, identity, domain }
    throw error
  }
}

/** Ends the whole evaluation (RFC 7208 §2.6.6, §2.6.7). */
class SpfError extends Error {
  readonly result: 'temperror' | 'permerror'

  constructor(result: 'temperror' | 'permerror') {
    super(result)
    this.result = result
  }
}

interface Client {
  readonly ip: string
  readonly sender: string
  readonly helo: string
}

/** One evaluation of check_host() and all that it calls for; the limits are of all of it together. */
class SpfCheck {
  readonly #client: Client
  readonly #ask: DnsAsk
  readonly #addressType: 'A' | 'AAAA'
  #lookups = 0
  #voids = 0

  constructor(client: Client, ask: DnsAsk) {
    this.#client = client
    let questions = 0
    this.#ask = (name, type) => {
      if (++questions > QUESTIONS_MAX) throw new SpfError('permerror')
      return ask(name, type)
    }
    this.#addressType = isIPv6(client.ip) ? 'AAAA' : 'A'
  }

  /** RFC 7208 §4. */
  async host(domain: string): Promise<SpfQualifier | 'none'> {
    if (!isAskable(domain) || !(isIPv4(this.#client.ip) || isIPv6(this.#client.ip))) return 'none'
    const answer = await this.#ask(domain, 'TXT')
    if (answer.kind === 'trouble') throw new SpfError('temperror')
    const records = answer.kind === 'records' ? answer.records.filter(isSpfRecord) : []
    const [text, ...others] = records
    if (text === undefined) return 'none'
    const record = others.length > 0 ? undefined : parseSpfRecord(text)
    if (record === undefined) throw new SpfError('permerror')
    return await this.#evaluate(record, domain)
  }

  async #evaluate({ directives, redirect }: SpfRecord, domain: string): Promise<SpfQualifier> {
    for (const { qualifier, mechanism } of directives) if (await this.#matches(mechanism, domain)) return qualifier
    if (redirect === undefined) return 'neutral'
    this.#countLookup()
    return await this.#required(await this.#name(redirect, domain))
  }

  /** RFC 7208 §5.2, §6.1: a record that another one counts on must be there. */
  async #required(domain: string): Promise<SpfQualifier> {
    const result = await this.host(domain)
    if (result === 'none') throw new SpfError('permerror')
    return result
  }

  async #matches(mechanism: SpfMechanism, domain: string): Promise<boolean> {
    if (mechanism.kind === 'all') return true
    if (mechanism.kind === 'ip') return inNetwork(this.#client.ip, mechanism.address, mechanism.prefix)
    this.#countLookup()
    const target = mechanism.target === undefined ? domain : await this.#name(mechanism.target, domain)
    switch (mechanism.kind) {
      case 'include':
        return (await this.#required(target)) === 'pass'
      case 'exists':
        return (await this.#records(target, 'A')).length > 0
      case 'a':
        return this.#isAmong(await this.#records(target, this.#addressType), mechanism.prefixes)
      case 'mx':
        return await this.#isMailHost(target, mechanism.prefixes)
      case 'ptr': {
        const names = await this.#validatedNames(target)
        return names.length > 0
      }
    }
  }

  #countLookup(): void {
    if (++this.#lookups > LOOKUPS_MAX) throw new SpfError('permerror')
  }

  async #name(macro: MacroString, domain: string): Promise<string> {
    const { ip, sender, helo } = this.#client
    return await expandDomain(macro, {
      sender,
      helo,
      domain,
      dottedIp: dottedIp(ip),
      family: isIPv6(ip) ? 'v6' : 'v4',
      validatedName: async () =>
        (await this.#validatedNames(domain))[0] ?? (await this.#validatedNames(''))[0] ?? 'unknown',
    })
  }

  async #records<Type extends keyof DnsRecords>(name: string, type: Type): Promise<readonly DnsRecords[Type][]> {
    const answer = await this.#ask(name, type)
    if (answer.kind === 'trouble') throw new SpfError('temperror')
    if (answer.kind === 'records') return answer.records
    if (++this.#voids > VOID_LOOKUPS_MAX) throw new SpfError('permerror')
    return []
  }

  async #isMailHost(target: string, prefixes: { readonly v4: number; readonly v6: number }): Promise<boolean> {
    const hosts = await this.#records(target, 'MX')
    if (hosts.length > HOSTS_MAX) throw new SpfError('permerror')
    for (const { exchange } of hosts)
      if (this.#isAmong(await this.#records(exchange, this.#addressType), prefixes)) return true
    return false
  }

  #isAmong(addresses: readonly string[], { v4, v6 }: { readonly v4: number; readonly v6: number }): boolean {
    const prefix = this.#addressType === 'A' ? v4 : v6
    return addresses.some((address) => inNetwork(this.#client.ip, address, prefix))
  }

  /** Names of the client's address within `target` that lead back to it (RFC 7208 §5.5); an error is as none. */
  async #validatedNames(target: string): Promise<readonly string[]> {
    const answer = await this.#ask(reverseName(this.#client.ip), 'PTR')
    const names = answer.kind === 'records' ? answer.records.slice(0, HOSTS_MAX) : []
    const within = target.toLowerCase()
    const wanted = names.filter((name) => within === '' || name === within || name.endsWith(`.${within}`))
    const validated: string[] = []
    for (const name of wanted) {
      const addresses = await this.#ask(name, this.#addressType)
      if (addresses.kind === 'records' && this.#isAmong(addresses.records, { v4: 32, v6: 128 })) validated.push(name)
    }
    return validated
  }
}

/** RFC 7208 §4.3: a name of several labels; whatever else it is, the name server will not know it. */
function isAskable(domain: string): boolean {
  const labels = domain.replace(/\.$/, '').split('.')
  return labels.length > 1 && domain.length <= 254 && labels.every((label) => label.length >= 1 && label.length <= 63)
}
