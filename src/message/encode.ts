/** Transfer encodings for bodies: base64 (RFC 2045 §6.8) in lines of 76 characters, each ended by CRLF; quoted-printable (§6.7). */
import { Buffer } from 'node:buffer'
import { type ByteSink, Collector } from '../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1 } from '../base/bytes.ts'

/** What is pushed comes out encoded in `out`: the same bytes however it was cut. Nothing in, nothing out. */
export function base64LineSink(out: ByteSink): ByteSink {
  return new Base64LineSink(out)
}

export function encodeBase64Lines(bytes: Uint8Array): Uint8Array {
  const lines = new Collector()
  const sink = base64LineSink(lines)
  sink.write(bytes)
  sink.end()
  return concatBytes(lines.take())
}

/** Text whose lines end in CRLF; other line ends are octets like any others, and are encoded. */
export function encodeQuotedPrintable(text: Uint8Array): Uint8Array {
  const lines = latin1(text).split('\r\n').map(quotedLine)
  return fromLatin1(lines.join('\r\n'))
}

/** With soft line breaks, so that no line is longer than 76 characters. */
function quotedLine(line: string): string {
  let out = ''
  let columns = 0
  for (let at = 0; at < line.length; at++) {
    const octet = line.charAt(at)
    const blankAtEnd = at === line.length - 1 && (octet === ' ' || octet === '\t')
    const isPlain = /^[\t -<>-~]$/.test(octet) && !blankAtEnd
    const written = isPlain ? octet : `=${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
    if (columns + written.length > QUOTED_COLUMNS) {
      out += '=\r\n'
      columns = 0
    }
    out += written
    columns += written.length
  }
  return out
}

/** Without the `=` of a soft line break. */
const QUOTED_COLUMNS = 75
const LINE_BYTES = 57
const LINE_CHARS = 78 // with CRLF
/** Bounds what one large chunk allocates at a time. */
const BLOCK_BYTES = LINE_BYTES * 1024

class Base64LineSink implements ByteSink {
  readonly #out: ByteSink
  readonly #line = new Uint8Array(LINE_BYTES)
  #lineBytes = 0

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    let at = 0
    if (this.#lineBytes > 0) {
      at = Math.min(LINE_BYTES - this.#lineBytes, chunk.length)
      this.#keep(chunk.subarray(0, at))
      if (this.#lineBytes < LINE_BYTES) return
      this.#out.write(encodeWholeLines(this.#line, 0, LINE_BYTES))
      this.#lineBytes = 0
    }
    const whole = chunk.length - ((chunk.length - at) % LINE_BYTES)
    for (; at < whole; at += BLOCK_BYTES)
      this.#out.write(encodeWholeLines(chunk, at, Math.min(at + BLOCK_BYTES, whole)))
    this.#keep(chunk.subarray(whole))
  }

  end(): void {
    if (this.#lineBytes > 0) this.#out.write(encodeLastLine(this.#line.subarray(0, this.#lineBytes)))
    this.#lineBytes = 0
    this.#out.end()
  }

  #keep(bytes: Uint8Array): void {
    this.#line.set(bytes, this.#lineBytes)
    this.#lineBytes += bytes.length
  }
}

function encodeLastLine(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes
  return Buffer.from(`${Buffer.from(bytes).toString('base64')}\r\n`, 'latin1')
}

/** One block, encoded and not yet in lines. */
const encoded = Buffer.allocUnsafeSlow((BLOCK_BYTES / 3) * 4)
const encodedWords = new Uint32Array(encoded.buffer)
const LINE_WORDS = 19
const TWO_LINES_WORDS = 39 // with both line ends
/** CR LF as they lie in half a word: Node runs on little-endian machines only, wherever we do. */
const CRLF = 0x0a0d

/**
 * `to - from` is a multiple of LINE_BYTES, and at most BLOCK_BYTES. The built-in encoder has no line ends to offer; they are
 * put in four characters at a time, with every second line beginning in the middle of a word.
 */
function encodeWholeLines(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('base64')
  encoded.write(text, 'latin1')
  const lines = (to - from) / LINE_BYTES
  const words = new Uint32Array(Buffer.allocUnsafeSlow(Math.ceil(lines / 2) * TWO_LINES_WORDS * 4).buffer)
  let next = 0
  for (let at = 0; at < lines * LINE_WORDS;) {
    for (const lineEnd = at + LINE_WORDS; at < lineEnd; at++) words[next++] = encodedWords[at] ?? 0
    let half = CRLF
    if (at < lines * LINE_WORDS)
      for (const lineEnd = at + LINE_WORDS; at < lineEnd; at++) {
        const word = encodedWords[at] ?? 0
        words[next++] = half | (word << 16)
        half = word >>> 16
      }
    words[next++] = half | (CRLF << 16)
  }
  return new Uint8Array(words.buffer, 0, lines * LINE_CHARS)
}
