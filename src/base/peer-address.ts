/** Where a connection comes from, as node:net tells it. */

/** True for 127.0.0.0/8 and ::1, also as a socket for both families shows them (::ffff:127.0.0.1). */
export function isLoopback(address: string): boolean {
  return address === '::1' || unmapped(address).startsWith('127.')
}

/**
 * What counts as one peer: an IPv4 address, or the first 64 bits of an IPv6 address, since one network has all that
 * follow (RFC 4291 §2.5.4). `address` is what node:net gives as a socket's remote address.
 */
export function peerGroup(address: string): string {
  const plain = unmapped(address)
  if (!plain.includes(':')) return plain
  const [head = '', tail] = (plain.split('%')[0] ?? '').split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  while (groups.length + last.length < 8) groups.push('0')
  return `${[...groups, ...last].slice(0, 4).join(':')}::/64`
}

function unmapped(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return mapped?.[1] ?? address
}
