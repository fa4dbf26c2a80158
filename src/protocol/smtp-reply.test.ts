import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  REPLY_LINES_MAX,
  REPLY_LINE_MAX_BYTES,
  formatReply,
  isPermanent,
  isPositive,
  isTransient,
} from './smtp-reply.ts'
import { reply, replyText, type EnhancedCode } from './smtp-reply.ts'

const cases: readonly [code: number, enhanced: EnhancedCode, text: string, wire: string, why: string][] = [
  [250, '2.1.5', 'Recipient ok', '250 2.1.5 Recipient ok\r\n', 'one line'],
  [250, '', 'mx.example\nPIPELINING', '250-mx.example\r\n250 PIPELINING\r\n', 'several lines (RFC 5321 §4.2.1)'],
  [550, '5.7.1', 'a\r\nb\rc', '550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c\r\n', 'each bears the codes (RFC 2034 §4)'],
  [550, '5.7.1', 'a\0\x1bü\x85\tz', '550 5.7.1 a???? z\r\n', 'nothing but ASCII'],
  [354, '', 'Go', '354 Go\r\n', 'no enhanced code'],
  [250, '2.0.0', '', '250 2.0.0 \r\n', 'no text'],
  [250, '2.0.0', 'a\n\n', '250 2.0.0 a\r\n', 'no empty lines at the end'],
]
for (const [code, enhanced, text, wire, why] of cases)
  test(`reply: ${why}`, () => assert.equal(formatReply(reply(code, enhanced, text)), wire))

test('reply: long text is broken into lines that fit (RFC 5321 §4.5.3.1.5), and ends', () => {
  const wire = formatReply(reply(550, '5.7.1', 'x'.repeat(1_000_000)))
  const lines = wire.split('\r\n').slice(0, -1)
  assert.equal(lines.length, REPLY_LINES_MAX)
  assert(lines.every((line) => line.length + 2 <= REPLY_LINE_MAX_BYTES))
  assert.match(lines.at(-1) ?? '', /^550 5\.7\.1 x/)
})

const wrongs: readonly [code: number, enhanced: string][] = [
  [550, '4.7.1'],
  [250, '5.0.0'],
  [99, ''],
  [600, ''],
  [550, '5.7'],
]
for (const [code, enhanced] of wrongs)
  test(`reply: ${code} ${enhanced} is a bug`, () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the wrong value is the test
    assert.throws(() => reply(code, enhanced as EnhancedCode, 'x'))
  })

test('reply: classes and text', () => {
  assert(isPositive(reply(354, '', 'x')) && !isPositive(reply(421, '4.3.2', 'x')))
  assert(isTransient(reply(421, '4.3.2', 'x')) && isPermanent(reply(552, '5.3.4', 'x')))
  assert.equal(replyText(reply(552, '5.3.4', 'Too\nlarge')), '552 5.3.4 Too large')
})
