import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1 } from '../base/bytes.ts'
import { COMMAND_LINE_MAX_BYTES, LineBuffer } from './pop3-lines.ts'

/** Lines as text, the others by their kind in <>. */
function take(lines: LineBuffer, maxBytes = COMMAND_LINE_MAX_BYTES): string[] {
  const taken: string[] = []
  for (let line = lines.next(maxBytes); line !== undefined; line = lines.next(maxBytes))
    taken.push(line.kind === 'line' ? latin1(line.bytes) : `<${line.kind}>`)
  return taken
}

const cases: readonly [input: string, lines: readonly string[], why: string][] = [
  ['QUIT\r\n', ['QUIT'], 'one line'],
  ['A\r\nB\r\nC', ['A', 'B'], 'two lines and the start of one'],
  ['\r\n', [''], 'an empty line'],
  ['A\nB\r\n', ['<bare-lf>', 'B'], 'a bare LF is no line end'],
  ['\nB\r\n', ['<bare-lf>', 'B'], 'nothing but LF'],
  ['A\rB\r\n', ['A\rB'], 'a bare CR is left to the parser'],
  [`${'x'.repeat(253)}\r\n`, ['x'.repeat(253)], '255 octets with CRLF (RFC 2449 §4)'],
  [`${'x'.repeat(254)}\r\nB\r\n`, ['<too-long>', 'B'], '256 octets, and the next line is read again'],
  [`${'x'.repeat(5000)}\r\nB\r\n`, ['<too-long>', 'B'], 'far too long'],
  ['x'.repeat(70_000), ['<endless>'], 'no end in sight'],
]
for (const [input, expected, why] of cases) {
  test(`POP3 lines, at once: ${why}`, () => {
    const lines = new LineBuffer()
    lines.push(Buffer.from(input))
    assert.deepEqual(take(lines).slice(0, expected.length), expected)
  })
  test(`POP3 lines, octet by octet: ${why}`, () => {
    const lines = new LineBuffer()
    const taken: string[] = []
    for (const byte of Buffer.from(input)) {
      lines.push(Uint8Array.of(byte))
      taken.push(...take(lines))
      assert(lines.bufferedBytes <= COMMAND_LINE_MAX_BYTES)
    }
    assert.deepEqual(taken.slice(0, expected.length), expected)
  })
}

test('POP3 lines: each is held to the limit of the moment', () => {
  const lines = new LineBuffer()
  lines.push(Buffer.from(`${'x'.repeat(600)}\r\n${'y'.repeat(600)}\r\n`))
  assert.deepEqual(lines.next(1026), { kind: 'line', bytes: Buffer.from('x'.repeat(600)) })
  assert.deepEqual(lines.next(255), { kind: 'too-long' })
})

test('POP3 lines: what was pushed may be changed afterwards', () => {
  const lines = new LineBuffer()
  const chunk = Buffer.from('NOOP\r\n')
  lines.push(chunk)
  chunk.fill(0)
  assert.deepEqual(take(lines), ['NOOP'])
})
