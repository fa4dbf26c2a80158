import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { decodeBase64, decodeBody, decodeQuotedPrintable } from './decode.ts'
import { parsePart } from './parse.ts'

const base64: readonly [encoded: string, decoded: string, strange: boolean, why: string][] = [
  ['', '', false, 'nothing'],
  ['\r\n', '', false, 'a line end'],
  ['YWJj', 'abc', false, 'no padding'],
  ['YWI=', 'ab', false, 'one ='],
  ['YQ==', 'a', false, 'two ='],
  ['YQ==\r\n\r\n', 'a', false, 'line ends after it'],
  ['YW\r\nJj\r\nZA==\r\n', 'abcd', false, 'lines'],
  ['YW\nJj\n', 'abc', false, 'bare LF'],
  ['Y W\tJ j', 'abc', false, 'blanks'],
  ['YQ=\r\n=', 'a', false, 'padding over two lines'],
  ['YQ', 'a', true, 'padding missing'],
  ['YWI', 'ab', true, 'padding missing'],
  ['YQ=', 'a', true, 'half the padding'],
  ['YWJj=', 'abc', true, 'padding that does not belong'],
  ['YWJj====', 'abc', true, 'padding that does not belong'],
  ['YWJjY', 'abc', true, 'one digit too many'],
  ['Y', '', true, 'one digit'],
  ['YW!Jj', 'abc', true, 'a character outside the alphabet'],
  ['YW\0Jj', 'abc', true, 'NUL'],
  ['YWJj\xff', 'abc', true, 'eight bits'],
  ['-_-_', '', true, 'the URL alphabet is another one'],
  ['YQ==YmM=', 'a', true, 'padding ends the data'],
  ['YQ==\r\n-- \r\nThe List', 'a', true, 'a footer of a mailing list'],
  ['=', '', true, 'padding only'],
]
for (const [encoded, decoded, strange, why] of base64)
  test(`base64: ${why} ${JSON.stringify(encoded)}`, () => {
    const { bytes, defects } = decodeBase64(fromLatin1(encoded))
    assert.equal(latin1(bytes), decoded)
    assert.deepEqual(defects, strange ? ['bad-transfer-encoding'] : [])
  })

const quotedPrintable: readonly [encoded: string, decoded: string, strange: boolean, why: string][] = [
  ['abc', 'abc', false, 'plain'],
  ['a=3Db=C3=BC', 'a=b\xc3\xbc', false, 'escapes'],
  ['a=3d', 'a=', false, 'lower case'],
  ['a=\r\nb=\nc', 'abc', false, 'soft line breaks'],
  ['a= \t\r\nb', 'ab', false, 'blanks after a soft line break'],
  ['a \t\r\nb  ', 'a\r\nb', false, 'blanks at the end of a line go (RFC 2045 §6.7)'],
  ['a=20\r\n', 'a \r\n', false, 'a blank that stays'],
  ['a\nb\r\n', 'a\nb\r\n', false, 'line ends are kept'],
  ['a=', 'a', false, 'a soft line break whose line end belongs to the boundary'],
  ['=\r\n=\r\n', '', false, 'soft line breaks only'],
  ['a=XY', 'a=XY', true, 'no digits'],
  ['a=4', 'a=4', true, 'one digit'],
  ['a=4\r\n1', 'a=4\r\n1', true, 'an escape over two lines'],
  ['==', '=', true, 'two ='],
  ['a==41', 'a=A', true, 'an = before an escape'],
  ['\xff', '\xff', false, 'eight bits'],
]
for (const [encoded, decoded, strange, why] of quotedPrintable)
  test(`quoted-printable: ${why} ${JSON.stringify(encoded)}`, () => {
    const { bytes, defects } = decodeQuotedPrintable(fromLatin1(encoded))
    assert.equal(latin1(bytes), decoded)
    assert.deepEqual(defects, strange ? ['bad-transfer-encoding'] : [])
  })

const bodies: readonly [encoding: string, body: string, decoded: string, defects: string[]][] = [
  ['base64', 'YQ==', 'a', []],
  ['quoted-printable', '=41', 'A', []],
  ['7bit', 'YQ==', 'YQ==', []],
  ['8bit', 'YQ==', 'YQ==', []],
  ['binary', 'YQ==', 'YQ==', []],
  ['x-uuencode', 'YQ==', 'YQ==', ['bad-transfer-encoding']],
]
for (const [encoding, body, decoded, defects] of bodies)
  test(`body: ${encoding}`, () => {
    const found = decodeBody(parsePart(fromLatin1(`Content-Transfer-Encoding: ${encoding}\r\n\r\n${body}`)))
    assert.deepEqual([latin1(found.bytes), found.defects], [decoded, defects])
  })

test('what Buffer encodes, in any layout, comes back without a defect', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.integer({ min: 1, max: 80 }), (bytes, columns) => {
      const lines =
        Buffer.from(bytes)
          .toString('base64')
          .match(new RegExp(`.{1,${columns}}`, 'g')) ?? []
      const decoded = decodeBase64(fromLatin1(lines.map((line) => `${line}\r\n`).join('')))
      assert.deepEqual(decoded.defects, [])
      assert.ok(Buffer.from(bytes).equals(decoded.bytes))
    }),
  )
})

test('the fast and the careful decoder agree', () => {
  const unit = fc.constantFrom('A', 'Q', '/', '+', '=', '\r\n', ' ', '!', '-', '\xff')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30, size: 'max' }), (text) => {
      const careful = decodeBase64(fromLatin1(`\t${text}`)) // a blank in front is what the fast one leaves to the careful
      assert.deepEqual(decodeBase64(fromLatin1(text)), careful)
    }),
  )
})
