/**
 * Header protection (RFC 9788): the payload carries the whole header of the message as its author wrote it, so that the
 * signature covers it and the reader gets it back byte for byte; where the reader can, the subject is hidden outside.
 */
import { concatBytes, fromLatin1 } from '../../base/bytes.ts'
import { isField } from '../../message/header-field.ts'
import type { HeaderField } from '../../message/part.ts'
import { type HeaderConfidentiality, outerFields } from './header-confidentiality.ts'
import { withParameter } from './type-parameter.ts'

/** `clear`: signed only; `cipher`: also encrypted (RFC 9788 §2.1.1). */
export type HeaderProtection = 'clear' | 'cipher'

/** MIME fields describe the body and belong to the layer that they stand in. */
export const isStructural = (field: HeaderField): boolean => /^(content-|mime-version$)/i.test(field.name)

/** What stands in the payload, and what stands outside of all protection; MIME fields of the layers come on top. */
export interface SplitHeader {
  readonly inner: readonly HeaderField[]
  readonly outer: readonly HeaderField[]
  /** The author's fields that are not outside as they are inside. */
  readonly hidden: readonly HeaderField[]
}

/**
 * Puts the author's header into the payload. `confidentiality` says what stands outside of encrypted mail. Without a
 * Content-Type that can carry `hp`, or with fields that would say something about header protection themselves, only the
 * MIME fields move inside.
 */
export function splitHeader(
  fields: readonly HeaderField[],
  hp: HeaderProtection | undefined,
  confidentiality: HeaderConfidentiality,
): SplitHeader {
  const rest = fields.filter((each) => !isStructural(each))
  const marked = hp === undefined ? undefined : markedType(fields, hp)
  if (marked === undefined) return { inner: fields.filter(isStructural), outer: rest, hidden: [] }
  const { type, field } = marked
  const inner = type === undefined ? [...fields, field] : fields.map((each) => (each === type ? field : each))
  if (hp === 'clear') return { inner, outer: rest, hidden: [] }
  const outer = outerFields(rest, confidentiality)
  // RFC 9788 §2.2: under encryption, HP-Outer says what stands outside
  return { inner: [...outer.map(hpOuter), ...inner], outer, hidden: rest.filter((each) => !outer.includes(each)) }
}

/** Whether the payload can say that it carries this header; if not, nothing of it can be hidden. */
export const carriesHeader = (fields: readonly HeaderField[]): boolean => markedType(fields, 'cipher') !== undefined

/** The Content-Type with `hp` on it, and as it was before. */
function markedType(
  fields: readonly HeaderField[],
  hp: HeaderProtection,
): { readonly type: HeaderField | undefined; readonly field: HeaderField } | undefined {
  const [type, ...more] = fields.filter((each) => isField(each, 'Content-Type'))
  if (more.length > 0 || fields.some((each) => isField(each, 'HP-Outer'))) return undefined
  const field = withParameter(type, 'hp', hp)
  return field && { type, field }
}

const hpOuter = ({ raw }: HeaderField): HeaderField => ({
  name: 'HP-Outer',
  raw: concatBytes([fromLatin1('HP-Outer: '), raw]),
})
