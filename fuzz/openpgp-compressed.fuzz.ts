/** Compressed data: no throw but Malformed; in pieces, what node:zlib gives of the whole; never too much of it. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { deflateRawSync, deflateSync } from 'node:zlib'
import { Collector } from '../src/base/byte-sink.ts'
import { hex } from '../src/base/bytes.ts'
import { DECOMPRESSED_MAX_BYTES } from '../src/protection/expansion.ts'
import { attempt } from '../src/protection/malformed.ts'
import { decompress, decompressingSink } from '../src/protection/openpgp/compressed.ts'

export function target(bytes: Uint8Array): void {
  const content = attempt(() => decompress(bytes))
  if (content.ok) assert(content.value.length <= DECOMPRESSED_MAX_BYTES)
  for (const chunkBytes of [3, 1000]) {
    const streamed = attempt(() => stream(bytes, chunkBytes))
    assert.equal(streamed.ok && streamed.value, content.ok && hex(content.value))
  }
}

function stream(bytes: Uint8Array, chunkBytes: number): string {
  const out = new Collector()
  const sink = decompressingSink(out)
  for (let at = 0; at < bytes.length; at += chunkBytes) sink.write(bytes.subarray(at, at + chunkBytes))
  sink.end()
  return hex(Buffer.concat(out.chunks))
}

export function seeds(): Uint8Array[] {
  const text = Buffer.from('Hello, hello, hello: a line of text, and another line of text\n')
  const bzip2 = 'QlpoOTFBWSZTWSZMSSsAAAIVAEAEAEACBKAAIRQyDAMK6cxo+LuSKcKEgTJiSVg='
  return [
    Buffer.concat([Buffer.of(0), text]),
    Buffer.concat([Buffer.of(1), deflateRawSync(text)]),
    Buffer.concat([Buffer.of(1), deflateRawSync(Buffer.alloc(3000, text))]),
    Buffer.concat([Buffer.of(1), deflateRawSync(text, { level: 0 })]),
    Buffer.concat([Buffer.of(2), deflateSync(text)]),
    Buffer.concat([Buffer.of(3), Buffer.from(bzip2, 'base64')]),
  ]
}
