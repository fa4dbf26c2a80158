/** Undoes a Content-Transfer-Encoding as the bytes come; gives what `decodeBody` gives (RFC 2045 §6). */
import { Buffer } from 'node:buffer'
import type { ByteSink } from '../base/byte-sink.ts'
import { LF, latin1 } from '../base/bytes.ts'
import type { TransferEncoding } from './content-type.ts'
import { decodeBase64, decodeQuotedPrintable } from './decode.ts'

/** What is pushed comes out decoded in `out`. Only the bytes: nobody asks a stream for defects. */
export function decodingSink(encoding: TransferEncoding, out: ByteSink): ByteSink {
  switch (encoding) {
    case 'base64':
      return new Base64Decoder(out)
    case 'quoted-printable':
      return new QuotedPrintableDecoder(out)
    case '7bit':
    case '8bit':
    case 'binary':
    case 'unknown':
      return out
  }
}

const NOT_BASE64 = /[^A-Za-z0-9+/]+/g
/** What the built-in decoder reads at once. */
const BLOCK_CHARS = 64 * 1024

/** Strict as long as it can be: four characters at a time, up to the padding, which is the end. */
class Base64Decoder implements ByteSink {
  readonly #out: ByteSink
  /** Up to three characters of the alphabet that do not make a group yet. */
  #rest = ''
  #ended = false

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#ended; at += BLOCK_CHARS)
      this.#decode(this.#rest + latin1(chunk.subarray(at, at + BLOCK_CHARS)))
  }

  end(): void {
    this.#decodeRest()
    this.#out.end()
  }

  #decode(text: string): void {
    const padding = text.indexOf('=')
    const data = padding < 0 ? text : text.slice(0, padding)
    if (!this.#decodeStrictly(data)) this.#decodeLoosely(data)
    if (padding < 0) return
    this.#ended = true
    this.#decodeRest()
  }

  /** False when there is something that the built-in decoder does not know. */
  #decodeStrictly(text: string): boolean {
    const bytes = Buffer.allocUnsafeSlow(Math.ceil((text.length * 3) / 4))
    const decoded = decodeInto(bytes, text)
    if (decoded === undefined) return false
    this.#rest = text.slice(decoded.read).replace(NOT_BASE64, '')
    if (decoded.written > 0) this.#out.write(bytes.subarray(0, decoded.written)) // what it throws is not ours to catch
    return true
  }

  #decodeLoosely(text: string): void {
    const clean = text.replace(NOT_BASE64, '')
    const groups = clean.slice(0, clean.length & ~3)
    this.#rest = clean.slice(groups.length)
    if (groups !== '') this.#out.write(decodeBase64(Buffer.from(groups, 'latin1')).bytes)
  }

  #decodeRest(): void {
    if (this.#rest !== '') this.#out.write(decodeBase64(Buffer.from(this.#rest.padEnd(4, '='), 'latin1')).bytes)
    this.#rest = ''
  }
}

function decodeInto(bytes: Buffer, text: string): { readonly read: number; readonly written: number } | undefined {
  try {
    return bytes.setFromBase64(text, { lastChunkHandling: 'stop-before-partial' })
  } catch {
    return undefined
  }
}

/** Of an encoded line, where 76 characters are allowed; a longer one is taken to end here. */
const LINE_MAX_BYTES = 2 ** 20

/** Line by line, for blanks at the end of a line go. */
class QuotedPrintableDecoder implements ByteSink {
  readonly #out: ByteSink
  #line: Uint8Array[] = []
  #lineBytes = 0

  constructor(out: ByteSink) {
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    const whole = chunk.lastIndexOf(LF) + 1
    if (whole > 0) this.#decode(chunk.subarray(0, whole))
    if (whole === chunk.length) return
    this.#line.push(chunk.subarray(whole))
    this.#lineBytes += chunk.length - whole
    if (this.#lineBytes > LINE_MAX_BYTES) this.#decode(new Uint8Array())
  }

  end(): void {
    if (this.#line.length > 0) this.#decode(new Uint8Array())
    this.#out.end()
  }

  #decode(lines: Uint8Array): void {
    const { bytes } = decodeQuotedPrintable(Buffer.concat([...this.#line, lines]))
    this.#line = []
    this.#lineBytes = 0
    if (bytes.length > 0) this.#out.write(bytes)
  }
}
