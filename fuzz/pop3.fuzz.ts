/** What a POP3 client sends, and what of a message goes out to it. */
import assert from 'node:assert/strict'
import { parsePop3Command } from '../src/protocol/pop3-command.ts'
import { COMMAND_LINE_MAX_BYTES, LineBuffer } from '../src/protocol/pop3-lines.ts'
import { DotStuffer } from '../src/protocol/dot-stuffing.ts'
import { TopCutter } from '../src/protocol/pop3-top.ts'

export function target(bytes: Uint8Array): void {
  const halfway = bytes.length >> 1
  const halves = [bytes.subarray(0, halfway), bytes.subarray(halfway)]
  assert.deepEqual(commandsOf(halves), commandsOf([bytes]))
  const wire = stuffed([bytes])
  assert(wire.equals(stuffed(halves)))
  assert(unstuffed(wire).equals(ended(bytes)))
  for (const bodyLines of [0, 1, 7]) {
    const shown = topOf([bytes], bodyLines)
    assert(shown.equals(topOf(halves, bodyLines)))
    assert(shown.equals(bytes.subarray(0, shown.length)))
  }
}

export function seeds(): Uint8Array[] {
  const texts = [
    'USER bob@abc.com\r\nPASS correct horse\r\nSTAT\r\nLIST 1\r\nUIDL\r\nTOP 1 10\r\nRETR 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n',
    'CAPA\r\nSTLS\r\nUTF8\r\nLANG en\r\nAUTH PLAIN AGJvYkBhYmMuY29tAGNvcnJlY3QgaG9yc2U=\r\nNOOP\r\n',
    `USER ${'x'.repeat(300)}\r\nQUIT\nQUIT\r\n`,
    'Subject: dots\r\n\r\n.\r\n..\r\n.a\n.\r\n\r.\r\nlast',
  ]
  return texts.map((text) => Buffer.from(text, 'latin1'))
}

function commandsOf(chunks: readonly Uint8Array[]): unknown[] {
  const lines = new LineBuffer()
  const commands: unknown[] = []
  for (const chunk of chunks) lines.push(chunk)
  for (let line = lines.next(COMMAND_LINE_MAX_BYTES); line; line = lines.next(COMMAND_LINE_MAX_BYTES))
    commands.push(line.kind === 'line' ? parsePop3Command(line.bytes) : line.kind)
  return commands
}

function stuffed(chunks: readonly Uint8Array[]): Buffer {
  const stuffer = new DotStuffer()
  const out = chunks.map((chunk) => stuffer.push(chunk))
  return Buffer.concat([...out, stuffer.end(), Buffer.from('.\r\n')])
}

/** As a client does that cuts at LF; the end must be the only one. */
function unstuffed(wire: Buffer): Buffer {
  const lines: Buffer[] = []
  for (let at = 0; at < wire.length;) {
    const end = wire.indexOf('\n', at) + 1
    const line = wire.subarray(at, end)
    at = end
    if (line.equals(Buffer.from('.\r\n'))) assert.equal(at, wire.length)
    else lines.push(line[0] === 0x2e ? line.subarray(1) : line)
  }
  return Buffer.concat(lines)
}

function ended(bytes: Uint8Array): Buffer {
  const message = Buffer.from(bytes)
  const complete = message.length === 0 || message.subarray(-2).equals(Buffer.from('\r\n'))
  return complete ? message : Buffer.concat([message, Buffer.from('\r\n')])
}

function topOf(chunks: readonly Uint8Array[], bodyLines: number): Buffer {
  const cutter = new TopCutter(bodyLines)
  return Buffer.concat(chunks.map((chunk) => cutter.push(chunk)))
}
