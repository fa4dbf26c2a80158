/**
 * Legacy Display Elements (RFC 9788 §2.1.2): the hidden fields once more at the beginning of the text, for readers who
 * decrypt but do not know header protection. Here: where they stand, and how to take them away. Pure views and edits.
 */
import { equalBytes, fromLatin1, latin1 } from '../../base/bytes.ts'
import { type TransferEncoding, contentTypeOf, dispositionOf, transferEncodingOf } from '../../message/content-type.ts'
import { decodeBody, decodeQuotedPrintable } from '../../message/decode.ts'
import { encodeBase64Lines, encodeQuotedPrintable } from '../../message/encode.ts'
import { decodeWords } from '../../message/encoded-word.ts'
import { fieldBody, firstField } from '../../message/header-field.ts'
import { NESTING_MAX, childrenOf } from '../../message/mime-tree.ts'
import { parsePart } from '../../message/parse.ts'
import { type Part, bodyOf } from '../../message/part.ts'
import { withoutParameter } from './type-parameter.ts'

export const LEGACY_PARAMETER = 'hp-legacy-display'
export const LEGACY_CLASS = 'header-protection-legacy-display'

/** Puts `bytes` in the place of what lies between two offsets of a part. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** The part with all edits done, which do not overlap and come in order; what stays is a view on the original. */
export function applyEdits(raw: Uint8Array, edits: readonly Edit[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  for (const { start, end, bytes } of edits) {
    chunks.push(raw.subarray(from, start), bytes)
    from = end
  }
  return [...chunks, raw.subarray(from)].filter((chunk) => chunk.length > 0)
}

/** Where `part`, which is a view on the bytes of `root`, begins in it. */
export const offsetIn = (root: Part, part: Part): number => part.raw.byteOffset - root.raw.byteOffset

/**
 * Edits that take every Legacy Display Element out of a payload (RFC 9788 §4.5.3), with the parameter that says so where
 * we wrote it. Messages within the payload are not looked into: they are somebody else's. `isWhole`: `payload` is all of it,
 * not only its beginning.
 */
export function legacyDisplayRemoval(payload: Part, isWhole: boolean): readonly Edit[] {
  return leavesOf(payload, 0).flatMap((leaf) => {
    const { type, parameters } = contentTypeOf(leaf)
    if (parameters.get(LEGACY_PARAMETER) !== '1') return []
    const body = type === 'text/plain' ? textRemoval(leaf) : type === 'text/html' ? htmlRemoval(leaf) : undefined
    const at = offsetIn(payload, leaf)
    // what is encoded anew to its end must not go on behind what is seen here
    const isCut = !isWhole && at + leaf.raw.length === payload.raw.length
    if (body === undefined || (isCut && body.end === leaf.raw.length)) return []
    return [...typeRemoval(leaf), body].map((edit) => ({ ...edit, start: edit.start + at, end: edit.end + at }))
  })
}

/**
 * The element of the time before RFC 9788 (draft-autocrypt): the first part of a multipart/mixed, which says nothing but
 * fields that the payload's header says too.
 */
export function draftDisplayRemoval(payload: Part): readonly Edit[] {
  if (contentTypeOf(payload).type !== 'multipart/mixed') return []
  const [element, next] = childrenOf(payload).children
  if (element === undefined || next === undefined) return []
  const { type, parameters } = contentTypeOf(element)
  if (type !== 'text/plain' && type !== 'text/rfc822-headers') return []
  if (parameters.get('protected-headers')?.toLowerCase() !== 'v1') return []
  const says = new Set(payload.fields.map((field) => `${field.name.toLowerCase()}: ${decodeWords(fieldBody(field))}`))
  const shown = parsePart(decodeBody(element).bytes)
  const repeats = shown.fields.every((field) =>
    says.has(`${field.name.toLowerCase()}: ${decodeWords(fieldBody(field))}`),
  )
  const isAll = shown.raw.subarray(shown.bodyOffset).every((octet) => octet === 0x0d || octet === 0x0a)
  return repeats && isAll ? [{ start: offsetIn(payload, element), end: offsetIn(payload, next), bytes: NOTHING }] : []
}

function leavesOf(part: Part, depth: number): readonly Part[] {
  const { type } = contentTypeOf(part)
  if (!type.startsWith('multipart/')) return dispositionOf(part).disposition === 'attachment' ? [] : [part]
  return depth < NESTING_MAX ? childrenOf(part).children.flatMap((child) => leavesOf(child, depth + 1)) : []
}

function typeRemoval(leaf: Part): readonly Edit[] {
  const field = firstField(leaf, 'Content-Type')
  if (field === undefined) return []
  const start = field.raw.byteOffset - leaf.raw.byteOffset
  return [{ start, end: start + field.raw.length, bytes: withoutParameter(field, LEGACY_PARAMETER)?.raw ?? NOTHING }]
}

/** "Discard the leading lines of the content up to and including the first entirely blank line" (RFC 9788 §4.5.3.2). */
function textRemoval(leaf: Part): Edit | undefined {
  const encoding = transferEncodingOf(leaf)
  if (encoding === 'unknown') return undefined
  const content = encoding === 'base64' ? decodeBody(leaf).bytes : bodyOf(leaf)
  const text = latin1(content)
  const match = /^\r?\n/.exec(text) ?? (encoding === 'quoted-printable' ? QUOTED_BLANK : BLANK).exec(text)
  if (match === null) return undefined
  const cut = match.index + match[0].length
  if (encoding !== 'base64') return { start: leaf.bodyOffset, end: leaf.bodyOffset + cut, bytes: NOTHING }
  const lineEnd = encodedLineEndingAt(latin1(bodyOf(leaf)), cut)
  if (lineEnd !== undefined) return { start: leaf.bodyOffset, end: leaf.bodyOffset + lineEnd, bytes: NOTHING }
  return { start: leaf.bodyOffset, end: leaf.raw.length, bytes: encodeBase64Lines(content.subarray(cut)) }
}

const BLANK = /\n\r?\n/
/** A line that is empty is empty when decoded too, unless a soft line break leads to it. */
const QUOTED_BLANK = /[^=\r\n]\r?\n\r?\n/

/** Behind the line with which `decodedBytes` octets have been encoded; `undefined` when none ends just there. */
function encodedLineEndingAt(encoded: string, decodedBytes: number): number | undefined {
  let digits = 0
  for (let at = 0; digits * 3 < decodedBytes * 4;) {
    const newline = encoded.indexOf('\n', at)
    const line = newline < 0 ? '' : encoded.slice(at, newline).trimEnd()
    if (newline < 0 || !/^[A-Za-z0-9+/]*$/.test(line)) return undefined
    digits += line.length
    at = newline + 1
    if (digits * 3 === decodedBytes * 4) return at
  }
  return undefined
}

/** Every `<div>` of that class goes, with all that is in it (RFC 9788 §4.5.3.3). */
function htmlRemoval(leaf: Part): Edit | undefined {
  const encoding = transferEncodingOf(leaf)
  if (encoding === 'unknown') return undefined
  const html = latin1(decodeBody(leaf).bytes)
  const cleaned = withoutDivs(html)
  return cleaned === html
    ? undefined
    : { start: leaf.bodyOffset, end: leaf.raw.length, bytes: encodedAs(encoding, cleaned, bodyOf(leaf)) }
}

/** `before`: as it stood there encoded; an element that we put in is cut out of it, so that the rest keeps its line breaks. */
function encodedAs(encoding: TransferEncoding, html: string, before: Uint8Array): Uint8Array {
  const bytes = fromLatin1(html)
  if (encoding === 'base64') return encodeBase64Lines(bytes)
  if (encoding !== 'quoted-printable') return bytes
  const cut = fromLatin1(latin1(before).replace(/=\r\n<div class=3D"header-protection[^<>]*>[\s\S]*?<\/div>=\r\n/, ''))
  return equalBytes(decodeQuotedPrintable(cut).bytes, bytes) ? cut : encodeQuotedPrintable(bytes)
}

/** Attributes are looked at as far as they are short: a tag that never ends would be searched again and again. */
const DIV = /<(\/?)div\b([^<>]{0,1000})>/gi
const CLASS = /\sclass\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i

function withoutDivs(html: string): string {
  let kept = ''
  let from = 0
  let depth = 0
  for (const { index, 0: tag, 1: slash, 2: attributes = '' } of html.matchAll(DIV)) {
    if (depth > 0) {
      depth += slash === '' ? 1 : -1
      if (depth === 0) from = index + tag.length
    } else if (slash === '' && isOfClass(attributes)) {
      kept += html.slice(from, index)
      from = index
      depth = 1
    }
  }
  return kept + html.slice(from) // one that is not closed stays: who knows where it was to end
}

function isOfClass(attributes: string): boolean {
  const match = CLASS.exec(attributes)
  return (match?.[1] ?? match?.[2] ?? match?.[3] ?? '').split(/\s+/).includes(LEGACY_CLASS)
}

const NOTHING = new Uint8Array(0)
