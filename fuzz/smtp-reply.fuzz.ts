/** What a next hop answers: no throw, bounded time and length, nothing but printable ASCII comes through. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { replyText } from '../src/protocol/smtp-reply.ts'
import { LineEndCheck } from '../src/relay/line-ends.ts'
import { outcomeOf, outcomeOfRcpt, parseRemoteReply, REPLY_TEXT_MAX_CHARS } from '../src/relay/remote-reply.ts'
import { parseNextHop } from '../src/relay/route.ts'

const MS_MAX = 500

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const text = Buffer.from(bytes).toString('latin1')
  const answer = parseRemoteReply(text)
  if (answer !== undefined) {
    assert(answer.code >= 200 && answer.code <= 599)
    assert(/^[\x20-\x7e]*$/.test(replyText(answer)))
    assert(replyText(answer).length <= REPLY_TEXT_MAX_CHARS + 50)
    // what is put off by outcomeOf is put off for a recipient too
    if (outcomeOf(answer) === 'deferred') assert.equal(outcomeOfRcpt(answer), 'deferred')
  }
  parseNextHop(text)
  checkLineEnds(bytes, text)
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

/** In one piece or byte by byte, the verdict is that of the plain definition. */
function checkLineEnds(bytes: Uint8Array, text: string): void {
  const whole = !/\r(?!\n)|(?<!\r)\n/.test(text)
  for (const size of [bytes.length, 1]) {
    const check = new LineEndCheck()
    let accepted = true
    for (let at = 0; at < bytes.length && accepted; at += size) accepted = check.accepts(bytes.subarray(at, at + size))
    assert.equal(accepted && check.ends(), whole)
  }
}

export function seeds(): Uint8Array[] {
  const texts = [
    '250 2.0.0 Ok: queued as 1\r\n',
    '550-5.1.1 No such user\n550 5.1.1 here',
    '452 4.5.3 Too many',
    '552',
    `550-${'x'.repeat(2_000)}\n550 y`,
    '[2001:db8::1]:25',
    'a\r\nb\r\n\r',
  ]
  return texts.map((text) => Buffer.from(text, 'latin1'))
}
