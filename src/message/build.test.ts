import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { parseDomain } from './address.ts'
import { entity, multipart, newBoundary } from './build.ts'
import { formatDate, formatMessageId } from './date.ts'
import { makeField } from './header-field.ts'
import { walk } from './mime-tree.ts'
import { parsePart } from './parse.ts'

const random = Uint8Array.from({ length: 16 }, (_, at) => at * 17)

const dates: readonly [ms: number, text: string][] = [
  [0, 'Thu, 1 Jan 1970 00:00:00 +0000'],
  [Date.UTC(2026, 10, 14, 9, 5, 7, 999), 'Sat, 14 Nov 2026 09:05:07 +0000'],
  [Date.UTC(2028, 1, 29, 23, 59, 59), 'Tue, 29 Feb 2028 23:59:59 +0000'],
]
for (const [ms, text] of dates) test(text, () => assert.equal(formatDate(ms), text))
for (const ms of [Number.NaN, Infinity, Date.UTC(10_000, 0), Date.UTC(1899, 0)])
  test(`no date: ${ms}`, () => assert.throws(() => formatDate(ms)))

test('a message identifier', () => {
  const domain = parseDomain('abc.example') ?? assert.fail()
  assert.equal(formatMessageId(random, domain), '<00112233445566778899aabbccddeeff@abc.example>')
  assert.throws(() => formatMessageId(random.subarray(0, 11), domain))
})

test('a multipart reads back', () => {
  const boundary = newBoundary(random)
  const child = entity([makeField('Content-Type', 'text/plain')], [fromLatin1('x'), fromLatin1('y\r\n')])
  const type = makeField('Content-Type', `multipart/mixed; boundary="${boundary}"`)
  const { parts, defects } = walk(parsePart(Buffer.concat(entity([type], multipart(boundary, [child, [], child])))))
  assert.deepEqual(defects, [])
  const raws = parts.slice(1).map(({ part }) => latin1(part.raw))
  assert.deepEqual(raws, ['Content-Type: text/plain\r\n\r\nxy\r\n', '', 'Content-Type: text/plain\r\n\r\nxy\r\n'])
})

for (const boundary of ['', ' ', 'a ', 'a\r\nb', 'a"b', 'ü', 'x'.repeat(71)])
  test(`no boundary: ${JSON.stringify(boundary)}`, () => assert.throws(() => multipart(boundary, [[]])))

test('a multipart without parts is our own bug', () => assert.throws(() => multipart('b', [])))
