import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DotStuffer } from './dot-stuffing.ts'

function stuff(chunks: readonly Uint8Array[]): string {
  const stuffer = new DotStuffer()
  const out = chunks.map((chunk) => Buffer.from(stuffer.push(chunk)).toString('latin1'))
  return `${out.join('')}${Buffer.from(stuffer.end()).toString('latin1')}.\r\n`
}

/** What a client that cuts at LF makes of it: the message, and what it takes for the next answers. */
function readAsClient(wire: string): { message: string; rest: string } {
  const lines: string[] = []
  let at = 0
  for (;;) {
    const end = wire.indexOf('\n', at) + 1
    if (end === 0) throw new Error('no end')
    const line = wire.slice(at, end)
    at = end
    if (line === '.\r\n' || line === '.\n') return { message: lines.join(''), rest: wire.slice(at) }
    lines.push(line.startsWith('.') ? line.slice(1) : line)
  }
}

const ended = (message: string): string => (message === '' || message.endsWith('\r\n') ? message : `${message}\r\n`)

const cases: readonly [message: string, wire: string, why: string][] = [
  ['', '.\r\n', 'an empty message'],
  ['a\r\n', 'a\r\n.\r\n', 'nothing to stuff'],
  ['.\r\n', '..\r\n.\r\n', 'a lone dot at the start'],
  ['..a\r\n', '...a\r\n.\r\n', 'one dot more, however many there are'],
  ['a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n', 'a lone dot inside'],
  ['a.b\r\n', 'a.b\r\n.\r\n', 'a dot elsewhere'],
  ['a', 'a\r\n.\r\n', 'the last line is not ended'],
  ['a\n', 'a\n\r\n.\r\n', 'ended by LF only: a client that cuts at CRLF must find the end'],
  ['a\r', 'a\r\r\n.\r\n', 'ended by CR only'],
  ['.', '..\r\n.\r\n', 'nothing but a dot'],
  ['a\n.\r\n+OK', 'a\n..\r\n+OK\r\n.\r\n', 'LF-dot-CRLF is no end: an answer cannot be forged by a message'],
  ['a\n.\n', 'a\n..\n\r\n.\r\n', 'LF-dot-LF neither'],
  ['a\r.\r\n', 'a\r.\r\n.\r\n', 'a bare CR ends no line'],
  ['\n\n', '\n\n\r\n.\r\n', 'empty lines with LF'],
]
for (const [message, wire, why] of cases) {
  test(`dot-stuffing: ${why}`, () => {
    const bytes = Buffer.from(message, 'latin1')
    assert.equal(stuff([bytes]), wire)
    assert.equal(stuff(Array.from(bytes, (byte) => Uint8Array.of(byte))), wire, 'octet by octet')
    assert.deepEqual(readAsClient(wire), { message: ended(message), rest: '' })
  })
}

test('dot-stuffing: any message in any chunks comes out of a client as it went in', () => {
  const line = fc.constantFrom('.', '\r', '\n', '\r\n', 'a', '..', '\0', '\xff')
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 8 })), (parts) => {
      const chunks = parts.map((part) => Buffer.from(part.join(''), 'latin1'))
      const message = Buffer.concat(chunks)
      const wire = stuff(chunks)
      assert.equal(wire, stuff([message]))
      assert.deepEqual(readAsClient(wire), { message: ended(message.toString('latin1')), rest: '' })
    }),
  )
})

test('dot-stuffing: a chunk without such a line is passed on uncopied', () => {
  const chunk = Buffer.from('Subject: a\r\n\r\nbody.\r\n')
  assert.equal(new DotStuffer().push(chunk), chunk)
})
