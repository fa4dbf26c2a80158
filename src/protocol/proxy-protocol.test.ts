import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readProxyHeader, V1_MAX_BYTES, V2_MAX_BYTES } from './proxy-protocol.ts'

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const V2 = '\r\n\r\n\0\r\nQUIT\n'
const V4_BLOCK = '\xc0\x00\x02\x01\x0a\x00\x00\x01\xdb\x3c\x00\x19' // 192.0.2.1:56124 → 10.0.0.1:25
const MAPPED_BLOCK = `${`${'\0'.repeat(10)}\xff\xff\xc0\x00\x02\x01`.repeat(2)}\x00\x01\x00\x19`
const V6_BLOCK = `${`\x20\x01\x0d\xb8${'\0'.repeat(11)}\x01`.repeat(2)}\x00\x01\x00\x19`

const found: readonly [header: string, client: string | undefined, why: string][] = [
  ['PROXY TCP4 192.0.2.1 10.0.0.1 56124 25\r\n', '192.0.2.1 56124', 'version 1, IPv4'],
  ['PROXY TCP6 2001:DB8:0::1 ::1 1 25\r\n', '2001:db8::1 1', 'version 1, IPv6 in another spelling'],
  ['PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n', '192.0.2.1 1', 'IPv4 that is written as IPv6'],
  ['PROXY UNKNOWN\r\n', undefined, 'the balancer does not know'],
  ['PROXY UNKNOWN ffff::1 what ever\r\n', undefined, 'and what it says then is ignored'],
  [`${V2}\x21\x11\x00\x0c${V4_BLOCK}`, '192.0.2.1 56124', 'version 2, IPv4'],
  [`${V2}\x21\x21\x00\x24${V6_BLOCK}`, '2001:db8::1 1', 'version 2, IPv6'],
  [`${V2}\x21\x21\x00\x24${MAPPED_BLOCK}`, '192.0.2.1 1', 'version 2, IPv4 that is written as IPv6'],
  [`${V2}\x21\x11\x00\x10${V4_BLOCK}\x04\x00\x01x`, '192.0.2.1 56124', 'what follows the addresses is skipped'],
  [`${V2}\x20\x00\x00\x00`, undefined, 'LOCAL: a health check'],
  [`${V2}\x20\x11\x00\x0c${V4_BLOCK}`, undefined, 'LOCAL with addresses that mean nothing'],
  [`${V2}\x21\x00\x00\x03abc`, undefined, 'PROXY for an unknown family'],
  [`${V2}\x21\x31\x00\xd8${'p'.repeat(216)}`, undefined, 'PROXY for a socket in the file system'],
]
for (const [header, client, why] of found)
  test(`is read: ${why}`, () => {
    const read = readProxyHeader(bytesOf(`${header}EHLO x\r\n`))
    assert(read.kind === 'found', JSON.stringify(read))
    assert.equal(read.lengthBytes, header.length)
    assert.equal(read.value && `${read.value.address} ${read.value.port}`, client)
    for (let length = 0; length < header.length; length++)
      assert.equal(readProxyHeader(bytesOf(header.slice(0, length))).kind, 'more', `after ${length} bytes`)
  })

const refused: readonly [header: string, why: string][] = [
  ['EHLO client.example\r\n', 'a client without a balancer'],
  ['\x16\x03\x01\x02\x00', 'TLS at once'],
  ['proxy TCP4 192.0.2.1 10.0.0.1 1 25\r\n', 'in small letters'],
  ['PROXY TCP4 192.0.2.1 10.0.0.1 1 25\n', 'a bare LF'],
  ['PROXY TCP4 192.0.2.1 10.0.0.1 1 25\rx', 'a bare CR'],
  ['PROXY TCP4 192.0.2.01 10.0.0.1 1 25\r\n', 'a leading zero in an address'],
  ['PROXY TCP4 192.0.2.1 10.0.0.1 01 25\r\n', 'a leading zero in a port'],
  ['PROXY TCP4 192.0.2.1 10.0.0.1 1 65536\r\n', 'no port'],
  ['PROXY TCP4 192.0.2.256 10.0.0.1 1 25\r\n', 'no address'],
  ['PROXY TCP4 2001:db8::1 ::1 1 25\r\n', 'IPv6 said to be IPv4'],
  ['PROXY TCP6 192.0.2.1 10.0.0.1 1 25\r\n', 'IPv4 said to be IPv6'],
  ['PROXY TCP4  192.0.2.1 10.0.0.1 1 25\r\n', 'two spaces'],
  ['PROXY TCP4 192.0.2.1 10.0.0.1 1 25 \r\n', 'a space at the end'],
  ['PROXY UDP4 192.0.2.1 10.0.0.1 1 25\r\n', 'not TCP'],
  ['PROXY UNKNOWNS\r\n', 'a longer word'],
  [`PROXY UNKNOWN ${'x'.repeat(V1_MAX_BYTES)}`, 'a line without end'],
  [`${V2}\x11\x11\x00\x0c${V4_BLOCK}`, 'version 1 in binary'],
  [`${V2}\x22\x11\x00\x0c${V4_BLOCK}`, 'an unknown command'],
  [`${V2}\x21\x41\x00\x0c${V4_BLOCK}`, 'an unknown family'],
  [`${V2}\x21\x12\x00\x0c${V4_BLOCK}`, 'datagrams'],
  [`${V2}\x21\x11\x00\x0b${V4_BLOCK}`, 'shorter than its addresses'],
  [`${V2}\x21\x11${String.fromCharCode(V2_MAX_BYTES >> 8)}\x00`, 'longer than we read'],
]
for (const [header, why] of refused)
  test(`is refused: ${why}`, () => assert.equal(readProxyHeader(bytesOf(header)).kind, 'none'))
