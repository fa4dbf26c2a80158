/** Armor and text signed in clear: no throw but Malformed; cut into pieces, the same; what is written is read. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { Collector } from '../src/base/byte-sink.ts'
import { hex } from '../src/base/bytes.ts'
import { attempt } from '../src/protection/malformed.ts'
import { armor, dearmor, dearmorSink, unarmored } from '../src/protection/openpgp/armor.ts'
import { readCleartext } from '../src/protection/openpgp/cleartext.ts'

export function target(bytes: Uint8Array): void {
  const block = attempt(() => dearmor(bytes))
  for (const chunkBytes of [1, 10]) {
    const streamed = attempt(() => stream(bytes, chunkBytes))
    assert.equal(streamed.ok && streamed.value, block.ok && hex(block.value.bytes))
  }
  attempt(() => unarmored(bytes))
  assert.equal(hex(dearmor(armor('PGP MESSAGE', bytes)).bytes), hex(bytes))
  const cleartext = attempt(() => readCleartext(bytes))
  if (cleartext.ok && cleartext.value !== undefined) checkOffsets(bytes, cleartext.value)
}

function checkOffsets(bytes: Uint8Array, found: { readonly startOffset: number; readonly endOffset: number }): void {
  const again = readCleartext(bytes.subarray(found.startOffset, found.endOffset))
  assert.equal(again?.startOffset, 0)
  assert.equal(again.endOffset, found.endOffset - found.startOffset)
}

function stream(bytes: Uint8Array, chunkBytes: number): string {
  const out = new Collector()
  const sink = dearmorSink(out)
  for (let at = 0; at < bytes.length; at += chunkBytes) sink.write(bytes.subarray(at, at + chunkBytes))
  sink.end()
  return hex(Buffer.concat(out.chunks))
}

export function seeds(): Uint8Array[] {
  const signature = armor('PGP SIGNATURE', Buffer.alloc(100, 'signature'))
  const clear = '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n- -- \nAlice\n'
  return [
    signature,
    Buffer.from('-----BEGIN PGP MESSAGE-----\nVersion: 1\n\nSGVsbG8=\n=AAAA\n-----END PGP MESSAGE-----\n'),
    Buffer.concat([Buffer.from('before\n'), signature, Buffer.from('after\n')]),
    Buffer.concat([Buffer.from(clear), signature]),
  ]
}
