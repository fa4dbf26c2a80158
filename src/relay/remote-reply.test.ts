import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replyText } from '../protocol/smtp-reply.ts'
import { LineEndCheck } from './line-ends.ts'
import {
  isTooManyRecipients,
  outcomeOf,
  outcomeOfRcpt,
  parseRemoteReply,
  REPLY_TEXT_MAX_CHARS,
} from './remote-reply.ts'

const replies: readonly [text: string, expected: string | undefined, why: string][] = [
  ['250 2.0.0 Ok: queued', '250 2.0.0 Ok: queued', 'one line'],
  ['550-5.1.1 No such\n550 5.1.1 user', '550 5.1.1 No such user', 'several lines, the code in each'],
  ['550 No such user', '550 No such user', 'no enhanced code'],
  ['550 4.1.1 Mixed', '550 4.1.1 Mixed', 'of another class: text (RFC 2034 §4)'],
  ['550', '550', 'code alone (RFC 5321 §4.2)'],
  ['250 2.1.5', '250 2.1.5', 'no text'],
  ['550 5.7.1234 x', '550 5.7.1234 x', 'no enhanced code (RFC 3463 §2)'],
  ['55 x', undefined, 'two digits'],
  ['950 x', undefined, 'no such class'],
  ['150 x', undefined, 'class 1 is not used'],
  ['5500 x', undefined, 'four digits'],
  ['', undefined, 'nothing'],
  ['HTTP/1.1 400 Bad', undefined, 'another protocol'],
  ['550 a\u001b[2Jb\u0000\u00fc', '550 a?[2Jb??', 'controls and 8-bit'],
]
for (const [text, expected, why] of replies)
  test(`reply: ${why}`, () => {
    const answer = parseRemoteReply(text)
    assert.equal(answer && replyText(answer), expected)
  })

test('a long reply is cut', () => {
  const answer = parseRemoteReply(`550-${'x'.repeat(100_000)}\n550 y`)
  assert.ok(answer !== undefined && replyText(answer).length < REPLY_TEXT_MAX_CHARS + 50)
})

const outcomes: readonly [text: string, outcome: string, rcpt: string, tooMany: boolean][] = [
  ['450 4.2.1 Grey', 'deferred', 'deferred', false],
  ['452 4.5.3 Too many', 'deferred', 'deferred', true],
  ['452 Too many', 'deferred', 'deferred', true],
  ['452 4.3.1 Disk full', 'deferred', 'deferred', false],
  ['552 Too many', 'failed', 'deferred', true],
  ['552 5.5.3 Too many', 'failed', 'deferred', true],
  ['552 5.2.2 Mailbox full', 'failed', 'failed', false],
  ['550 5.1.1 Unknown', 'failed', 'failed', false],
  ['503 5.5.1 Sequence', 'deferred', 'deferred', false],
  ['354 what', 'deferred', 'deferred', false],
]
for (const [text, outcome, rcpt, tooMany] of outcomes)
  test(`outcome of ${text}`, () => {
    const answer = parseRemoteReply(text)
    assert.ok(answer !== undefined)
    assert.deepEqual([outcomeOf(answer), outcomeOfRcpt(answer), isTooManyRecipients(answer)], [outcome, rcpt, tooMany])
  })

const lines: readonly [body: string, whole: boolean][] = [
  ['a\r\nb\r\n', true],
  ['', true],
  ['\r\n\r\n', true],
  ['a', true],
  ['a\n', false],
  ['\n', false],
  ['a\r', false],
  ['a\rb', false],
  ['\r\r\n', false],
  ['a\r\n\nb', false],
]
for (const [body, whole] of lines)
  test(`line ends of ${JSON.stringify(body)}`, () => {
    for (let size = 1; size <= 5; size++) {
      const check = new LineEndCheck()
      let accepted = true
      for (let at = 0; at < body.length; at += size) accepted &&= check.accepts(Buffer.from(body.slice(at, at + size)))
      assert.equal(accepted && check.ends(), whole, `in pieces of ${size}`)
    }
  })

test('line ends of a large chunk, where it is looked at in pieces', () => {
  for (const lineEnd of ['\r\n', '\n', '\r'])
    for (let before = 65_530; before <= 65_540; before++) {
      const check = new LineEndCheck()
      const accepted = check.accepts(Buffer.from(`${'a'.repeat(before)}${lineEnd}b`))
      assert.equal(accepted, lineEnd === '\r\n', `${before} bytes before`)
    }
})
