import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../test/support/cpu-time.ts'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { DataScanner, type DataFault, type DataLimits } from './smtp-data.ts'

const LIMITS: DataLimits = { messageMaxBytes: 100, headerMaxBytes: 60, lineMaxBytes: 30 }

interface Outcome {
  readonly content: string
  readonly fault: DataFault | undefined
  /** `undefined`: the data did not end. */
  readonly rest: string | undefined
}

/** Feeds the wire bytes in chunks of that size. */
function scan(wire: string, chunkBytes: number, limits = LIMITS): Outcome {
  const scanner = new DataScanner(limits)
  const bytes = fromLatin1(wire)
  let content = ''
  let fault: DataFault | undefined
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const step = scanner.feed(bytes.subarray(at, at + chunkBytes))
    content += latin1(step.content)
    fault = step.fault
    if (step.ended) return { content, fault, rest: latin1(step.rest) + latin1(bytes.subarray(at + chunkBytes)) }
  }
  return { content, fault, rest: undefined }
}

const wholes: readonly [wire: string, content: string, rest: string, why: string][] = [
  ['.\r\n', '', '', 'no line at all'],
  ['a: b\r\n\r\nc\r\n.\r\nQUIT\r\n', 'a: b\r\n\r\nc\r\n', 'QUIT\r\n', 'what follows is left alone'],
  ['..\r\n.\r\n', '.\r\n', '', 'a stuffed dot alone, on the first line'],
  ['a\r\n..b\r\n...\r\n.\r\n', 'a\r\n.b\r\n..\r\n', '', 'stuffed dots (RFC 5321 §4.5.2)'],
  ['.a\r\n.\r\n', 'a\r\n', '', 'a dot that was not doubled goes all the same (RFC 5321 §4.5.2)'],
  ['a.\r\nb .\r\n.\r\n', 'a.\r\nb .\r\n', '', 'dots elsewhere in a line'],
  ['\r\n\r\n.\r\n', '\r\n\r\n', '', 'empty lines'],
  ['\xe4\xff\r\n.\r\n', '\xe4\xff\r\n', '', 'eight bits pass unchanged (docs/decisions/0007-bare-line-ends.md)'],
  [`${'x'.repeat(28)}\r\n.\r\n`, `${'x'.repeat(28)}\r\n`, '', 'the longest line'],
]
const faults: readonly [wire: string, fault: DataFault, rest: string, why: string][] = [
  ['a\n.\nb\r\n.\r\n', 'bare-lf', '', '<LF>.<LF> ends nothing'],
  ['a\n.\r\nb\r\n.\r\nX', 'bare-lf', 'X', '<LF>.<CR><LF> ends nothing'],
  ['a\r\n.\nb\r\n.\r\n', 'bare-lf', '', '<CR><LF>.<LF> ends nothing'],
  ['a\r\n.\rb\r\n.\r\n', 'bare-cr', '', '<CR><LF>.<CR> ends nothing'],
  ['a\r.\rb\r\n.\r\n', 'bare-cr', '', '<CR>.<CR> ends nothing'],
  ['a\r.\r\nb\r\n.\r\n', 'bare-cr', '', '<CR>.<CR><LF> ends nothing'],
  ['a\r\n.\r\r\nb\r\n.\r\n', 'bare-cr', '', '<CR><LF>.<CR><CR><LF> ends nothing'],
  ['a\r\n\0.\r\nb\r\n.\r\n', 'nul', '', '<CR><LF><NUL>.<CR><LF> ends nothing'],
  ['a\r\n.\0\r\nb\r\n.\r\n', 'nul', '', 'NUL after the dot'],
  ['\n.\r\n\r\n.\r\n', 'bare-lf', '', 'bare LF first'],
  ['a\r\r\n.\r\n', 'bare-cr', '', 'CR doubled at the end of the last line'],
  ['\r\r\n.\r\n', 'bare-cr', '', 'CR doubled on an empty line'],
  ['.\r\r\n.\r\n', 'bare-cr', '', 'a dot, CR doubled'],
  ['.\n.\r\n\r\n.\r\n', 'bare-lf', '', 'a dot and a bare LF first'],
  [`${'x'.repeat(29)}\r\n.\r\n`, 'line-too-long', '', 'one byte too long'],
  [`${'x'.repeat(300)}\r\n.\r\n`, 'line-too-long', '', 'an endless line'],
  [`${'x: yyyyyyy\r\n'.repeat(6)}.\r\nZ`, 'header-too-large', 'Z', 'an endless header'],
  [`a: b\r\n\r\n${'yyyyyyyy\r\n'.repeat(10)}.\r\n`, 'too-large', '', 'too large a message'],
]

for (const [wire, content, rest, why] of wholes)
  test(`data: ${why}`, () => {
    for (let size = 1; size <= wire.length; size++)
      assert.deepEqual(scan(wire, size), { content, fault: undefined, rest }, `chunks of ${size}`)
  })

for (const [wire, fault, rest, why] of faults)
  test(`data refused: ${why}`, () => {
    for (let size = 1; size <= wire.length; size++) {
      const outcome = scan(wire, size)
      assert.equal(outcome.fault, fault, `chunks of ${size}`)
      assert.equal(outcome.rest, rest, `chunks of ${size}`)
    }
  })

test('data: nothing is given out of or after the chunk with the fault', () => {
  const scanner = new DataScanner(LIMITS)
  assert.equal(scanner.feed(fromLatin1('a\r\nb\n')).content.length, 0)
  assert.equal(scanner.feed(fromLatin1('c\r\n')).content.length, 0)
  assert.equal(scanner.feed(fromLatin1('.\r\n')).ended, true)
})

test('data: the limits hold at the byte', () => {
  const body = `\r\n${'y'.repeat(20)}\r\n${'y'.repeat(20)}\r\n`
  const limits = { ...LIMITS, messageMaxBytes: body.length }
  assert.equal(scan(`${body}.\r\n`, 7, limits).fault, undefined)
  assert.equal(scan(`${body}..\r\n.\r\n`, 7, limits).fault, 'too-large')
  const header = { ...LIMITS, headerMaxBytes: 8 }
  assert.equal(scan('a: bcd\r\n.\r\n', 3, header).fault, undefined)
  assert.equal(scan('a: bcde\r\n.\r\n', 3, header).fault, 'header-too-large')
})

test('data: long runs of lines with dots take no time', () => {
  const wire = fromLatin1('..\r\n'.repeat(250_000))
  const scanner = new DataScanner({ messageMaxBytes: 1e9, headerMaxBytes: 1e9, lineMaxBytes: 1000 })
  const tookMs = cpuMs(() => {
    for (let at = 0; at < wire.length; at += 65_536) scanner.feed(wire.subarray(at, at + 65_536))
  })
  assert.equal(scanner.messageBytes, 750_000)
  assert.ok(tookMs < 2_000)
})
