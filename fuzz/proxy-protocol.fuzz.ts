/** PROXY headers: no throw; a verdict within the limits, the same with or without what follows, and an address that is one. */
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { fromLatin1 } from '../src/base/bytes.ts'
import { hostAddress } from '../src/protocol/host-address.ts'
import { readProxyHeader, V2_MAX_BYTES } from '../src/protocol/proxy-protocol.ts'

export function target(bytes: Uint8Array): void {
  const read = readProxyHeader(bytes)
  if (read.kind === 'more') assert(bytes.length < V2_MAX_BYTES)
  if (read.kind !== 'found') return
  assert(read.lengthBytes <= Math.min(bytes.length, V2_MAX_BYTES))
  assert.deepEqual(readProxyHeader(bytes.subarray(0, read.lengthBytes)), read)
  assert.equal(readProxyHeader(bytes.subarray(0, read.lengthBytes - 1)).kind, 'more')
  if (read.value === undefined) return
  assert.notEqual(isIP(read.value.address), 0)
  assert.equal(hostAddress(read.value.address), read.value.address)
}

export function seeds(): Uint8Array[] {
  const v2 = '\r\n\r\n\0\r\nQUIT\n'
  return [
    fromLatin1('PROXY TCP4 192.0.2.1 10.0.0.1 56124 25\r\nEHLO x\r\n'),
    fromLatin1('PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 25\r\n'),
    fromLatin1('PROXY UNKNOWN\r\n'),
    fromLatin1(`${v2}\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x01\xdb\x3c\x00\x19EHLO x\r\n`),
    fromLatin1(`${v2}\x21\x21\x00\x28${'\x20\x01\x0d\xb8'.repeat(8)}\x00\x01\x00\x19\x04\x00\x01x`),
    fromLatin1(`${v2}\x20\x00\x00\x00`),
  ]
}
