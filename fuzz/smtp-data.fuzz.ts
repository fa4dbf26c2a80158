/** SMTP data: whole or in pieces it reads the same, and what is accepted is every line without its dot. */
import assert from 'node:assert/strict'
import { concatBytes, fromLatin1, latin1 } from '../src/base/bytes.ts'
import { DataScanner, type DataFault } from '../src/protocol/smtp-data.ts'

const LIMITS = { messageMaxBytes: 4_000, headerMaxBytes: 2_000, lineMaxBytes: 500 }

export function target(bytes: Uint8Array): void {
  const whole = scan(bytes, () => bytes.length)
  let turn = 0
  const pieces = scan(bytes, () => 1 + ((turn++ * 7 + (bytes[turn % bytes.length] ?? 0)) % 11))
  assert.deepEqual([pieces.ended, pieces.rest], [whole.ended, whole.rest])
  // a limit may be noticed in another order than a bad byte, when both are there
  assert.equal(pieces.fault === undefined, whole.fault === undefined)
  if (whole.fault !== undefined) return
  assert.equal(pieces.content, whole.content)
  assert(!/\r(?!\n)|(?<!\r)\n|\0/.test(whole.content.replace(/\r$/, ''))) // oxlint-disable-line no-control-regex
  if (!whole.ended) return
  const lines = latin1(bytes)
    .slice(0, bytes.length - whole.rest.length - '.\r\n'.length)
    .split('\r\n')
  assert.equal(whole.content, lines.map((line) => (line.startsWith('.') ? line.slice(1) : line)).join('\r\n'))
}

function scan(
  bytes: Uint8Array,
  size: () => number,
): { content: string; ended: boolean; rest: string; fault?: DataFault } {
  const scanner = new DataScanner(LIMITS)
  const content: string[] = []
  let fault: DataFault | undefined
  for (let at = 0; at < bytes.length;) {
    const chunk = bytes.subarray(at, at + Math.max(1, size()))
    const step = scanner.feed(chunk)
    at += chunk.length
    content.push(latin1(step.content))
    fault = step.fault
    const rest = latin1(concatBytes([step.rest, bytes.subarray(at)]))
    if (step.ended) return { content: content.join(''), ended: true, rest, ...(fault === undefined ? {} : { fault }) }
  }
  return { content: content.join(''), ended: false, rest: '', ...(fault === undefined ? {} : { fault }) }
}

export function seeds(): Uint8Array[] {
  const wires = ['a: b\r\n\r\nc\r\n..d\r\n.\r\nQUIT\r\n', '.\r\n', '..\r\n.e\r\n...\r\n.\r\n', 'a\n.\r\nb\r\n.\r\n']
  return [...wires, `${'x'.repeat(600)}\r\n.\r\n`, `${'h: v\r\n'.repeat(400)}.\r\n`].map(fromLatin1)
}
