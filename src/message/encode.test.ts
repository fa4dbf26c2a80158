import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Collector } from '../base/byte-sink.ts'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { base64LineSink, encodeBase64Lines } from './encode.ts'

/** What the encoder must write, from the runtime's own. */
const expected = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('base64')
    .replace(/.{1,76}/g, '$&\r\n')

test('every length around one, two and many lines', () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, at) => (at * 7919) & 255)
  for (const length of [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 58_367, 58_368, 58_369, 200_000])
    assert.equal(latin1(encodeBase64Lines(bytes.subarray(0, length))), expected(bytes.subarray(0, length)))
})

test('every octet and every pair of characters', () => {
  const bytes = Uint8Array.from({ length: 3 * 65_536 }, (_, at) => (at % 3 === 1 ? at / 3 : at / 768) & 255)
  assert.equal(latin1(encodeBase64Lines(bytes)), expected(bytes))
})

test('the same bytes however they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200, size: 'max' }), { maxLength: 8, size: 'max' }), (chunks) => {
      const out = new Collector()
      const sink = base64LineSink(out)
      for (const chunk of chunks) sink.write(chunk)
      sink.end()
      assert.ok(out.ended)
      assert.equal(latin1(Buffer.concat(out.chunks)), expected(Buffer.concat(chunks)))
    }),
  )
})

test('a chunk that changes after it was written changes nothing', () => {
  const out = new Collector()
  const sink = base64LineSink(out)
  const chunk = fromLatin1('abc')
  sink.write(chunk)
  chunk.fill(0)
  sink.end()
  assert.equal(latin1(Buffer.concat(out.chunks)), 'YWJj\r\n')
})

test('a large chunk comes out in pieces', () => {
  const out = new Collector()
  base64LineSink(out).write(new Uint8Array(1_000_000))
  assert.ok(out.chunks.every((chunk) => chunk.length < 100_000))
})
