import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopCutter } from './pop3-top.ts'

function top(chunks: readonly Uint8Array[], bodyLines: number): { shown: string; done: boolean } {
  const cutter = new TopCutter(bodyLines)
  const shown = chunks.map((chunk) => Buffer.from(cutter.push(chunk)).toString('latin1')).join('')
  return { shown, done: cutter.done }
}

const MAIL = 'A: 1\r\nB: 2\r\n 3\r\n\r\none\r\ntwo\r\n\r\nfour'

const cases: readonly [message: string, bodyLines: number, shown: string, done: boolean, why: string][] = [
  [MAIL, 0, 'A: 1\r\nB: 2\r\n 3\r\n\r\n', true, 'header and empty line'],
  [MAIL, 1, 'A: 1\r\nB: 2\r\n 3\r\n\r\none\r\n', true, 'one line'],
  [MAIL, 3, 'A: 1\r\nB: 2\r\n 3\r\n\r\none\r\ntwo\r\n\r\n', true, 'an empty line counts'],
  [MAIL, 4, MAIL, false, 'the last line without an end'],
  [MAIL, 9_999_999_999, MAIL, false, 'more lines than there are'],
  ['', 0, '', false, 'an empty message'],
  ['A: 1\r\n', 0, 'A: 1\r\n', false, 'a header that does not end'],
  ['\r\none\r\ntwo\r\n', 1, '\r\none\r\n', true, 'no header'],
  ['A: 1\n\none\ntwo\n', 1, 'A: 1\n\none\n', true, 'lines that end in LF'],
  ['A: 1\r\n\r\r\none\r\n', 0, 'A: 1\r\n\r\r\n', true, 'an empty line with a CR too many'],
  ['A: 1\r\n.\r\n\r\n.\r\n.\r\n', 1, 'A: 1\r\n.\r\n\r\n.\r\n', true, 'dots are nothing special here'],
]
for (const [message, bodyLines, shown, done, why] of cases) {
  test(`TOP: ${why}`, () => {
    const bytes = Buffer.from(message, 'latin1')
    assert.deepEqual(top([bytes], bodyLines), { shown, done })
    const octets = Array.from(bytes, (byte) => Uint8Array.of(byte))
    assert.deepEqual(top(octets, bodyLines), { shown, done }, 'octet by octet')
  })
}
