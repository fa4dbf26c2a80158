/** Addresses of hosts as others write them. */
import { isIPv4, isIPv6 } from 'node:net'

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/

/**
 * In one spelling (of IPv6: RFC 5952), so that `===` compares; an IPv4 address that is written as IPv6 comes out as what it
 * is. `undefined` for what is no address, or has a zone.
 */
export function hostAddress(text: string): string | undefined {
  if (isIPv4(text)) return text
  if (!isIPv6(text) || text.includes('%')) return undefined
  const normal = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [, high, low] = MAPPED.exec(normal) ?? []
  if (high === undefined || low === undefined) return normal
  return [high, low]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.')
}
