/** BER and DER: no throw; the tree reader, the stream reader and the writer agree with each other. */
import assert from 'node:assert/strict'
import { parseBer, toDer } from '../src/protection/smime/asn1/ber-reader.ts'
import { BerFeed, type BerReader, type Reading, readWhole } from '../src/protection/smime/asn1/ber-stream.ts'
import { type Node, parseDer, readOid, readTimeMs } from '../src/protection/smime/asn1/der-reader.ts'
import { oid, octetString, sequence, time } from '../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../src/protection/smime/asn1/tlv.ts'
import { fixedIdentity } from '../test/support/smime-identity.ts'

export function target(bytes: Uint8Array): void {
  const der = parseDer(bytes)
  const ber = parseBer(bytes)
  if (der.ok) assert(ber.ok, 'what is DER is BER')
  const skipped = readWhole(bytes, skip)
  if (ber.ok) {
    assert(skipped.ok, 'the stream reader reads what the tree reader reads')
    checkTree(ber.value)
  }
  for (const chunkBytes of [1, 7]) assert.deepEqual(inChunks(bytes, chunkBytes), skipped)
}

function* skip(reader: BerReader): Reading<void> {
  yield* reader.skip()
}

function inChunks(bytes: Uint8Array, chunkBytes: number): unknown {
  const feed = new BerFeed(skip)
  for (let at = 0; at < bytes.length; at += chunkBytes) feed.push(bytes.subarray(at, at + chunkBytes))
  return feed.end()
}

function checkTree(node: Node): void {
  const written = toDer(node)
  const again = parseDer(written)
  assert(again.ok, 'what is written is DER')
  assert.deepEqual(Buffer.from(toDer(again.value)), Buffer.from(written))
  for (const leaf of leavesOf(again.value)) checkLeaf(leaf)
}

function leavesOf(node: Node): readonly Node[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf)
}

function checkLeaf({ tag, content, raw }: Node): void {
  const dotted = tag === TAG.OID ? readOid(content) : undefined
  if (dotted !== undefined) assert.deepEqual(Buffer.from(oid(dotted)), Buffer.from(raw))
  const ms = tag === TAG.UTC_TIME ? readTimeMs(content) : undefined
  if (ms !== undefined && content.length === 13) assert.deepEqual(Buffer.from(time(ms)), Buffer.from(raw))
}

export function seeds(): Uint8Array[] {
  const indefinite = (tag: number, ...contents: readonly Uint8Array[]): Uint8Array =>
    Buffer.concat([Uint8Array.of(tag, 0x80), ...contents, Uint8Array.of(0, 0)])
  const text = octetString(Buffer.from('text'))
  return [
    fixedIdentity('alice@example.com', 7).certificate.encoded,
    sequence(oid('1.2.840.113549.1.9.16.1.23'), oid('2.999.3'), time(Date.UTC(2026, 1, 3)), text),
    indefinite(0x30, indefinite(0x24, text, indefinite(0x24, text), text), indefinite(0x31, text, oid('1.3.101.112'))),
    indefinite(0xa0, Uint8Array.of(0x04, 0x83, 0, 0, 1, 0x61), Uint8Array.of(0x02, 0x81, 1, 5)),
  ]
}
