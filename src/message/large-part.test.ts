import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inSlices } from '../../test/support/large.ts'
import { ByteRange, searchRange } from '../base/byte-range.ts'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { PREVIEW_BODY_BYTES, cutLargeMultipart, largeBodyOf, parseLargePart, walkLarge } from './large-part.ts'
import { childrenOf, walk } from './mime-tree.ts'
import { parsePart } from './parse.ts'

const nested = 'Content-Type: multipart/digest; boundary=i\r\n\r\n--i\r\n\r\nA: 1\r\n\r\nx\r\n--i--'
const encoded = `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n${btoa('A: 1\r\n\r\nx')}\r\n`
const mails: readonly [mail: string, why: string][] = [
  ['From: a@b.example\r\n\r\nbody\r\n', 'one part'],
  [
    `Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b \t\r\n${nested}\r\n--b\r\n${encoded}--b--\r\nepi`,
    'nested',
  ],
  ['Content-Type: multipart/signed; boundary=b\r\n\r\n--b\n\nx\n--b\r\n\r\ny', 'not closed, bare LF'],
  ['Content-Type: multipart/mixed; boundary=b\r\n\r\n--bb\r\n --b\r\n', 'near misses'],
  [`Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(10_001)}`, 'too many parts'],
  [
    `X: ${'x'.repeat(30_000)}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--`,
    'a long header',
  ],
  ['', 'nothing'],
  ['no header', 'no line end'],
]
for (const [mail, why] of mails)
  test(`a large message has the structure of a small one: ${why}`, () => {
    const raw = fromLatin1(mail)
    const small = parsePart(raw)
    for (const sliceBytes of [1, 7, 4096]) {
      if (raw.length > 20_000 && sliceBytes < 4096) continue
      const large = parseLargePart(inSlices(raw, sliceBytes))
      assert.deepEqual(latin1(large.bytes.read()), mail)
      assert.deepEqual(
        large.preview.fields.map((field) => latin1(field.raw)),
        small.fields.map((field) => latin1(field.raw)),
      )
      const children = cutLargeMultipart(large).children.map(({ start, end }) => largeBodyOf(large).read(start, end))
      const level = childrenOf(small)
      if (level.kind === 'multipart')
        assert.deepEqual(
          children.map((child) => latin1(child)),
          level.children.map((child) => latin1(child.raw)),
        )
      const seen: string[] = []
      const defects = walkLarge(large, ({ preview }, { depth, isLeaf }) =>
        seen.push(`${depth} ${preview.fields.length} ${isLeaf}`),
      )
      const walked = walk(small)
      assert.deepEqual(
        seen,
        walked.parts.map(({ part, level, depth }) => `${depth} ${part.fields.length} ${level.kind === 'leaf'}`),
      )
      assert.deepEqual(defects, walked.defects)
    }
  })

test('an encoded message inside that is too large to decode is a defect, and nothing below it is seen', () => {
  const head = 'Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n'
  const large = parseLargePart(inSlices(fromLatin1(head + 'QTog'.repeat(2 ** 20 + 1)), 65_536))
  let seen = 0
  assert.deepEqual(
    walkLarge(large, () => seen++),
    ['part-too-large'],
  )
  assert.equal(seen, 1)
})

test('a preview holds little, however much there is', () => {
  const mail = `A: 1\r\n\r\n${'x'.repeat(2 ** 20)}`
  const { preview } = parseLargePart(inSlices(fromLatin1(mail), 65_536))
  assert.ok(preview.raw.length <= 2 * PREVIEW_BODY_BYTES)
})

test('something is found across the seams of slices, and nothing where there is nothing', () => {
  const text = 'aaabaaacaaabaab'
  for (let sliceBytes = 1; sliceBytes <= text.length; sliceBytes++) {
    const search = searchRange(inSlices(fromLatin1(`xx${text}yy`), sliceBytes).range(2, 2 + text.length))
    for (const needle of ['aab', 'b', 'aaabaaac', 'bx', 'yy'])
      for (let from = 0; from < text.length; from++)
        assert.equal(search.indexOf(fromLatin1(needle), from), text.indexOf(needle, from), `${needle} from ${from}`)
    assert.deepEqual([search.octet(-1), search.octet(3), search.octet(text.length)], [undefined, 0x62, undefined])
  }
})

test('what a search has passed is told in order, and never what belongs to the occurrence or its line end', () => {
  const text = `${'x'.repeat(40)}\r\n--b\r\n${'y'.repeat(9)}`
  const found = text.indexOf('--b')
  for (let sliceBytes = 1; sliceBytes <= text.length; sliceBytes++) {
    const passed: [number, string][] = []
    const search = searchRange(inSlices(fromLatin1(text), sliceBytes), (bytes, at) => passed.push([at, latin1(bytes)]))
    assert.equal(search.indexOf(fromLatin1('--b'), 5), found)
    let end = 5
    for (const [at, told] of passed) {
      assert.equal(at, end)
      assert.equal(told, text.slice(at, at + told.length))
      end += told.length
    }
    assert.ok(end <= found - 2, `slices of ${sliceBytes}: passed up to ${end}`)
    if (sliceBytes < 10) assert.ok(end > 25, `slices of ${sliceBytes}: passed up to ${end} only`)
  }
})

test('ranges of ranges, and ends beyond the end', () => {
  const range = new ByteRange({ lengthBytes: 10, slices: (from, to) => [Uint8Array.of(from, to)] })
  assert.deepEqual([...range.range(2, 8).range(1).read()], [3, 8])
  assert.deepEqual([...range.range(2, 8).range(1, 100).read()], [3, 8])
  assert.equal(range.range(20).lengthBytes, 0)
})
