/** Puts Legacy Display Elements into a payload that passes by (RFC 9788 §5.2), for readers who decrypt and know no more. */
import { isAscii } from 'node:buffer'
import type { ByteSink } from '../../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1, utf8 } from '../../base/bytes.ts'
import { contentTypeOf, dispositionOf, transferEncodingOf } from '../../message/content-type.ts'
import { decodeBody } from '../../message/decode.ts'
import { encodeBase64Lines, encodeQuotedPrintable } from '../../message/encode.ts'
import { decodeWords, wordsInCharset } from '../../message/encoded-word.ts'
import { fieldBody, firstField, isField } from '../../message/header-field.ts'
import { NESTING_MAX, childrenOf } from '../../message/mime-tree.ts'
import { parsePart } from '../../message/parse.ts'
import type { HeaderField, Part } from '../../message/part.ts'
import { type Edit, LEGACY_CLASS, LEGACY_PARAMETER, applyEdits, offsetIn } from './legacy-display.ts'
import { withParameter } from './type-parameter.ts'

/** The texts of a mail stand in front of its attachments; what begins later than this has no element. */
export const HEAD_BYTES_MAX = 256 * 1024
/** Of a field's body; the element is a decoration. */
const SHOWN_CHARS_MAX = 500

/** What programs show of a header (RFC 9787 §1.1.2), and the Comments and Keywords that are hidden too. */
const USER_FACING = ['Subject', 'Comments', 'Keywords', 'From', 'Sender', 'Reply-To', 'To', 'Cc', 'Date'] as const

/** Takes the payload, header and all. `hidden`: fields of the author's that are not outside as they are inside. */
export function legacyDisplaySink(hidden: readonly HeaderField[], out: ByteSink): ByteSink {
  const shown = hidden.filter((field) => USER_FACING.some((name) => isField(field, name)))
  return shown.length === 0 ? out : new LegacyDisplaySink(shown, out)
}

class LegacyDisplaySink implements ByteSink {
  readonly #shown: readonly HeaderField[]
  readonly #out: ByteSink
  #head: Uint8Array[] | undefined = []
  #headBytes = 0

  constructor(shown: readonly HeaderField[], out: ByteSink) {
    this.#shown = shown
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#head === undefined) return this.#out.write(chunk)
    this.#head.push(chunk)
    this.#headBytes += chunk.length
    if (this.#headBytes >= HEAD_BYTES_MAX) this.#passOn(false)
  }

  end(): void {
    this.#passOn(true)
    this.#out.end()
  }

  #passOn(isWhole: boolean): void {
    if (this.#head === undefined) return
    const head = parsePart(concatBytes(this.#head))
    this.#head = undefined
    const edits = mainBodyParts(head, 0).flatMap((leaf) => elementEdits(head, leaf, this.#shown, isWhole))
    for (const piece of applyEdits(head.raw, edits)) this.#out.write(piece)
  }
}

/** RFC 9787 §7.1: down the first children, and all of them below multipart/alternative. What is signed stays as it is. */
function mainBodyParts(part: Part, depth: number): readonly Part[] {
  const { type } = contentTypeOf(part)
  if (!type.startsWith('multipart/')) return dispositionOf(part).disposition === 'attachment' ? [] : [part]
  if (type === 'multipart/signed' || type === 'multipart/encrypted' || depth >= NESTING_MAX) return []
  const { children } = childrenOf(part)
  const main = type === 'multipart/alternative' ? children : children.slice(0, 1)
  return main.flatMap((child) => mainBodyParts(child, depth + 1))
}

/** None for a part that cannot carry the element: then its reader sees what stands outside. */
function elementEdits(root: Part, leaf: Part, shown: readonly HeaderField[], isWhole: boolean): readonly Edit[] {
  const at = offsetIn(root, leaf)
  const isComplete = isWhole || at + leaf.raw.length < root.raw.length
  const { type, parameters } = contentTypeOf(leaf)
  const field = firstField(leaf, 'Content-Type')
  const marked = withParameter(field, LEGACY_PARAMETER, '1')
  if (marked === undefined || parameters.has(LEGACY_PARAMETER)) return []
  if (!hasBody(leaf) || isFolded(leaf.fields[0])) return []
  const body =
    type === 'text/plain'
      ? textEdit(leaf, shown, parameters.get('charset') ?? 'us-ascii')
      : type === 'text/html'
        ? htmlEdit(leaf, shown, isComplete)
        : undefined
  if (body === undefined || ASCII_INCOMPATIBLE.test(parameters.get('charset') ?? '')) return []
  const start = field === undefined ? 0 : field.raw.byteOffset - leaf.raw.byteOffset
  const typeEdit = { start, end: start + (field?.raw.length ?? 0), bytes: marked.raw }
  return [typeEdit, body].map((edit) => ({ ...edit, start: edit.start + at, end: edit.end + at }))
}

/** The empty line has been seen: what is put behind it is body. */
const hasBody = ({ raw, bodyOffset }: Part): boolean =>
  bodyOffset < raw.length || /(?:^|\n)\r?\n$/.test(latin1(raw.subarray(-3)))

/** A line that continues no field would continue one that is put before it. */
const isFolded = (first: HeaderField | undefined): boolean => first?.raw[0] === 0x20 || first?.raw[0] === 0x09

const ASCII_INCOMPATIBLE = /^(?:utf-?(?:7|16|32)|ucs|iso-10646|ebcdic|ibm)/i

/** A block of lines in front of the text, ended by an empty line (RFC 9788 §5.2.2). */
function textEdit(leaf: Part, shown: readonly HeaderField[], charset: string): Edit | undefined {
  const encoding = transferEncodingOf(leaf)
  if (encoding === 'unknown') return undefined
  const values = shown.map((field) => valueIn(field, charset, encoding === '7bit'))
  const lengthBytes = shown.reduce((sum, { name }, at) => sum + name.length + (values[at]?.length ?? 0) + 4, 2)
  // blanks make whole groups of the base64, so that what follows need not be encoded again
  const padding = encoding === 'base64' ? ' '.repeat((3 - (lengthBytes % 3)) % 3) : ''
  const lines = shown.flatMap(({ name }, at) => [
    fromLatin1(`${name}: ${at === 0 ? padding : ''}`),
    values[at] ?? NOTHING,
    CRLF,
  ])
  const element = concatBytes([...lines, CRLF])
  const bytes =
    encoding === 'base64'
      ? encodeBase64Lines(element)
      : encoding === 'quoted-printable'
        ? encodeQuotedPrintable(element)
        : element
  return { start: leaf.bodyOffset, end: leaf.bodyOffset, bytes }
}

/** Decoded where the charset of the part can say it; else as it stands in the header, in encoded words. */
function valueIn(field: HeaderField, charset: string, isSevenBit: boolean): Uint8Array {
  const text = fieldBody(field)
  const decoded = inOneLine(decodeWords(text))
  if (isAscii(utf8(decoded))) return fromLatin1(decoded)
  const octets = /^utf-?8$/i.test(charset) ? utf8(decoded) : wordsInCharset(text, charset)
  const fits = octets !== undefined && !octets.includes(0x0a) && !octets.includes(0x0d)
  if (fits && octets.length <= SHOWN_CHARS_MAX && (!isSevenBit || isAscii(octets))) return octets
  return fromLatin1(inOneLine(text).replaceAll(/[^ -~]/g, '?'))
}

/** An empty line within would end the element early (RFC 9788 §10.3). */
// oxlint-disable-next-line no-control-regex -- these are what is replaced
const inOneLine = (text: string): string => text.replaceAll(/[\0-\x1f\x7f]+/g, ' ').slice(0, SHOWN_CHARS_MAX)

/** The first child of `<body>` (RFC 9788 §5.2.3); HTML that has none is left as it is. */
function htmlEdit(leaf: Part, shown: readonly HeaderField[], isComplete: boolean): Edit | undefined {
  const encoding = transferEncodingOf(leaf)
  const isBase64 = encoding === 'base64'
  if (encoding === 'unknown' || (isBase64 && !isComplete)) return undefined
  const text = isBase64 ? latin1(decodeBody(leaf).bytes) : latin1(leaf.raw.subarray(leaf.bodyOffset))
  const body = /<body(?:\s[^<>]{0,2000})?>/i.exec(text)
  if (body === null) return undefined
  const lines = shown.map((field) => `${field.name}: ${escapeHtml(inOneLine(decodeWords(fieldBody(field))))}`)
  const element = fromLatin1(`<div class="${LEGACY_CLASS}"><pre>${lines.join('\r\n')}</pre></div>`)
  const at = body.index + body[0].length
  if (isBase64) {
    const whole = concatBytes([fromLatin1(text.slice(0, at)), element, fromLatin1(text.slice(at))])
    return { start: leaf.bodyOffset, end: leaf.raw.length, bytes: encodeBase64Lines(whole) }
  }
  const bytes =
    encoding === 'quoted-printable' ? concatBytes([SOFT_BREAK, encodeQuotedPrintable(element), SOFT_BREAK]) : element
  return { start: leaf.bodyOffset + at, end: leaf.bodyOffset + at, bytes }
}

/** US-ASCII whatever the charset is. */
const escapeHtml = (text: string): string =>
  text.replaceAll(/[^ !#-%(-;=?-~]/gu, (char) => `&#${char.codePointAt(0) ?? 0};`)

const CRLF = fromLatin1('\r\n')
const SOFT_BREAK = fromLatin1('=\r\n')
const NOTHING = new Uint8Array(0)
