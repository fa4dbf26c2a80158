/** Messages: no throw, limits kept, time bounded; fields, delimiters and leaves put together are the same bytes again. */
import assert from 'node:assert/strict'
import { fromLatin1 } from '../src/base/bytes.ts'
import { contentTypeOf, dispositionOf } from '../src/message/content-type.ts'
import { decodeBody } from '../src/message/decode.ts'
import { editHeader } from '../src/message/edit.ts'
import { decodeWords } from '../src/message/encoded-word.ts'
import { fieldBody, isField, makeField } from '../src/message/header-field.ts'
import { parseLargePart, walkLarge } from '../src/message/large-part.ts'
import { NESTING_MAX, PARTS_MAX, walk } from '../src/message/mime-tree.ts'
import { parsePart } from '../src/message/parse.ts'
import { inSlices } from '../test/support/large.ts'
import { printPart } from '../test/support/print-part.ts'

/** Far above what any input of the fuzzer's size takes: only a quadratic reader gets there. */
const MS_MAX = 2_000

const added = makeField('X-Added', 'top')

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const root = parsePart(bytes)
  const { parts } = walk(root)
  assert(parts.length <= PARTS_MAX)
  for (const { part, depth } of parts) {
    assert(depth <= NESTING_MAX)
    contentTypeOf(part)
    dispositionOf(part)
    assert(decodeBody(part).bytes.length <= part.raw.length)
    for (const field of part.fields) decodeWords(fieldBody(field))
  }
  assert(performance.now() - startMs < MS_MAX, 'too slow')
  assert(Buffer.from(printPart(root)).equals(bytes), 'not the same bytes again')
  checkEdit(bytes)
  checkLarge(bytes)
}

/** Read in slices, it has the same structure, and the same defects. */
function checkLarge(bytes: Uint8Array): void {
  const seen: number[] = []
  const defects = walkLarge(parseLargePart(inSlices(bytes, 61)), ({ preview }) => seen.push(preview.fields.length))
  const small = walk(parsePart(bytes))
  assert.deepEqual(
    seen,
    small.parts.map(({ part }) => part.fields.length),
  )
  assert.deepEqual(defects, small.defects)
}

/** A field put in at the top is the first field of the edited message, and taking it out gives the old one. */
function checkEdit(bytes: Uint8Array): void {
  const before = parsePart(bytes)
  const edited = parsePart(Buffer.concat(editHeader(before, { prepend: [added] })))
  assert.equal(fieldBody(edited.fields[0] ?? assert.fail()), 'top')
  const again = Buffer.concat(editHeader(edited, { remove: (field) => isField(field, 'X-Added') }))
  const stray = bytes[0] === 0x20 || bytes[0] === 0x09
  const own = before.fields.some((field) => isField(field, 'X-Added'))
  if (!stray && !own) assert(again.equals(bytes), 'an edit touched what it should not')
}

export function seeds(): Uint8Array[] {
  const nested = 'Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--i--'
  return [
    'From: a@b.example\r\nTo: c@d.example\r\nSubject: =?utf-8?q?=C3=BC?=\r\n folded\r\n\r\nbody\r\n',
    `MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary="b"; micalg=sha-256\r\n\r\npre\r\n--b\r\n${nested}\r\n--b\r\n\r\ny\r\n--b--\r\nepi`,
    'Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nFrom: x@y\r\n\r\nz\r\n--d--\r\n',
    'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogMQ0KDQp4\r\n',
    'Content-Type: a/b; name*0*=utf-8\'\'%C3; name*1*=%BC; x="y\\"z" (comment)\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC=\r\n',
    'A: 1\nB : 2\n\nbare LF\n',
    ' stray\r\nno colon\r\nA: 1\r\n\r\n',
  ].map(fromLatin1)
}
