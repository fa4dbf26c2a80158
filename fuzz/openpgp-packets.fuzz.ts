/** OpenPGP packets: no throw but Malformed; the stream reader agrees with the one in memory, and what is written is read. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { Collector } from '../src/base/byte-sink.ts'
import { hex } from '../src/base/bytes.ts'
import { attempt } from '../src/protection/malformed.ts'
import { Cursor, writeMpi } from '../src/protection/openpgp/packets/cursor.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../src/protection/openpgp/packets/packet.ts'
import { PacketStream } from '../src/protection/openpgp/packets/packet-stream.ts'

export function target(bytes: Uint8Array): void {
  const packets = attempt(() => readPackets(bytes))
  if (packets.ok) assert.equal(summary(readPackets(write(packets.value))), summary(packets.value))
  for (const chunkBytes of [1000, 1, 3]) {
    const streamed = attempt(() => stream(bytes, chunkBytes))
    assert.equal(streamed.ok && summary(streamed.value), packets.ok && summary(packets.value))
  }
  const number = attempt(() => new Cursor(bytes).mpi())
  if (number.ok) assert.equal(hex(new Cursor(writeMpi(number.value)).mpi()), hex(number.value))
}

function stream(bytes: Uint8Array, chunkBytes: number): Packet[] {
  const found: { readonly type: number; readonly body: Collector }[] = []
  const reader = new PacketStream((type) => {
    const body = new Collector()
    found.push({ type, body })
    return body
  })
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.write(bytes.subarray(at, at + chunkBytes))
  reader.end()
  return found.map(({ type, body }) => ({ type, body: Buffer.concat(body.chunks) }))
}

const write = (packets: readonly Packet[]): Uint8Array =>
  Buffer.concat(packets.map(({ type, body }) => writePacket(type, body)))

const summary = (packets: readonly Packet[]): string =>
  packets.map(({ type, body }) => `${type} ${hex(body)}`).join('\n')

export function seeds(): Uint8Array[] {
  const text = Buffer.from('Hello, world')
  return [
    writePacket(PACKET.USER_ID, text),
    writePacket(PACKET.LITERAL, Buffer.alloc(200, text)),
    writePacket(PACKET.LITERAL, Buffer.alloc(9000, text)),
    Buffer.concat([Buffer.of(0xaf), text]),
    Buffer.concat([Buffer.of(0xb5, 0, text.length), text]),
    Buffer.concat([Buffer.of(0xcb, 0xe3), text.subarray(0, 8), Buffer.of(4), text.subarray(8)]),
  ]
}
