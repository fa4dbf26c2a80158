/** Addresses of hosts as bits: is one in a network, and how SPF and the reverse tree write it. */
import { isIPv4, isIPv6 } from 'node:net'

/** Groups of 16 bits of an IPv6 address in any spelling. */
function groupsOf(v6: string): readonly number[] {
  // the runtime writes the canonical form, of which only "::" is left to undo
  const [before = '', after] = new URL(`http://[${v6.split('%')[0]}]`).hostname.slice(1, -1).split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16))
}

const bitsOf = (ip: string): string =>
  isIPv4(ip)
    ? ip
        .split('.')
        .map((octet) => Number(octet).toString(2).padStart(8, '0'))
        .join('')
    : groupsOf(ip)
        .map((group) => group.toString(2).padStart(16, '0'))
        .join('')

/** False between the families. */
export function inNetwork(ip: string, network: string, prefixBits: number): boolean {
  if (isIPv4(ip) !== isIPv4(network)) return false
  if (!isIPv4(ip) && !(isIPv6(ip) && isIPv6(network))) return false
  return bitsOf(ip).slice(0, prefixBits) === bitsOf(network).slice(0, prefixBits)
}

/** `192.0.2.1`, or the nibbles of an IPv6 address with dots between (RFC 7208 §7.3). */
export function dottedIp(ip: string): string {
  if (isIPv4(ip)) return ip
  return groupsOf(ip)
    .flatMap((group) => group.toString(16).padStart(4, '0').split(''))
    .join('.')
}

/** Where the names of an address stand (RFC 1035 §3.5, RFC 3596 §2.5). */
export const reverseName = (ip: string): string =>
  `${dottedIp(ip).split('.').toReversed().join('.')}.${isIPv4(ip) ? 'in-addr' : 'ip6'}.arpa`
