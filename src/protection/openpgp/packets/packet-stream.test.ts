import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Collector } from '../../../base/byte-sink.ts'
import { concatBytes, hex } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { PACKET, PACKETS_MAX, readPackets, writePacket } from './packet.ts'
import { PacketStream } from './packet-stream.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** What came out, and that each body was ended. */
function stream(input: Uint8Array, chunkBytes = Infinity): string[] {
  const packets: { type: number; body: Collector }[] = []
  const reader = new PacketStream((type) => {
    assert(packets.at(-1)?.body.ended ?? true, 'one after the other')
    const body = new Collector()
    packets.push({ type, body })
    return body
  })
  for (let at = 0; at < input.length; at += chunkBytes) reader.write(input.subarray(at, at + chunkBytes))
  reader.end()
  assert(packets.every(({ body }) => body.ended))
  return packets.map(({ type, body }) => `${type} ${hex(concatBytes(body.chunks))}`)
}

const inputs: readonly [encoded: string, why: string][] = [
  ['', 'nothing'],
  ['cd 03 616263 cd 00 b5 0001 61', 'definite lengths'],
  ['b6 00000003 616263 cd ff00000003 616263', 'long lengths'],
  ['cb e1 6162 e0 63 00 cd 01 64', 'parts, the last of them empty'],
  ['cd 01 61 af 616263', 'up to the end'],
  ['af', 'up to the end, which has come'],
]
for (const [encoded, why] of inputs)
  for (const chunkBytes of [Infinity, 1, 2, 3])
    test(`gives what the reader in memory gives, in pieces of ${chunkBytes}: ${why}`, () => {
      const packets = readPackets(bytes(encoded)).map(({ type, body }) => `${type} ${hex(body)}`)
      assert.deepEqual(stream(bytes(encoded), chunkBytes), packets)
    })

for (const encoded of ['cd', 'cd c1', 'cd 02 61', 'cb e1 6162', 'cb e1 6162 c0', 'cd 01 61 0a', '80 00', 'cd e0 61 00'])
  for (const chunkBytes of [Infinity, 1])
    test(`refuses ${encoded}, in pieces of ${chunkBytes}`, () =>
      assert.throws(() => stream(bytes(encoded), chunkBytes), Malformed))

test('a body in parts of one byte goes on in pieces that are worth their cost', () => {
  const body = new Collector()
  const reader = new PacketStream(() => body)
  reader.write(bytes('cb'))
  reader.write(Buffer.alloc(200_000, bytes('e0 61')))
  reader.write(bytes('00'))
  reader.end()
  assert.equal(body.lengthBytes, 100_000)
  assert(body.chunks.length < 10)
})

test('what is in parts comes before its end has come', () => {
  const body = new Collector()
  const reader = new PacketStream(() => body)
  reader.write(Buffer.concat([bytes('cb f0'), Buffer.alloc(1000)]))
  assert.equal(body.lengthBytes, 1000)
  assert(!body.ended)
})

test('no more packets than anybody has', () => {
  const reader = new PacketStream(() => new Collector())
  const marker = writePacket(PACKET.MARKER, bytes('504750'))
  for (let count = 0; count < PACKETS_MAX; count++) reader.write(marker)
  assert.throws(() => reader.write(marker), Malformed)
})
