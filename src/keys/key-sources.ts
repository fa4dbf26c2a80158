/**
 * Where keys of correspondents are looked up on the network, in the order in which they are asked. What comes back is
 * bytes; whose key they are, and whether it may be used, is decided by who asked (decision 0046).
 */
import { hash } from 'node:crypto'
import { concatBytes } from '../base/bytes.ts'
import type { DnsAsk } from '../base/dns-client.ts'
import { type Result, fail, ok } from '../base/result.ts'
import { type Address, domainOf, localPart, parseDomain } from '../message/address.ts'
import { wkdPlaces } from '../protocol/wkd.ts'
import type { Certificate, StandardName, TrustLevel } from '../protection/standard.ts'
import type { LookUpHost } from './host-names.ts'
import type { Fetch } from './http-fetch.ts'

/** An OpenPGP certificate with post-quantum subkeys and many signatures has some 100 KiB; a photograph has more. */
export const KEYS_MAX_BYTES = 512 * 2 ** 10

export type KeySourceName = 'dns' | 'wkd' | 'vks' | 'hkp'

export interface KeySource {
  readonly name: KeySourceName
  readonly standard: StandardName
  /** Of what is found there. */
  readonly trust: TrustLevel
  /** No bytes: there is no key. Never rejects. */
  ask(address: Address, signal: AbortSignal): Promise<Result<Uint8Array>>
  /** Of what came back, the certificates that speak for the address; nobody else's. */
  read(bytes: Uint8Array, address: Address): readonly Certificate[]
}

/** `lookup` of the configuration. */
export interface LookUpRules {
  readonly dns: boolean
  readonly wkd: boolean
  /** `https://host`, without a path. */
  readonly vks: readonly string[]
  readonly hkp: readonly string[]
}

/** What the sources are asked with, and how their answers are read: see `KeySource.read`. */
export interface KeySourceDeps {
  readonly fetch: Fetch
  readonly lookUp: LookUpHost
  readonly askDns: DnsAsk
  read(bytes: Uint8Array, address: Address): readonly Certificate[]
}

export function keySources(rules: LookUpRules, { fetch, lookUp, askDns, read }: KeySourceDeps): readonly KeySource[] {
  const get: Get = (url, signal) =>
    fetch({ url, sizeMaxBytes: KEYS_MAX_BYTES, httpsOnly: true, emptyWhenAbsent: true }, signal)
  const common = { standard: 'openpgp', read } as const
  return [
    ...(rules.dns ? [{ ...common, name: 'dns', trust: 'found', ask: askSignedZone(askDns) } as const] : []),
    ...(rules.wkd ? [{ ...common, name: 'wkd', trust: 'found', ask: askDirectory(get, lookUp) } as const] : []),
    ...rules.vks.map((server) => {
      const ask: KeySource['ask'] = (address, signal) => get(vksUrl(server, address), signal)
      return { ...common, name: 'vks', trust: 'found', ask } as const
    }),
    ...rules.hkp.map((server) => {
      const ask: KeySource['ask'] = (address, signal) => get(hkpUrl(server, address), signal)
      return { ...common, name: 'hkp', trust: 'candidate', ask } as const // anybody may put any key under any address
    }),
  ]
}

type Get = (url: string, signal: AbortSignal) => Promise<Result<Uint8Array>>

/** Only a zone that is signed, as a name server that we believe has found, says anything: RFC 7929. */
function askSignedZone(askDns: DnsAsk): KeySource['ask'] {
  return async (address) => {
    const domain = parseDomain(domainOf(address))
    if (domain === undefined) return ok(new Uint8Array(0))
    const answer = await askDns(`${dnsLabel(localPart(address))}._openpgpkey.${domain}`, 'OPENPGPKEY')
    if (answer.kind === 'trouble') return fail(answer.why)
    return ok(answer.kind === 'records' && answer.secure ? concatBytes(answer.records) : new Uint8Array(0))
  }
}

/** 28 octets of SHA-256 of the local part as it is written. */
const dnsLabel = (local: string): string => hash('sha256', local).slice(0, 56)

/**
 * The direct method counts only where the host of the advanced one does not exist: what that host says, or fails to say,
 * is the domain's word.
 */
function askDirectory(get: Get, lookUp: LookUpHost): KeySource['ask'] {
  return async (address, signal) => {
    const places = wkdPlaces(address)
    if (places === undefined) return ok(new Uint8Array(0))
    const { advanced, direct } = places
    let hasAdvanced: boolean
    try {
      hasAdvanced = (await lookUp(advanced.host)).length > 0
    } catch {
      return fail(`nobody could say whether ${advanced.host} exists`)
    }
    return get((hasAdvanced ? advanced : direct).url, signal)
  }
}

const vksUrl = (server: string, address: Address): string => `${server}/vks/v1/by-email/${encodeURIComponent(address)}`

const hkpUrl = (server: string, address: Address): string =>
  `${server}/pks/lookup?op=get&options=mr&exact=on&search=${encodeURIComponent(address)}`
