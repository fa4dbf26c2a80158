/** Undoes a Content-Transfer-Encoding (RFC 2045 §6). */
import { Buffer } from 'node:buffer'
import { CR, LF, latin1 } from '../base/bytes.ts'
import { transferEncodingOf } from './content-type.ts'
import { type Defect, type Part, bodyOf } from './part.ts'

export interface Decoded {
  readonly bytes: Uint8Array
  readonly defects: readonly Defect[]
}

/** The body's content. An unknown encoding gives the body as it stands (RFC 2045 §6.4) and a defect. */
export function decodeBody(part: Part): Decoded {
  const body = bodyOf(part)
  switch (transferEncodingOf(part)) {
    case '7bit':
    case '8bit':
    case 'binary':
      return { bytes: body, defects: [] }
    case 'base64':
      return decodeBase64(body)
    case 'quoted-printable':
      return decodeQuotedPrintable(body)
    case 'unknown':
      return { bytes: body, defects: ['bad-transfer-encoding'] }
  }
}

/**
 * Base64 (RFC 2045 §6.8): line ends and blanks do not count; other characters outside the alphabet are skipped, with a
 * defect. Padding is the end of the data: what follows (mailing lists append footers) is left out, with a defect.
 */
export function decodeBase64(encoded: Uint8Array): Decoded {
  const bytes = decodeStrictBase64(encoded)
  return bytes === undefined ? decodeLooseBase64(encoded) : { bytes, defects: [] }
}

/** What the built-in decoder reads at once: a large body never stands in memory as one string. */
const BLOCK_CHARS = 64 * 1024

/** `undefined` when something is strange, which then the careful decoder looks at. */
function decodeStrictBase64(encoded: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.allocUnsafe(Math.ceil((encoded.length * 3) / 4))
  let length = 0
  try {
    for (let at = 0; at < encoded.length;) {
      const text = latin1(encoded.subarray(at, at + BLOCK_CHARS))
      const isLast = at + text.length === encoded.length
      if (!isLast && text.includes('=')) return undefined
      const lastChunkHandling = isLast ? 'strict' : 'stop-before-partial'
      const { read, written } = bytes.subarray(length).setFromBase64(text, { lastChunkHandling })
      if (read === 0) return undefined
      at += read
      length += written
    }
  } catch {
    return undefined
  }
  return bytes.subarray(0, length)
}

const isBase64Blank = (octet: number | undefined): boolean =>
  octet === LF || octet === CR || octet === 0x20 || octet === 0x09

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const DIGITS = Int8Array.from({ length: 256 }, (_, octet) => ALPHABET.indexOf(String.fromCharCode(octet)))

function decodeLooseBase64(encoded: Uint8Array): Decoded {
  const bytes = Buffer.allocUnsafe(Math.ceil((encoded.length * 3) / 4))
  let length = 0
  let bits = 0
  let bitCount = 0
  let strange = false
  let at = 0
  for (; at < encoded.length; at++) {
    const octet = encoded[at] ?? 0
    if (octet === 0x3d) break
    const digit = DIGITS[octet] ?? -1
    if (digit < 0) {
      if (!isBase64Blank(octet)) strange = true
      continue
    }
    bits = ((bits << 6) | digit) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[length++] = bits >> bitCount
    }
  }
  const rest = latin1(encoded.subarray(at)).replace(/[ \t\r\n]+/g, '')
  const padding = bitCount === 4 ? '==' : bitCount === 2 ? '=' : ''
  if (bitCount === 6 || rest !== padding) strange = true
  return { bytes: bytes.subarray(0, length), defects: strange ? ['bad-transfer-encoding'] : [] }
}

/**
 * Quoted-printable (RFC 2045 §6.7): blanks at the end of a line were added on the way and go; an `=` that starts nothing
 * known stays as it is, with a defect. Line ends are kept as they are.
 */
export function decodeQuotedPrintable(encoded: Uint8Array): Decoded {
  const bytes = Buffer.allocUnsafe(encoded.length)
  let length = 0
  let strange = false
  for (let from = 0; from < encoded.length;) {
    const { lineEnd, next } = lineAt(encoded, from)
    let end = lineEnd
    while (end > from && (encoded[end - 1] === 0x20 || encoded[end - 1] === 0x09)) end--
    const soft = end > from && encoded[end - 1] === 0x3d
    if (soft) end--
    for (let at = from; at < end; at++) {
      const octet = encoded[at] ?? 0
      const value = octet === 0x3d && at + 2 < end ? hexPair(encoded[at + 1], encoded[at + 2]) : -1
      bytes[length++] = value < 0 ? octet : value
      if (value >= 0) at += 2
      else if (octet === 0x3d) strange = true
    }
    if (!soft) for (let at = lineEnd; at < next; at++) bytes[length++] = encoded[at] ?? 0
    from = next
  }
  return { bytes: bytes.subarray(0, length), defects: strange ? ['bad-transfer-encoding'] : [] }
}

/** Where the line that starts at `from` ends, without and with its line end. */
function lineAt(bytes: Uint8Array, from: number): { lineEnd: number; next: number } {
  const newline = bytes.indexOf(LF, from)
  if (newline < 0) return { lineEnd: bytes.length, next: bytes.length }
  return { lineEnd: newline > from && bytes[newline - 1] === CR ? newline - 1 : newline, next: newline + 1 }
}

/** -1 when these are no two hexadecimal digits. Lower case is not allowed (RFC 2045 §6.7) but clear. */
function hexPair(high: number | undefined, low: number | undefined): number {
  const [first, second] = [hexDigit(high), hexDigit(low)]
  return first < 0 || second < 0 ? -1 : first * 16 + second
}

function hexDigit(octet: number | undefined): number {
  if (octet === undefined) return -1
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30
  const letter = octet & 0xdf
  return letter >= 0x41 && letter <= 0x46 ? letter - 0x37 : -1
}
