/** Base64 for bodies (RFC 2045 §6.8): lines of 76 characters, each ended by CRLF. */
import { Buffer } from 'node:buffer'
import type { ByteSink } from '../base/byte-sink.ts'

/** What is pushed comes out encoded in `out`: the same bytes however it was cut. Nothing in, nothing out. */
export function base64LineSink(out: ByteSink): ByteSink {
  return new Base64LineSink(out)
}

export function encodeBase64Lines(bytes: Uint8Array): Uint8Array {
  const whole = bytes.length - (bytes.length % LINE_BYTES)
  return Buffer.concat([encodeWholeLines(bytes, 0, whole), encodeLastLine(bytes.subarray(whole))])
}

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

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** Twelve bits → two characters as they lie in memory: two table reads for three octets. */
const PAIRS = new Uint16Array(
  Uint8Array.from({ length: 8192 }, (_, at) => ALPHABET.charCodeAt(at % 2 === 0 ? at >> 7 : (at >> 1) & 63)).buffer,
)
const CRLF_PAIR = new Uint16Array(Uint8Array.of(0x0d, 0x0a).buffer)[0] ?? 0

/** `to - from` is a multiple of LINE_BYTES. A third faster than the built-in encoder, which has no line ends to offer. */
function encodeWholeLines(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const pairs = new Uint16Array(((to - from) / LINE_BYTES) * (LINE_CHARS / 2))
  let next = 0
  for (let at = from; at < to;) {
    for (const lineEnd = at + LINE_BYTES; at < lineEnd; at += 3) {
      const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
      pairs[next++] = PAIRS[bits >> 12] ?? 0
      pairs[next++] = PAIRS[bits & 0xfff] ?? 0
    }
    pairs[next++] = CRLF_PAIR
  }
  return new Uint8Array(pairs.buffer)
}
