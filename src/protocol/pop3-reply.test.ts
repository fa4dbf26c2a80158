import assert from 'node:assert/strict'
import { test } from 'node:test'
import { negative, positive, printReply, REPLY_LINE_MAX_BYTES, type Pop3Reply } from './pop3-reply.ts'

const cases: readonly [reply: Pop3Reply, line: string, why: string][] = [
  [positive('2 320'), '+OK 2 320\r\n', 'positive'],
  [positive(''), '+OK\r\n', 'no text'],
  [negative('No such message'), '-ERR No such message\r\n', 'negative'],
  [negative('Wrong', 'AUTH'), '-ERR [AUTH] Wrong\r\n', 'a response code (RFC 2449 §8)'],
  [negative('a\r\n+OK b'), '-ERR a??+OK b\r\n', 'one line whatever the text holds'],
  [negative('é'), '-ERR ?\r\n', 'ASCII only'],
]
for (const [reply, line, why] of cases) test(`POP3 reply: ${why}`, () => assert.equal(printReply(reply), line))

test('POP3 reply: 512 octets at most (RFC 1939 §3)', () => {
  const line = printReply(positive('x'.repeat(1000)))
  assert.equal(line.length, REPLY_LINE_MAX_BYTES)
  assert(line.endsWith('x\r\n'))
})
