/** What a part is: Content-Type, Content-Disposition, Content-Transfer-Encoding. */
import { decodeWords } from './encoded-word.ts'
import { fieldBody, firstField } from './header-field.ts'
import { type Structured, parseStructured } from './parameters.ts'
import type { Defect, HeaderField, Part } from './part.ts'

export interface ContentType {
  /** `multipart/signed`: in lower case. */
  readonly type: string
  /** By attribute in lower case; values as written. */
  readonly parameters: ReadonlyMap<string, string>
  readonly defects: readonly Defect[]
}

/**
 * The first Content-Type (RFC 2045 §5.1). Absent or unreadable: text/plain in US-ASCII (§5.2), or what the enclosing
 * multipart says. A second one is ignored here and is among the part's own defects.
 */
export function contentTypeOf(part: Part): ContentType {
  const known = types.get(part)
  if (known !== undefined) return known
  const read = readType(part)
  types.set(part, read)
  return read
}

/** Neither a part nor a field changes, and many ask what they say. */
const types = new WeakMap<Part, ContentType>()
const structured = new WeakMap<HeaderField, Structured>()

function readType(part: Part): ContentType {
  const field = firstField(part, 'Content-Type')
  if (field === undefined) return { ...defaultOf(part), defects: [] }
  const { value, parameters, broken } = structuredOf(field)
  const [type = '', subtype = '', ...more] = value.split('/')
  if (type === '' || subtype === '' || more.length > 0) return { ...defaultOf(part), defects: ['bad-content-type'] }
  return { type: value, parameters, defects: broken ? ['bad-content-type'] : [] }
}

function structuredOf(field: HeaderField): Structured {
  const known = structured.get(field)
  if (known !== undefined) return known
  const read = parseStructured(fieldBody(field))
  structured.set(field, read)
  return read
}

function defaultOf(part: Part): Omit<ContentType, 'defects'> {
  if (part.defaultType !== undefined) return { type: part.defaultType, parameters: new Map() }
  return { type: 'text/plain', parameters: new Map([['charset', 'us-ascii']]) }
}

export interface Disposition {
  /** `inline`, `attachment` or another token, in lower case (RFC 2183 §2); `undefined` when the field is absent or unreadable. */
  readonly disposition: string | undefined
  /** As the sender wrote it, decoded: no safe path. From Content-Type's `name` where there is no `filename`. */
  readonly filename: string | undefined
}

export function dispositionOf(part: Part): Disposition {
  const field = firstField(part, 'Content-Disposition')
  const { value, parameters } = field === undefined ? parseStructured('') : structuredOf(field)
  const filename = parameters.get('filename') ?? contentTypeOf(part).parameters.get('name')
  const disposition = value === '' || value.includes('/') ? undefined : value
  return { disposition, filename: filename === undefined ? undefined : decodeWords(filename) }
}

/** RFC 2045 §6.1; `unknown` is whatever else was named. */
export type TransferEncoding = '7bit' | '8bit' | 'binary' | 'base64' | 'quoted-printable' | 'unknown'

/** Absent means 7bit (RFC 2045 §6.1). */
export function transferEncodingOf(part: Part): TransferEncoding {
  const field = firstField(part, 'Content-Transfer-Encoding')
  if (field === undefined) return '7bit'
  const { value } = structuredOf(field)
  switch (value) {
    case '7bit':
    case '8bit':
    case 'binary':
    case 'base64':
    case 'quoted-printable':
      return value
    default:
      return 'unknown'
  }
}
