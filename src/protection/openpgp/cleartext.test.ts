import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { cpuMs } from '../../../test/support/cpu-time.ts'
import { attempt } from '../malformed.ts'
import { armor } from './armor.ts'
import { readCleartext } from './cleartext.ts'

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----'
const PACKETS = Buffer.from('c20104', 'hex')
const SIGNATURE = Buffer.from(armor('PGP SIGNATURE', PACKETS)).toString()

const message = (lines: readonly string[], lineEnd = '\n'): Buffer =>
  Buffer.from([BEGIN, ...lines, SIGNATURE].join(lineEnd))

const read: readonly [lines: string[], text: string, why: string][] = [
  [['Hash: SHA256', '', 'Hello'], 'Hello', 'a header'],
  [['Hash: SHA256, SHA512', 'Hash: SHA3-256', '', 'Hello'], 'Hello', 'several algorithms'],
  [['', 'Hello'], 'Hello', 'no header'],
  [[' ', 'Hello'], 'Hello', 'a line of blanks before the text'],
  [['', 'Hello', '', ''], 'Hello\r\n\r\n', 'the end of the last line is not signed'],
  [['', '', 'Hello'], '\r\nHello', 'a blank line at the beginning is signed'],
  [[''], '', 'an empty text'],
  [['', 'Hello \t ', 'World\r'], 'Hello\r\nWorld', 'blanks at the ends of lines are not signed'],
  [
    ['', '- -----BEGIN PGP SIGNATURE-----', '- From here', '- - x'],
    '-----BEGIN PGP SIGNATURE-----\r\nFrom here\r\n- x',
    'dashes',
  ],
  [['', '-- ', 'Alice'], '--\r\nAlice', 'a dash that is not escaped'],
]
for (const [lines, text, why] of read)
  for (const lineEnd of ['\n', '\r\n'])
    test(`reads, with ${JSON.stringify(lineEnd)}: ${why}`, () => {
      const found = readCleartext(message(lines, lineEnd))
      assert(found !== undefined)
      assert.equal(Buffer.from(found.text).toString(), text)
      assert.deepEqual(found.signatures, PACKETS)
    })

const refused: readonly [lines: string[], error: RegExp, why: string][] = [
  [['Pay Mallory.', 'Hash: SHA256', '', 'Hello'], /header/, 'text where headers stand'],
  [['Hash: SHA256', 'Comment: Pay Mallory.', '', 'Hello'], /header/, 'another header (RFC 9580 §7.1)'],
  [['Hash: Pay Mallory.', '', 'Hello'], /header/, 'a header that lists no algorithms (§6.2.2.3)'],
  [['Hash: SHA256\fPay-Mallory', '', 'Hello'], /header/, 'a header with a form feed'],
  [['NotDashEscaped: You need GnuPG to verify this message', '', 'Hello'], /header/, 'a form of GnuPG of its own'],
  [['', 'Hello', BEGIN, '', 'Bye'], /no signature/, 'one in the other'],
  [['', 'Hello', '-----END PGP SIGNATURE-----'], /no signature/, 'the end of a signature that did not begin'],
  [['', 'Hello', '-----BEGIN PGP MESSAGE-----'], /no signature/, 'another armor than a signature'],
]
for (const [lines, error, why] of refused)
  test(`refuses: ${why}`, () => {
    const attempted = attempt(() => readCleartext(message(lines)))
    assert(!attempted.ok)
    assert.match(attempted.error, error)
  })

test('refuses: no signature', () => {
  for (const text of [
    BEGIN,
    `${BEGIN}\n`,
    `${BEGIN}\n\nHello\n`,
    `${BEGIN}\n\nHello\n-----BEGIN PGP SIGNATURE-----\n\nwgEE`,
  ])
    assert(!attempt(() => readCleartext(Buffer.from(text))).ok)
})

test('what stands around the message is not part of it', () => {
  const text = Buffer.from(`Before\r\n${message(['', 'Hello'], '\r\n').toString()}After\r\n`)
  const found = readCleartext(text)
  assert.equal(found && Buffer.from(found.text).toString(), 'Hello')
  assert.equal(text.subarray(0, found?.startOffset).toString(), 'Before\r\n')
  assert.equal(text.subarray(found?.endOffset).toString(), 'After\r\n')
})

test('text that is not signed in clear is none', () => {
  for (const text of ['', 'Hello', `> ${BEGIN}`, `- ${BEGIN}`, ` ${BEGIN}`, SIGNATURE])
    assert.equal(readCleartext(Buffer.from(text)), undefined)
})

test('blanks without end cost no more than other text', () => {
  const blank = message(['', `${' '.repeat(2 ** 20)}x${' '.repeat(2 ** 20)}`])
  const tookMs = cpuMs(() => assert.equal(readCleartext(blank)?.text.length, 2 ** 20 + 1))
  assert(tookMs < 5000, `${tookMs} ms`)
})
