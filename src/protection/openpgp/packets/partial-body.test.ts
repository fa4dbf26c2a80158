import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { PACKET, readPackets, writePacket } from './packet.ts'
import { partialBodySink } from './partial-body.ts'

function packet(body: Uint8Array, chunkBytes: number): { bytes: Uint8Array; writes: number } {
  const out = new Collector()
  const sink = partialBodySink(PACKET.LITERAL, out)
  for (let at = 0; at < body.length; at += chunkBytes) sink.write(body.subarray(at, at + chunkBytes))
  sink.end()
  assert(out.ended)
  return { bytes: concatBytes(out.chunks), writes: out.chunks.length }
}

const PART_BYTES = 2 ** 16

for (const length of [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 3 * PART_BYTES + 5])
  for (const chunkBytes of [100, 1000, PART_BYTES, Infinity])
    test(`${length} bytes in chunks of ${chunkBytes} come back`, () => {
      const body = Buffer.alloc(length, 'some bytes')
      const { bytes } = packet(body, chunkBytes)
      const [read, ...more] = readPackets(bytes)
      assert.equal(more.length, 0)
      assert.equal(read?.type, PACKET.LITERAL)
      assert(body.equals(read.body))
    })

test('what fits into one part is one write, its length in front', () => {
  const body = Buffer.alloc(PART_BYTES, 1)
  const { bytes, writes } = packet(body, 100)
  assert.equal(writes, 1)
  assert(Buffer.from(writePacket(PACKET.LITERAL, body)).equals(bytes))
})

test('a longer one has parts of 2 to the 16, at least 512 as the first must be (RFC 9580 §4.2.1.4)', () =>
  assert.deepEqual([...packet(Buffer.alloc(PART_BYTES + 1), 100).bytes.subarray(0, 2)], [0xcb, 0xe0 | 16]))
