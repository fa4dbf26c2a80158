import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { concatBytes, fromLatin1, latin1 } from '../base/bytes.ts'
import { HEADER_BYTES_MAX, HEADER_FIELDS_MAX, parsePart } from './parse.ts'
import { type Part, bodyOf } from './part.ts'

const names = (part: Part): string[] => part.fields.map((field) => field.name)

const cases: readonly [raw: string, names: string[], body: string, defects: string[], why: string][] = [
  ['A: 1\r\nB: 2\r\n\r\nbody', ['A', 'B'], 'body', [], 'fields and body'],
  ['A: 1\r\n b\r\n\tc\r\nB: 2\r\n\r\n', ['A', 'B'], '', [], 'folded lines belong to their field'],
  ['', [], '', [], 'nothing at all'],
  ['\r\nbody', [], 'body', [], 'an empty header'],
  ['A: 1\r\n', ['A'], '', [], 'a message may consist of fields only (RFC 5322 §3.5)'],
  ['A: 1', ['A'], '', ['header-not-ended'], 'cut off within the header'],
  ['A : 1\r\n\r\n', ['A'], '', [], 'blank before the colon (RFC 5322 §4.5)'],
  ['A\t \t: 1\r\n\r\n', ['A'], '', [], 'several blanks before the colon'],
  ['A: 1\n\nbody', ['A'], 'body', ['bare-lf'], 'bare LF is tolerated, and said'],
  ['A: 1\r\n\nbody', ['A'], 'body', ['bare-lf'], 'empty line of a lone LF'],
  ['A: 1\n\r\nbody', ['A'], 'body', ['bare-lf'], 'field line of a lone LF'],
  ['A: 1\r\r\n\r\nbody', ['A'], 'body', ['bare-cr'], 'CR CR LF'],
  ['A: 1\rB: 2\r\n\r\nbody', ['A'], 'body', ['bare-cr'], 'a lone CR ends no line'],
  ['A: 1\r\n\r', ['A', ''], '', ['header-line-malformed', 'bare-cr', 'header-not-ended'], 'ends in a lone CR'],
  ['A: \0\r\n\r\nb', ['A'], 'b', ['nul'], 'NUL in the header'],
  ['A: 1\r\n\r\nb\0\r\n\r\n\n', ['A'], 'b\0\r\n\r\n\n', [], 'the body is not looked at'],
  ['From x Mon\r\nA: 1\r\n\r\n', ['', 'A'], '', ['header-line-malformed'], 'mbox line: no field, still there'],
  ['>From x\r\n\r\n', [''], '', ['header-line-malformed'], 'a line without a colon'],
  [' x\r\nA: 1\r\n\r\n', ['', 'A'], '', ['header-line-malformed'], 'a continuation of nothing'],
  [': x\r\n\r\n', [''], '', ['header-line-malformed'], 'a field without a name'],
  ['Ä: x\r\n\r\n', [''], '', ['header-line-malformed'], 'field names are US-ASCII'],
  ['A B: x\r\n\r\n', [''], '', ['header-line-malformed'], 'a blank within the name'],
  ['A: 1\r\n \r\nB: 2\r\n\r\n', ['A', 'B'], '', [], 'a line of blanks ends no header'],
  ['A: 1\r\ntext\r\nB: 2\r\n\r\nb', ['A', '', 'B'], 'b', ['header-line-malformed'], 'nor does a malformed line'],
  ['text', [''], '', ['header-line-malformed', 'header-not-ended'], 'no header at all'],
  ['From: a\r\nFROM: b\r\n\r\n', ['From', 'FROM'], '', ['duplicate-field'], 'From twice (RFC 5322 §3.6)'],
  ['Received: a\r\nReceived: b\r\n\r\n', ['Received', 'Received'], '', [], 'trace fields may repeat'],
  [`A: ${'x'.repeat(995)}\r\n\r\n`, ['A'], '', [], 'a line of 998 (RFC 5322 §2.1.1)'],
  [`A: ${'x'.repeat(996)}\r\n\r\n`, ['A'], '', ['line-too-long'], 'a line of 999'],
]
for (const [raw, expected, body, defects, why] of cases)
  test(why, () => {
    const part = parsePart(fromLatin1(raw))
    assert.deepEqual(names(part), expected)
    assert.equal(latin1(bodyOf(part)), body)
    assert.deepEqual(part.defects.toSorted(), defects.toSorted())
    assertPrintsBack(part)
  })

test('the field count is limited, and nothing is lost', () => {
  const raw = fromLatin1(`${'A: 1\r\n'.repeat(HEADER_FIELDS_MAX + 5)}From: hidden\r\n\r\nbody`)
  const part = parsePart(raw)
  assert.deepEqual(part.defects, ['header-too-large'])
  assert.equal(part.fields.length, HEADER_FIELDS_MAX + 1)
  assert.equal(part.fields.at(-1)?.name, '')
  assert.equal(latin1(bodyOf(part)), 'body')
  assertPrintsBack(part)
})

test('the header size is limited, and the body still found', () => {
  const raw = fromLatin1(`A: 1\r\nB: ${` ${'x'.repeat(70)}\r\n`.repeat(HEADER_BYTES_MAX / 70)}C: 1\r\n\r\nbody`)
  const part = parsePart(raw)
  assert.deepEqual(part.defects, ['header-too-large'])
  assert.deepEqual(names(part), ['A', ''])
  assert.equal(latin1(bodyOf(part)), 'body')
  assertPrintsBack(part)
})

test('a header that never ends stays within its limit', () => {
  const part = parsePart(fromLatin1('x'.repeat(HEADER_BYTES_MAX + 1)))
  assert.ok(part.defects.includes('header-too-large'))
  assertPrintsBack(part)
})

test('headers of every length around the windows that are read at a time', () => {
  for (const around of [4096, 8 * 4096])
    for (let length = around - 6; length <= around + 6; length++) {
      const lines = ' x\r\n'.repeat(length / 4 - 2)
      const header = `A: ${lines}B: ${'y'.repeat(length - lines.length - 8)}\r\n`
      const part = parsePart(fromLatin1(`${header}\r\nbody`))
      assert.equal(header.length, length)
      assert.deepEqual([names(part), part.defects, latin1(bodyOf(part))], [['A', 'B'], [], 'body'])
    }
})

test('any bytes: no throw, and fields, empty line and body are the bytes again', () => {
  const piece = fc.constantFrom('A: 1', 'b', ' ', '\t', '\r\n', '\n', '\r', ':', '\0', 'From: x', 'ü')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40, size: 'max' }), (pieces) =>
      assertPrintsBack(parsePart(fromLatin1(pieces.join('')))),
    ),
  )
})

function assertPrintsBack(part: Part): void {
  const header = concatBytes(part.fields.map((field) => field.raw))
  const empty = part.raw.subarray(header.length, part.bodyOffset)
  assert.ok(['', '\n', '\r\n'].includes(latin1(empty)))
  assert.ok(Buffer.concat([header, empty, bodyOf(part)]).equals(part.raw))
}
