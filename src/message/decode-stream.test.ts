import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Collector } from '../base/byte-sink.ts'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { push } from '../../test/support/push.ts'
import { decodeBase64, decodeQuotedPrintable } from './decode.ts'
import { decodingSink } from './decode-stream.ts'

const base64Text = fc
  .array(fc.constantFrom('QUJD', 'Zm9v', 'QQ==', '\r\n', '=', 'A', '-', 'é', ' ', 'QUI=', '\t\n'), { maxLength: 40 })
  .map((pieces) => pieces.join(''))
const quotedText = fc
  .array(fc.constantFrom('abc', '=41', '=', '=\r\n', ' ', '\t\r\n', '\n', '=4', '=zz', 'é', '\r'), { maxLength: 40 })
  .map((pieces) => pieces.join(''))

test('base64 in chunks is decoded as in one piece', () => {
  fc.assert(
    fc.property(base64Text, fc.integer({ min: 1, max: 9 }), (text, chunkBytes) => {
      const whole = decodeBase64(fromLatin1(text)).bytes
      assert.equal(latin1(push(fromLatin1(text), (out) => decodingSink('base64', out), chunkBytes)), latin1(whole))
    }),
    { numRuns: 3000 },
  )
})

test('quoted-printable in chunks is decoded as in one piece', () => {
  fc.assert(
    fc.property(quotedText, fc.integer({ min: 1, max: 9 }), (text, chunkBytes) => {
      const whole = decodeQuotedPrintable(fromLatin1(text)).bytes
      const streamed = push(fromLatin1(text), (out) => decodingSink('quoted-printable', out), chunkBytes)
      assert.equal(latin1(streamed), latin1(whole))
    }),
    { numRuns: 3000 },
  )
})

test('what is not encoded passes as it is', () => {
  const out = new Collector()
  for (const encoding of ['7bit', '8bit', 'binary', 'unknown'] as const)
    assert.equal(decodingSink(encoding, out), out, encoding)
})

test('a quoted-printable body of one endless line is decoded before it is too large for memory', () => {
  const out = new Collector()
  const sink = decodingSink('quoted-printable', out)
  for (let i = 0; i < 40; i++) sink.write(Buffer.alloc(64 * 1024, 'a'))
  assert.ok(out.lengthBytes > 2 ** 20)
  sink.end()
  assert.equal(out.lengthBytes, 40 * 64 * 1024)
})

test('what the next sink throws comes out, and nothing is written twice', () => {
  let written = 0
  const sink = decodingSink('base64', {
    write: () => {
      written++
      throw new Error('enough')
    },
    end: () => undefined,
  })
  assert.throws(() => sink.write(Buffer.from('SGVsbG8h')), /enough/)
  assert.equal(written, 1)
})
