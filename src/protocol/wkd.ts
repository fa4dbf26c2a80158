/**
 * Names of the OpenPGP Web Key Directory (draft-koch-openpgp-webkey-service): where the keys of an address are, and which
 * keys a request asks for.
 */
import { hash } from 'node:crypto'
import { type Address, type Domain, domainOf, localPart, parseDomain } from '../message/address.ts'

const WELL_KNOWN = '/.well-known/openpgpkey/'
const ADVANCED_LABEL = 'openpgpkey.'
/** Of RFC 6189's base 32, in which no digit looks like another. */
const ZBASE32 = 'ybndrfg8ejkmcpqxot1uwisza345h769'
/** 160 bits at 5 a letter. */
const HASH = /^[ybndrfg8ejkmcpqxot1uwisza345h769]{32}$/
/** Longer than any path of the directory with an escaped local part behind it. */
export const WKD_TARGET_MAX_CHARS = 1_024

export interface WkdPlaces {
  /** Asked first, and alone where its host exists. */
  readonly advanced: { readonly host: string; readonly url: string }
  readonly direct: { readonly url: string }
}

/** `undefined` for address literals, which have no directory. */
export function wkdPlaces(address: Address): WkdPlaces | undefined {
  const domain = parseDomain(domainOf(address))
  if (domain === undefined) return undefined
  const host = `${ADVANCED_LABEL}${domain}`
  const file = `hu/${wkdHash(localPart(address))}?l=${encodeURIComponent(localPart(address))}`
  return {
    advanced: { host, url: `https://${host}${WELL_KNOWN}${domain}/${file}` },
    direct: { url: `https://${domain}${WELL_KNOWN}${file}` },
  }
}

/** SHA-1 of the local part in z-base-32; of capital letters only those of ASCII count as small ones. */
export function wkdHash(local: string): string {
  const folded = local.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  let text = ''
  let bits = 0
  let count = 0
  for (const byte of hash('sha1', folded, 'buffer')) {
    bits = ((bits << 8) | byte) & 0xfff
    for (count += 8; count >= 5; count -= 5) text += ZBASE32.charAt((bits >> (count - 5)) & 31)
  }
  return text
}

export type WkdRequest =
  | { readonly kind: 'policy'; readonly domain: Domain }
  | {
      readonly kind: 'key'
      readonly domain: Domain
      readonly hash: string
      /** As the client knows it; missing where it does not say. */
      readonly localPart?: string
    }

/** What a request to `host` (its port left out) asks for; `undefined` when it is for nothing in the directory. */
export function readWkdRequest(host: string, target: string): WkdRequest | undefined {
  if (target.length > WKD_TARGET_MAX_CHARS || !target.startsWith(WELL_KNOWN)) return undefined
  const [path = '', query = '', ...more] = target.slice(WELL_KNOWN.length).split('?')
  const steps = path.split('/')
  const isAdvanced = host.toLowerCase().startsWith(ADVANCED_LABEL)
  const domain = parseDomain(isAdvanced ? (steps.shift() ?? '') : host)
  if (domain === undefined || more.length > 0) return undefined
  if (isAdvanced && host.toLowerCase() !== `${ADVANCED_LABEL}${domain}`) return undefined
  const [first, name = '', ...rest] = steps
  if (first === 'policy' && steps.length === 1) return { kind: 'policy', domain }
  if (first !== 'hu' || rest.length > 0 || !HASH.test(name)) return undefined
  const local = new URLSearchParams(query).get('l')
  return { kind: 'key', domain, hash: name, ...(local !== null && { localPart: local }) }
}
