/** Says whether what a terminal fetched is what another terminal sent, and where it begins to differ when it is not. */
import assert from 'node:assert/strict'

export interface Expected {
  /** As it left the client, with CRLF line ends. */
  readonly sent: Buffer
  /** Fields that a submission agent adds when they are missing (RFC 6409 §8), in the order in which it puts them on top. */
  readonly added?: readonly ('Message-ID' | 'Date')[]
  /** Both users have the same provider: the mail has crossed no other border. */
  readonly local?: boolean
}

/** What providers put on top, outermost first. */
const TRACE = ['Return-Path', 'Authentication-Results', 'X-Sealpost-Status', 'Received', 'Received'] as const

/** Everything but trace fields is the same, byte for byte; and the trace fields say that the mail was protected. */
export function assertSameMail(fetched: Buffer, { sent, added = [], local = false }: Expected): void {
  const names = [...(local ? TRACE.slice(0, -1) : TRACE), ...added]
  const fields: string[] = []
  let rest = fetched
  for (const name of names) {
    const field = firstField(rest)
    assert.equal(field.slice(0, field.indexOf(':')), name, `after ${fields.join('')}`)
    fields.push(field)
    rest = rest.subarray(field.length)
  }
  assert.match(fields[1] ?? '', /^Authentication-Results: [^;]+; smime=pass/)
  assert.match((fields[2] ?? '').replaceAll('\r\n', ''), /^X-Sealpost-Status: Encrypted on the way\. Signature valid/)
  assertSameBytes(rest, sent)
}

/** `deepEqual` would print 20 MB. */
export function assertSameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  const show = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', Math.max(0, at - 40), at + 80))
  assert.fail(
    `they differ at byte ${at} (lengths ${actual.length} and ${expected.length}):\n  is        ${show(actual)}\n  should be ${show(expected)}`,
  )
}

/** With its CRLF and its folded lines. */
function firstField(message: Buffer): string {
  let end = message.indexOf('\r\n') + 2
  while (message[end] === 0x20 || message[end] === 0x09) end = message.indexOf('\r\n', end) + 2
  return message.toString('latin1', 0, end)
}

/** For programs that write what they fetched with LF; a mail has no other line ends (RFC 5321 §2.3.8). */
export function withCrlf(text: Buffer): Buffer {
  return Buffer.from(text.toString('latin1').replaceAll(/(?<!\r)\n/g, '\r\n'), 'latin1')
}

export function withLf(text: Buffer): Buffer {
  return Buffer.from(text.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}
