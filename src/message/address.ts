/** Mail addresses: text enters once, and comes out as a type that can be compared. */
import { Buffer } from 'node:buffer'
import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

/** A domain in lower-case A-labels (RFC 5890 §2.3.2.1) or an address literal, so that `===` compares domains. */
export type Domain = string & { readonly brand: 'Domain' }

/** local-part@domain (RFC 5321 §4.1.2): the local part as written, in quotes only where it cannot do without. */
export type Address = string & { readonly brand: 'Address' }

/** In octets (RFC 5321 §4.5.3.1.1). */
export const LOCAL_PART_BYTES_MAX = 64
/** In octets: the path limit of 256 (RFC 5321 §4.5.3.1.3) without its angle brackets. */
export const ADDRESS_BYTES_MAX = 254
const DOMAIN_CHARS_MAX = 253
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Reads `Mailbox` (RFC 5321 §4.1.2) with the UTF-8 of RFC 6531 §3.3. `undefined` when it is anything else: no blanks, no
 * comments, no angle brackets, no route. Local parts that look like an encoded word are refused: some readers would
 * decode them into another address.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_BYTES_MAX + LOCAL_PART_BYTES_MAX * 2) return undefined // quoting may take room
  const at = text.startsWith('"') ? endOfQuotedString(text) : text.indexOf('@')
  if (at < 1 || text[at] !== '@') return undefined
  const local = normalLocalPart(text.slice(0, at))
  const domain = parseDomain(text.slice(at + 1)) ?? parseLiteral(text.slice(at + 1))
  if (local === undefined || domain === undefined) return undefined
  const address = `${local}@${domain}`
  return isAddress(address) ? address : undefined
}

/** Called with what has been read and normalised; only the whole length is left to check. */
const isAddress = (text: string): text is Address => Buffer.byteLength(text) <= ADDRESS_BYTES_MAX

/** A domain name, not a literal. U-labels become A-labels (RFC 5891 §5); `undefined` when it can be no mail domain. */
export function parseDomain(text: string): Domain | undefined {
  if (text.length > DOMAIN_CHARS_MAX) return undefined
  // oxlint-disable-next-line no-control-regex -- domainToASCII would also take %41, a/b and 0x7f.1
  const isAscii = /^[\0-\x7f]*$/.test(text)
  // oxlint-disable-next-line no-control-regex -- as above
  if (!isAscii && !/^[^\0-,/:-@[-`{-\x7f]*$/.test(text)) return undefined
  const domain = isAscii ? text.toLowerCase() : domainToASCII(text)
  return isDomainName(domain) ? domain : undefined
}

export const localPart = (address: Address): string => address.slice(0, address.lastIndexOf('@'))

/** What follows the last `@` of an Address has been read as a Domain, or made from one. */
export const domainOf = (address: Address): Domain => address.slice(address.lastIndexOf('@') + 1) as Domain

/** Do both lead to the same mailbox? Case does not count (docs/decisions/0003-address-case.md). */
export const sameAddress = (a: Address, b: Address): boolean => a === b || addressKey(a) === addressKey(b)

/** Equal for equal addresses: the key for maps and tables. */
export function addressKey(address: Address): string {
  if (IS_ITS_KEY.test(address)) return address
  const local = localPart(address).normalize('NFC')
  return `${local.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())}@${domainOf(address)}`
}

/** Most are asked for their key many times: printable ASCII, in lower case. */
const IS_ITS_KEY = /^[ -@[-~]+$/

/** atext (RFC 5322 §3.2.3) and UTF-8 (RFC 6531 §3.3), of which blanks, controls and invisible characters are refused. */
const ATOM = /^(?:[!#-'*+\-/-9=?A-Z^-~]|(?![\p{C}\p{Z}])[^\0-\x7f])+$/u // oxlint-disable-line no-control-regex
const QUOTABLE = /^(?:[\x20-\x7e]|(?![\p{C}\p{Z}])[^\0-\x7f])*$/u // oxlint-disable-line no-control-regex
const ENCODED_WORD = /=\?[^?]*\?[bq]\?/i

/** Index after the closing quote; -1 when there is none. */
function endOfQuotedString(text: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return -1
}

function normalLocalPart(written: string): string | undefined {
  const content = written.startsWith('"') ? written.slice(1, -1).replace(/\\(.)/gsu, '$1') : written
  if (ENCODED_WORD.test(content)) return undefined
  let normal: string | undefined
  if (content.split('.').every((atom) => ATOM.test(atom))) normal = content
  else if (written.startsWith('"') && QUOTABLE.test(content)) normal = `"${content.replace(/["\\]/g, '\\$&')}"`
  return normal !== undefined && Buffer.byteLength(normal) <= LOCAL_PART_BYTES_MAX ? normal : undefined
}

function isDomainName(text: string): text is Domain {
  const labels = text.split('.')
  // 192.0.2.1 without brackets is no domain
  return (
    text.length <= DOMAIN_CHARS_MAX && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '')
  )
}

/** `[192.0.2.1]` and `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3), without zone; IPv6 in the spelling of RFC 5952. */
function parseLiteral(text: string): Domain | undefined {
  if (!/^\[[0-9a-fipv:.]{3,60}\]$/i.test(text)) return undefined
  const inner = text.slice(1, -1)
  const v6 = /^ipv6:/i.test(inner) && isIPv6(inner.slice(5)) ? inner.slice(5) : undefined
  const literal = v6 === undefined ? text : `[IPv6:${new URL(`http://[${v6}]`).hostname.slice(1, -1)}]`
  return isLiteral(literal) ? literal : undefined
}

function isLiteral(text: string): text is Domain {
  return text.startsWith('[IPv6:') ? isIPv6(text.slice(6, -1)) : text.startsWith('[') && isIPv4(text.slice(1, -1))
}
