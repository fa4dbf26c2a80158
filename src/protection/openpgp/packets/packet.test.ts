import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { hex } from '../../../base/bytes.ts'
import { attempt } from '../../malformed.ts'
import { PACKET, PACKETS_MAX, readPackets, writePacket } from './packet.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

const read: readonly [encoded: string, packets: string[], why: string][] = [
  ['', [], 'nothing'],
  ['cd 03 616263', ['13 616263'], 'OpenPGP format'],
  ['cd 00', ['13 '], 'empty'],
  ['b4 03 616263', ['13 616263'], 'Legacy format, length of 1 byte'],
  ['b5 0003 616263', ['13 616263'], 'Legacy format, length of 2 bytes'],
  ['b6 00000003 616263', ['13 616263'], 'Legacy format, length of 4 bytes'],
  ['cd ff00000003 616263', ['13 616263'], 'a length in a longer form than it needs'],
  ['af 616263', ['11 616263'], 'Legacy format, up to the end'],
  ['cb e1 6162 01 63', ['11 616263'], 'in parts'],
  ['cb e1 6162 e0 63 00 cd 01 64', ['11 616263', '13 64'], 'in parts, the last of them empty'],
  ['ff 01 61', ['63 61'], 'a type that nobody knows'],
]
for (const [encoded, packets, why] of read)
  test(`reads: ${why}`, () =>
    assert.deepEqual(
      readPackets(bytes(encoded)).map(({ type, body }) => `${type} ${hex(body)}`),
      packets,
    ))

const refused: readonly [encoded: string, error: RegExp, why: string][] = [
  ['4d 03 616263', /no packet begins here/, 'bit 7 is not set'],
  ['cd 03 616263 0a', /no packet begins here/, 'something behind the last packet'],
  ['80 00', /reserved/, 'type 0'],
  ['cd', /too early/, 'no length'],
  ['cd c1', /too early/, 'half a length'],
  ['cd ff000000', /too early/, 'four fifths of a length'],
  ['b6 000000', /too early/, 'half a length in Legacy format'],
  ['cd 04 616263', /too early/, 'half a body'],
  ['cd ffffffffff 616263', /too early/, 'the longest length'],
  ['cb e1 6162', /too early/, 'no last part'],
  ['cb e1 6162 02 63', /too early/, 'half a last part'],
  ['cd e1 6162 01 63', /must state its length/, 'a user ID in parts'],
  ['b7 616263', /must state its length/, 'a user ID up to the end'],
]
for (const [encoded, error, why] of refused)
  test(`refuses: ${why}`, () => {
    const packets = attempt(() => readPackets(bytes(encoded)))
    assert(!packets.ok)
    assert.match(packets.error, error)
  })

for (const length of [0, 191, 192, 8383, 8384, 2 ** 16])
  test(`a body of ${length} bytes comes back`, () => {
    const body = Buffer.alloc(length, 7)
    assert.deepEqual(readPackets(writePacket(PACKET.LITERAL, body)), [{ type: PACKET.LITERAL, body }])
  })

test('lengths are written in their shortest form (RFC 9580 §4.2.1)', () => {
  const header = (length: number): string => hex(writePacket(PACKET.LITERAL, Buffer.alloc(length))).slice(0, 12)
  assert.equal(header(100).slice(0, 4), 'cb64')
  assert.equal(header(1723).slice(0, 6), 'cbc5fb')
  assert.equal(header(100_000), 'cbff000186a0')
})

test('no more packets than anybody has', () => {
  const marker = bytes('ca 03 504750')
  const many = (count: number) => attempt(() => readPackets(Buffer.concat(Array.from({ length: count }, () => marker))))
  assert(many(PACKETS_MAX).ok)
  assert(!many(PACKETS_MAX + 1).ok)
})

test('no more parts than anybody writes', () => {
  const parts = Buffer.alloc(600_000, bytes('e0 61'))
  assert(!attempt(() => readPackets(Buffer.concat([bytes('cb'), parts, bytes('00')]))).ok)
})
