/** The header of an opened message: what its reader sees. */
import { latin1 } from '../../base/bytes.ts'
import { isField } from '../../message/header-field.ts'
import type { HeaderField, Part } from '../../message/part.ts'
import { isStructural } from './header-protection.ts'
import type { ProtectedHeader } from './protected-header.ts'

/** Fields that a reader takes for the author's word: outside of the protection they are worth nothing (RFC 9788 §4). */
const AUTHORS_FIELDS = new Set(
  'from sender reply-to to cc bcc date subject message-id in-reply-to references comments keywords'.split(' '),
)

/** Every server adds its own: those of this journey stand above those that the author's copy had already (RFC 5321 §4.4). */
const TRACE_FIELDS = new Set(['received'])

/**
 * With all of the header protected: what the transports added outside, then the author's own header; a field that speaks
 * for the author but stood only outside is dropped. With some of it: the outer fields, except those that are inside too.
 */
export function openedFields(outer: readonly HeaderField[], { scheme, fields }: ProtectedHeader): HeaderField[] {
  const inside = new Set(fields.map((each) => each.name.toLowerCase()))
  const copies = new Set(fields.map((each) => latin1(each.raw)))
  const kept = outer.filter((each) => {
    const name = each.name.toLowerCase()
    if (scheme === 'whole' && TRACE_FIELDS.has(name)) return !copies.has(latin1(each.raw))
    return !inside.has(name) && !isStructural(each) && !(scheme === 'whole' && AUTHORS_FIELDS.has(name))
  })
  return [...kept, ...fields]
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
