import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync, deflateSync } from 'node:zlib'
import { compressedData } from '../../../../test/support/compressed.ts'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { DECOMPRESSED_MAX_BYTES, EXPANSION_MAX } from '../../expansion.ts'
import { readCompressedData } from './compressed-data.ts'

const hello = deflateSync(utf8('Hello'))

test('what was compressed comes out', () => {
  for (const content of [utf8('Hello'), new Uint8Array(), new Uint8Array(5 * 2 ** 20).map((_, i) => (i * i) >> 7)])
    assert.deepEqual(readCompressedData(compressedData(deflateSync(content))), { ok: true, value: bufferOf(content) })
})

test('content of many pieces, of indefinite length', () => {
  const der = Buffer.from(compressedData(hello))
  const at = der.indexOf(hello) - 2 // the OCTET STRING
  const pieces = [...hello].map((byte) => Uint8Array.of(4, 1, byte))
  const string = concatBytes([Uint8Array.of(0x24, 0x80), ...pieces, Uint8Array.of(0, 0)])
  const head = Buffer.from(der.subarray(0, at))
  let ends = 0
  for (let i = 0; i < head.length; i++)
    if ((head[i] === 0x30 || head[i] === 0xa0) && i + 2 + (head[i + 1] ?? 0) === der.length) {
      head[i + 1] = 0x80
      ends += 2
    }
  assert.equal(ends, 10)
  const ber = concatBytes([head, string, new Uint8Array(ends)])
  assert.deepEqual(readCompressedData(ber), { ok: true, value: bufferOf(utf8('Hello')) })
})

const wrongs: readonly [bytes: Uint8Array, why: RegExp, name: string][] = [
  [compressedData(hello.subarray(0, -1)), /damaged/, 'cut off'],
  [compressedData(hello.with(hello.length - 1, 1)), /damaged/, 'a wrong checksum'],
  [compressedData(deflateRawSync(utf8('Hello'))), /damaged/, 'no zlib header'],
  [compressedData(hello, '1.2.3.4'), /unknown compression algorithm 1\.2\.3\.4/, 'another algorithm'],
  [compressedData(hello).subarray(0, -1), /./, 'a structure that is cut off'],
  [concatBytes([compressedData(hello), Uint8Array.of(0)]), /after the end/, 'something behind it'],
  [compressedData(deflateSync(new Uint8Array(DECOMPRESSED_MAX_BYTES + 1))), /too large/, 'more than there may be'],
  [compressedData(deflateSync(new Uint8Array(8 * 2 ** 20))), /too large/, `more than ${EXPANSION_MAX} times as much`],
]
for (const [bytes, why, name] of wrongs)
  test(`refused: ${name}`, () => {
    const read = readCompressedData(bytes)
    assert.match(read.ok ? '' : read.error, why)
  })

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes)
