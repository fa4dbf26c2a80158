/**
 * Header protection (RFC 9788): the payload carries the whole header of the message as its author wrote it, so that the
 * signature covers it and the reader gets it back byte for byte; where the reader can, the subject is hidden outside.
 */
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { contentTypeOf } from '../message/content-type.ts'
import { isField, makeField, writeFields } from '../message/header-field.ts'
import { parsePart } from '../message/parse.ts'
import type { HeaderField, Part } from '../message/part.ts'

/** `clear`: signed only; `cipher`: also encrypted (RFC 9788 §2.1.1). */
export type HeaderProtection = 'clear' | 'cipher'

/** MIME fields describe the body and belong to the layer that they stand in. */
export const isStructural = (field: HeaderField): boolean => /^(content-|mime-version$)/i.test(field.name)

/** Fields that a reader takes for the author's word: outside of the protection they are worth nothing (RFC 9788). */
const AUTHORS_FIELDS = new Set(
  'from sender reply-to to cc bcc date subject message-id in-reply-to references comments keywords'.split(' '),
)

/** Every server adds its own: those of this journey stand above those that the author's copy had already (RFC 5321 §4.4). */
const TRACE_FIELDS = new Set(['received'])

/** Stands in for a missing Content-Type, which means the same (RFC 2045 §5.2); taken out again by `readProtectedHeader`. */
const DEFAULT_TYPE = 'Content-Type: text/plain; charset=us-ascii'

/** What stands in the payload, and what stands outside of all protection; MIME fields of the layers come on top. */
export interface SplitHeader {
  readonly inner: readonly HeaderField[]
  readonly outer: readonly HeaderField[]
}

/**
 * Puts the author's header into the payload. `hideSubject` leaves nothing of what the mail is about outside; it needs
 * encryption, and a reader who knows RFC 9788. Without a Content-Type that can carry `hp`, only the MIME fields move inside.
 */
export function splitHeader(
  fields: readonly HeaderField[],
  hp: HeaderProtection | undefined,
  hideSubject: boolean,
): SplitHeader {
  const structural = fields.filter(isStructural)
  const rest = fields.filter((each) => !isStructural(each))
  const types = structural.filter((each) => isField(each, 'Content-Type'))
  const [type] = types
  if (hp === undefined || types.length > 1 || fields.some((each) => isField(each, 'HP-Outer')))
    return { inner: structural, outer: rest }
  const marked = type === undefined ? field(`${DEFAULT_TYPE}; hp="${hp}"\r\n`) : markType(type, hp)
  if (readsAs(marked) !== hp) return { inner: structural, outer: rest }
  const inner = type === undefined ? [...fields, marked] : fields.map((each) => (each === type ? marked : each))
  if (hp === 'clear') return { inner, outer: rest }
  const outer = hideSubject ? rest.flatMap(hidden) : rest
  // RFC 9788 §2.2: under encryption, HP-Outer says what stands outside
  return { inner: [...outer.map((each) => field(`HP-Outer: ${latin1(each.raw)}`)), ...inner], outer }
}

/** RFC 9788 §3.2.1, hcp_baseline: what the subject is stays inside; Comments and Keywords are not there at all. */
function hidden(each: HeaderField): HeaderField[] {
  if (isField(each, 'Subject')) return [makeField('Subject', '[...]')]
  return isField(each, 'Comments') || isField(each, 'Keywords') ? [] : [each]
}

export interface ProtectedHeader {
  readonly hp: HeaderProtection
  /** As the author wrote them. */
  readonly fields: readonly HeaderField[]
}

export function readProtectedHeader(payload: Part): ProtectedHeader | undefined {
  const hp = contentTypeOf(payload).parameters.get('hp')
  if (hp !== 'clear' && hp !== 'cipher') return undefined
  // no header without an author: the parameter was in what a user sent (`splitHeader`), or means nothing
  if (!payload.fields.some((each) => isField(each, 'From'))) return undefined
  const fields = payload.fields.flatMap((each) => {
    if (isField(each, 'HP-Outer')) return []
    if (!isField(each, 'Content-Type')) return [each]
    const unmarked = unmarkType(each)
    return latin1(unmarked.raw) === `${DEFAULT_TYPE}\r\n` && unmarked !== each ? [] : [unmarked]
  })
  return { hp, fields }
}

/**
 * The header of the opened message. With header protection: what the transports added outside, then the author's own
 * header; a field that speaks for the author but stood only outside is dropped. Without: the outer header, with the
 * payload's MIME fields in the place of the layer's.
 */
export function openedFields(outer: readonly HeaderField[], payload: Part): HeaderField[] {
  const protectedHeader = readProtectedHeader(payload)
  if (protectedHeader === undefined) return withMimeFieldsOf(payload, outer)
  const inside = new Set(protectedHeader.fields.map((each) => each.name.toLowerCase()))
  const copies = new Set(protectedHeader.fields.map((each) => latin1(each.raw)))
  const transport = outer.filter((each) => {
    const name = each.name.toLowerCase()
    if (TRACE_FIELDS.has(name)) return !copies.has(latin1(each.raw))
    return !inside.has(name) && !AUTHORS_FIELDS.has(name) && !isStructural(each)
  })
  return [...transport, ...protectedHeader.fields]
}

/** The outer header, with the payload's MIME fields in the place of the layer's. */
export function withMimeFieldsOf(payload: Pick<Part, 'fields'>, outer: readonly HeaderField[]): HeaderField[] {
  const inner = payload.fields.filter(isStructural)
  const place = outer.findIndex((each) => isField(each, 'Content-Type'))
  const hasType = inner.some((each) => isField(each, 'Content-Type'))
  const keepsVersion = hasType && !inner.some((each) => isField(each, 'MIME-Version'))
  return outer.flatMap((each, index) => {
    const kept = !isStructural(each) || (keepsVersion && isField(each, 'MIME-Version')) ? [each] : []
    return index === place ? [...kept, ...inner] : kept
  })
}

const HP_PARAMETER = /(?:;(?:\r\n)? |\t)hp="(?:clear|cipher)"\r\n$/

/** Appends the parameter so that `unmarkType` finds the very bytes again, also after a trailing semicolon. */
function markType(type: HeaderField, hp: HeaderProtection): HeaderField {
  const text = latin1(type.raw).replace(/\r?\n$/, '')
  if (text.trimEnd().endsWith(';')) return field(`${text}\thp="${hp}"\r\n`)
  const lastLine = text.slice(text.lastIndexOf('\n') + 1)
  return field(`${text}${lastLine.length > 62 ? ';\r\n' : ';'} hp="${hp}"\r\n`)
}

function unmarkType(type: HeaderField): HeaderField {
  const text = latin1(type.raw)
  return HP_PARAMETER.test(text) ? field(text.replace(HP_PARAMETER, '\r\n')) : type
}

function field(raw: string): HeaderField {
  return { name: raw.slice(0, raw.indexOf(':')), raw: fromLatin1(raw) }
}

function readsAs(type: HeaderField): string | undefined {
  return contentTypeOf(parsePart(writeFields([type, makeField('X', 'x')]))).parameters.get('hp')
}
