/** Encoded words (RFC 2047) → text, for people to read. Never used to find an address. */
import { Buffer, isAscii } from 'node:buffer'
import { decodeCharset } from './charset.ts'

/** Encoded words with nothing but blanks between them, in one charset: their bytes belong together. */
interface Run {
  readonly start: number
  end: number
  readonly charset: string
  readonly bytes: Uint8Array[]
}

/**
 * Replaces the encoded words in `text`. Blanks between two of them go (RFC 2047 §6.2), and characters cut in two by
 * careless writers are put together again. What cannot be decoded stays as it is. Linear time.
 */
export function decodeWords(text: string): string {
  if (!text.includes('=?')) return text
  let out = ''
  let end = 0
  for (const run of runsOf(text)) {
    const decoded = decodeCharset(Buffer.concat(run.bytes), run.charset)
    const between = text.slice(end, run.start)
    if (end === 0 || !isBlank(between) || decoded === undefined) out += between
    out += decoded ?? text.slice(run.start, run.end)
    end = run.end
  }
  return out + text.slice(end)
}

/**
 * The text in octets of `charset`, when it is US-ASCII but for encoded words, and all of them are in that charset;
 * else `undefined`.
 */
export function wordsInCharset(text: string, charset: string): Uint8Array | undefined {
  const octets: Uint8Array[] = []
  let plain = ''
  let end = 0
  for (const run of runsOf(text)) {
    if (run.charset !== charset.toLowerCase()) return undefined
    const between = text.slice(end, run.start)
    if (end === 0 || !isBlank(between)) {
      plain += between
      octets.push(Buffer.from(between))
    }
    octets.push(...run.bytes)
    end = run.end
  }
  plain += text.slice(end)
  return isAscii(Buffer.from(plain)) ? Buffer.concat([...octets, Buffer.from(text.slice(end))]) : undefined
}

function runsOf(text: string): readonly Run[] {
  const runs: Run[] = []
  for (const match of text.matchAll(/=\?([^?\s]+)\?([bq])\?([^?]*)\?=/gi)) {
    const [whole, label = '', encoding = '', content = ''] = match
    const charset = label.toLowerCase().replace(/\*.*$/s, '') // a language may follow it (RFC 2231 §5)
    const bytes = encoding.toLowerCase() === 'b' ? Buffer.from(content, 'base64') : decodeQ(content)
    const run = runs.at(-1)
    if (run !== undefined && run.charset === charset && isBlank(text.slice(run.end, match.index))) {
      run.bytes.push(bytes)
      run.end = match.index + whole.length
    } else runs.push({ start: match.index, end: match.index + whole.length, charset, bytes: [bytes] })
  }
  return runs
}

const isBlank = (text: string): boolean => /^[ \t\r\n]*$/.test(text)

/** The Q encoding (RFC 2047 §4.2). */
function decodeQ(content: string): Uint8Array {
  const text = content
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(text, 'latin1')
}
