import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fromLatin1, latin1, utf8 } from '../base/bytes.ts'
import { fieldBody, fieldsNamed, firstField, isField, makeField, writeFields } from './header-field.ts'
import { parsePart } from './parse.ts'

const bodies: readonly [raw: Uint8Array, body: string, why: string][] = [
  [fromLatin1('A: x y\r\n'), 'x y', 'the blank after the colon goes'],
  [fromLatin1('A:x\r\n'), 'x', 'no blank after the colon'],
  [fromLatin1('A:\r\n'), '', 'an empty body'],
  [fromLatin1('A: x\r\n  y\r\n\tz \r\n'), 'x  y\tz', 'unfolding takes out line ends only (RFC 5322 §2.2.3)'],
  [fromLatin1('A:\r\n x\n y\n'), 'x y', 'folded at once, and with bare LF'],
  [fromLatin1('A: x\ry\r\n'), 'x\ry', 'a lone CR is no folding'],
  [fromLatin1('A: x'), 'x', 'cut off'],
  [utf8('A: Grüße\r\n'), 'Grüße', 'UTF-8 (RFC 6532 §3.2)'],
  [fromLatin1('A: Gr\xfc\xdfe\r\n'), 'Grüße', 'latin1 where it is no UTF-8'],
  [utf8('A: \u00a0x\u00a0\r\n'), '\u00a0x\u00a0', 'only space and tab are blanks'],
]
for (const [raw, body, why] of bodies) test(why, () => assert.equal(fieldBody({ name: 'A', raw }), body))

test('names are compared without regard to case', () => {
  const part = parsePart(fromLatin1('Received: 1\r\nFROM: 2\r\nreceived: 3\r\n\r\n'))
  assert.deepEqual(fieldsNamed(part, 'received').map(fieldBody), ['1', '3'])
  assert.equal(fieldBody(firstField(part, 'From') ?? assert.fail()), '2')
  assert.equal(firstField(part, 'Fro'), undefined)
  assert.equal(isField({ name: '', raw: fromLatin1('x\r\n') }, 'From'), false)
})

const made: readonly [body: string, raw: string, why: string][] = [
  ['x', 'A: x\r\n', 'short'],
  ['', 'A: \r\n', 'empty'],
  [`${'x'.repeat(70)} ${'y'.repeat(10)}`, `A: ${'x'.repeat(70)}\r\n ${'y'.repeat(10)}\r\n`, 'folded before the blank'],
  ['x'.repeat(75), `A: ${'x'.repeat(75)}\r\n`, 'exactly 78'],
  ['x'.repeat(200), `A: ${'x'.repeat(200)}\r\n`, 'nowhere to fold'],
  [`x${' '.repeat(100)}y`, `A: x\r\n${' '.repeat(100)}y\r\n`, 'never a line of blanks only'],
  ['ü', 'A: \xc3\xbc\r\n', 'UTF-8'],
]
for (const [body, raw, why] of made)
  test(`made field: ${why}`, () => assert.equal(latin1(makeField('A', body).raw), raw))

for (const body of ['x\r\nB: y', 'x\ny', 'x\ry', 'x\0', '\r\n x'])
  test(`makeField refuses ${JSON.stringify(body)}`, () => assert.throws(() => makeField('A', body)))
for (const name of ['', 'A:', 'A B', 'Ä', 'A\r\nB', ' A', 'x'.repeat(77)])
  test(`makeField refuses the name ${JSON.stringify(name)}`, () => assert.throws(() => makeField(name, 'x')))

test('what makeField writes is one field, and reads back', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', 'b', ' ', '\t', 'ü', '"', ';', '漢'),
    maxLength: 200,
    size: 'max',
  })
  fc.assert(
    fc.property(word, (body) => {
      const field = makeField('Subject', body)
      const part = parsePart(Buffer.concat([writeFields([field, makeField('B', '1')]), fromLatin1('\r\n')]))
      assert.deepEqual([part.fields.length, part.defects], [2, []])
      assert.equal(fieldBody(part.fields[0] ?? assert.fail()), body.replace(/^[ \t]+|[ \t]+$/g, ''))
      for (const line of latin1(field.raw).split('\r\n').slice(0, -1)) assert.match(line, /[^ \t]/)
    }),
  )
})
