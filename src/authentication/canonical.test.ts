import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1 } from '../base/bytes.ts'
import { parsePart } from '../message/parse.ts'
import { type Canonical, CanonicalBody, canonicalField } from './canonical.ts'

function canonicalBody(body: string, how: Canonical, chunkBytes = body.length): string {
  const out = new Collector()
  const sink = new CanonicalBody(how, out)
  for (let at = 0; at < body.length; at += chunkBytes) sink.write(fromLatin1(body.slice(at, at + chunkBytes)))
  sink.end()
  return latin1(concatBytes(out.take()))
}

const bodies: readonly [body: string, relaxed: string, simple: string, why: string][] = [
  [' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n', ' C \r\nD \t E\r\n', 'the example of RFC 6376 §3.4.5'],
  ['', '', '\r\n', 'an empty body'],
  ['\r\n\r\n', '', '\r\n', 'only empty lines'],
  [' \t\r\n\r\n', '', ' \t\r\n', 'only blanks'],
  ['a', 'a\r\n', 'a\r\n', 'no line end at the end'],
  ['a \r\n \r\nb', 'a\r\n\r\nb\r\n', 'a \r\n \r\nb\r\n', 'blanks at line ends'],
  ['a\rb\r', 'a\rb\r\r\n', 'a\rb\r\r\n', 'a CR alone is data'],
  ['a\r\r\nb', 'a\r\r\nb\r\n', 'a\r\r\nb\r\n', 'a CR before a line end'],
  ['a \r b\r\n', 'a \r b\r\n', 'a \r b\r\n', 'blanks around a CR alone'],
  ['a\n\nb\n', 'a\n\nb\n\r\n', 'a\n\nb\n\r\n', 'a LF alone is data'],
  ['\r\n\r\na  b', '\r\n\r\na b\r\n', '\r\n\r\na  b\r\n', 'empty lines at the beginning'],
  ['x\t\t y \t\r\n', 'x y\r\n', 'x\t\t y \t\r\n', 'runs of blanks'],
]

for (const [body, relaxed, simple, why] of bodies)
  test(`canonical body: ${why}`, () => {
    for (const chunkBytes of [1, 2, 3, Math.max(1, body.length)]) {
      assert.equal(canonicalBody(body, 'relaxed', chunkBytes), relaxed)
      assert.equal(canonicalBody(body, 'simple', chunkBytes), simple)
    }
  })

test('a million empty lines are counted, and written only when something follows', () => {
  const lines = '\r\n'.repeat(1_000_000)
  assert.equal(canonicalBody(`a\r\n${lines}`, 'relaxed', 65_536), 'a\r\n')
  for (const end of ['b', ' b  c', '\rb'])
    assert.equal(canonicalBody(`a${lines}${end}`, 'simple', 65_536), `a${lines}${end}\r\n`)
})

test('a canonical field', () => {
  const { fields } = parsePart(fromLatin1('A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n'))
  const forms = (how: Canonical): string => fields.map((field) => canonicalField(field, how)).join('')
  assert.equal(forms('relaxed'), 'a:X\r\nb:Y Z\r\n', 'the example of RFC 6376 §3.4.5')
  assert.equal(forms('simple'), 'A: X\r\nB : Y\t\r\n\tZ  \r\n')
})
