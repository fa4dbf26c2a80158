/**
 * A block of OpenPGP in the midst of a text: a message in armor (RFC 9580 §6.2), or a text that is signed in the clear (§7).
 * Only the first one is looked for; what stands around it is nobody's.
 */
import { type ByteRange, type Searchable, searchRange } from '../../../base/byte-range.ts'
import { LF, fromLatin1 } from '../../../base/bytes.ts'

export interface InlineText {
  readonly kind: 'message' | 'signed'
  /** From the dashes of its first line up to those of its last. */
  readonly block: ByteRange
  /** The text before it and after it. */
  readonly around: readonly [before: ByteRange, after: ByteRange]
}

const MESSAGE = { begin: '-----BEGIN PGP MESSAGE-----', end: '-----END PGP MESSAGE-----' }
const SIGNED = { begin: '-----BEGIN PGP SIGNED MESSAGE-----', end: '-----END PGP SIGNATURE-----' }

/** `undefined` when there is none, or it has no end. */
export function findInline(text: ByteRange): InlineText | undefined {
  const searched = searchRange(text)
  const message = findLine(searched, MESSAGE.begin, 0)
  const signed = findLine(searched, SIGNED.begin, 0)
  const kind = signed === undefined || (message !== undefined && message < signed) ? 'message' : 'signed'
  const start = kind === 'message' ? message : signed
  if (start === undefined) return undefined
  const last = kind === 'message' ? MESSAGE.end : SIGNED.end
  const end = findLine(searched, last, start)
  if (end === undefined) return undefined
  const after = end + last.length
  return { kind, block: text.range(start, after), around: [text.range(0, start), text.range(after)] }
}

/** Misses cost a search each, so that a text full of them is left alone. */
const MISSES_MAX = 1000

/** Where a line that is these words and blanks begins, at `from` or later. */
function findLine(text: Searchable, words: string, from: number): number | undefined {
  const needle = fromLatin1(words)
  let at = text.indexOf(needle, from)
  for (let misses = 0; at >= 0 && misses < MISSES_MAX; misses++) {
    if ((at === 0 || text.octet(at - 1) === LF) && isLineEnd(text, at + needle.length)) return at
    at = text.indexOf(needle, at + 1)
  }
  return undefined
}

function isLineEnd(text: Searchable, after: number): boolean {
  let at = after
  while (BLANKS.has(text.octet(at))) at++
  return at >= text.lengthBytes || text.octet(at) === LF
}

const BLANKS: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0d])
