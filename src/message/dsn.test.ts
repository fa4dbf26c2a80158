import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fromLatin1, latin1, utf8 } from '../base/bytes.ts'
import { type Address, parseAddress } from './address.ts'
import { contentTypeOf } from './content-type.ts'
import { type DsnInput, type DsnRecipient, RETURNED_HEADER_BYTES_MAX, buildDsn } from './dsn.ts'
import { fieldBody, firstField } from './header-field.ts'
import { walk } from './mime-tree.ts'
import { parsePart } from './parse.ts'
import { type Part, bodyOf } from './part.ts'

const known = (text: string): Address => parseAddress(text) ?? assert.fail(text)
const failed: DsnRecipient = { recipient: known('u-suzuki@abc.example'), action: 'failed', status: '5.1.1' }
const input = (change: Partial<DsnInput> = {}): DsnInput => ({
  reportingMta: 'mx.biglobe.example',
  from: known('mailer-daemon@biglobe.example'),
  to: known('t-azuma@biglobe.example'),
  failures: [failed],
  arrivalMs: Date.UTC(2026, 10, 14, 9),
  nowMs: Date.UTC(2026, 10, 14, 10),
  messageId: '<1@biglobe.example>',
  boundary: '=_boundary',
  ...change,
})

function read(dsn: DsnInput): { root: Part; parts: readonly Part[]; status: string; defects: readonly string[] } {
  const root = parsePart(buildDsn(dsn))
  const { parts, defects } = walk(root)
  const children = parts.filter(({ depth }) => depth === 1).map(({ part }) => part)
  const status = children[1] === undefined ? '' : Buffer.from(bodyOf(children[1])).toString('utf8')
  return { root, parts: children, status, defects }
}

const body = (part: Part | undefined): string => (part === undefined ? '' : Buffer.from(bodyOf(part)).toString('utf8'))

test('a report for people and programs, with the header', () => {
  const { root, parts, status, defects } = read(input({ originalHeaders: fromLatin1('Subject: hi\r\nTo: <x@y>\r\n') }))
  assert.deepEqual(defects, [])
  const { type, parameters } = contentTypeOf(root)
  assert.deepEqual([type, parameters.get('report-type')], ['multipart/report', 'delivery-status'])
  const types = parts.map((part) => contentTypeOf(part).type)
  assert.deepEqual(types, ['text/plain', 'message/delivery-status', 'text/rfc822-headers'])
  assert.equal(fieldBody(firstField(root, 'Auto-Submitted') ?? assert.fail()), 'auto-replied')
  assert.equal(
    status,
    'Reporting-MTA: dns; mx.biglobe.example\r\nArrival-Date: Sat, 14 Nov 2026 09:00:00 +0000\r\n\r\n' +
      'Final-Recipient: rfc822; u-suzuki@abc.example\r\nAction: failed\r\nStatus: 5.1.1\r\n',
  )
  assert.equal(body(parts[2]), 'Subject: hi\r\nTo: <x@y>\r\n')
  assert.match(body(parts[0]), /could not be delivered to:\r\n\r\n {4}u-suzuki@abc\.example\r\n/)
})

test('what else may be said of a recipient, in the order of RFC 3464 §2.3', () => {
  const failure: DsnRecipient = {
    ...failed,
    originalRecipient: 'rfc822;boss@abc.example',
    action: 'delayed',
    status: '4.4.1',
    diagnostic: '421 busy',
    remoteMta: 'mx.abc.example',
    lastAttemptMs: Date.UTC(2026, 10, 14, 9, 30),
    retryUntilMs: Date.UTC(2026, 10, 19, 9),
  }
  const { status, parts, root } = read(input({ failures: [failure], originalEnvelopeId: 'QQ314159' }))
  const names = status.split('\r\n').map((line) => line.split(':')[0])
  assert.equal(
    names.join(' '),
    'Reporting-MTA Original-Envelope-Id Arrival-Date  Original-Recipient Final-Recipient Action Status Remote-MTA ' +
      'Diagnostic-Code Last-Attempt-Date Will-Retry-Until ',
  )
  assert.match(body(parts[0]), /What mx\.abc\.example said:\r\n\r\n {4}421 busy/)
  assert.match(body(parts[0]), /We try until Thu, 19 Nov 2026/)
  assert.equal(fieldBody(firstField(root, 'Subject') ?? assert.fail()), 'Delivery of your mail is delayed')
})

test('one group for each recipient, and the worst in the subject', () => {
  const delivered: DsnRecipient = { recipient: known('a@b.example'), action: 'delivered', status: '2.0.0' }
  const { status, root } = read(input({ failures: [delivered, failed] }))
  assert.equal(status.split('\r\n\r\n').length, 3)
  assert.match(fieldBody(firstField(root, 'Subject') ?? assert.fail()), /^Undelivered/)
})

test('foreign text is one line of printable characters wherever it goes', () => {
  const evil = '550 no\r\nBcc: x@y\r\n\r\n--=_boundary--\r\n\0\u202e\x1b[31mü'
  const failure = { ...failed, diagnostic: evil, remoteMta: evil, originalRecipient: evil, status: '5.1.1\r\nX: y' }
  const { root, parts, status, defects } = read(input({ failures: [failure], originalEnvelopeId: evil }))
  assert.deepEqual(defects, [])
  assert.equal(parts.length, 2)
  assert.equal(firstField(root, 'Bcc'), undefined)
  assert.equal(/^(?:Bcc|X):/m.test(status), false)
  assert.match(status, /Diagnostic-Code: smtp; 550 no Bcc: x@y --=_boundary-- \[31m\?\r\n/)
  assert.match(status, /Status: 5\.0\.0\r\n/)
  for (const control of ['\0', '\x1b', '\u202e']) assert.equal(body(parts[0]).includes(control), false)
})

for (const [word, columns] of [
  ['word ', 78],
  ['x', 998],
  ['東', 998],
] as const)
  test(`long foreign text is cut and wrapped: ${word}`, () => {
    const long = word.repeat(10_000)
    const { root, defects } = read(input({ failures: [{ ...failed, diagnostic: long, remoteMta: long }] }))
    assert.deepEqual(defects, [])
    assert.ok(root.raw.length < 10_000)
    const text = latin1(root.raw).replace(/^What .*$/m, '')
    for (const line of text.split('\r\n')) assert.ok(line.length <= columns, line)
  })

const headers: readonly [header: Uint8Array, returned: string, type: string, why: string][] = [
  [fromLatin1('A: 1\nB: 2\r\n c\n'), 'A: 1\r\nB: 2\r\n c\r\n', 'text/rfc822-headers', 'CRLF throughout'],
  [fromLatin1('A: 1\r\n\r\nsecret body\r\n'), 'A: 1\r\n', 'text/rfc822-headers', 'the body never goes back'],
  [fromLatin1('A: 1\rB\0\r\n'), 'A: 1 B \r\n', 'text/rfc822-headers', 'control characters'],
  [fromLatin1('no field\r\nA: 1\r\nB: cut'), 'A: 1\r\n', 'text/rfc822-headers', 'no field, and half a field'],
  [fromLatin1(`A: ${'x'.repeat(999)}\r\nB: 1\r\n`), 'B: 1\r\n', 'text/rfc822-headers', 'a line too long to travel'],
  [utf8('A: ü\r\n'), 'A: ü\r\n', 'message/global-headers', 'UTF-8 (RFC 6533)'],
  [fromLatin1('A: \xfc\r\n'), 'A: ?\r\n', 'text/rfc822-headers', 'neither US-ASCII nor UTF-8'],
  [fromLatin1(''), '', 'text/rfc822-headers', 'an empty header'],
]
for (const [header, returned, type, why] of headers)
  test(`returned header: ${why}`, () => {
    const { parts, defects } = read(input({ originalHeaders: header }))
    assert.deepEqual([body(parts[2]), contentTypeOf(parts[2] ?? assert.fail()).type, defects], [returned, type, []])
  })

test('a hostile header is cut', () => {
  const dsn = buildDsn(input({ originalHeaders: fromLatin1('A: b\r\n'.repeat(RETURNED_HEADER_BYTES_MAX)) }))
  assert.ok(dsn.length < RETURNED_HEADER_BYTES_MAX + 5_000)
})

test('an address outside US-ASCII (RFC 6533)', () => {
  const { parts, status } = read(input({ failures: [{ ...failed, recipient: known('東@abc.example') }] }))
  assert.equal(contentTypeOf(parts[1] ?? assert.fail()).type, 'message/global-delivery-status')
  assert.match(status, /Final-Recipient: utf-8; 東@abc\.example\r\n/)
})

const STATUS_FIELDS = new Set(
  (
    'Reporting-MTA Original-Envelope-Id Arrival-Date Original-Recipient Final-Recipient Action Status ' +
    'Remote-MTA Diagnostic-Code'
  ).split(' '),
)

test('any foreign text: three parts, no defects, the fields we wrote and no other', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', ' ', '\r', '\n', '\0', ':', '--=_boundary', 'ü', '\ud800', '\t'),
  })
  fc.assert(
    fc.property(text, text, text, (diagnostic, envelopeId, header) => {
      const failures = [{ ...failed, diagnostic, remoteMta: diagnostic, originalRecipient: envelopeId }]
      const found = read(input({ failures, originalEnvelopeId: envelopeId, originalHeaders: utf8(header) }))
      assert.deepEqual(found.defects, [])
      assert.equal(found.parts.length, 3)
      assert.equal(found.root.fields.length, 8)
      for (const group of found.status.split('\r\n\r\n'))
        for (const { name } of parsePart(utf8(group)).fields) assert.ok(STATUS_FIELDS.has(name), name)
    }),
  )
})
