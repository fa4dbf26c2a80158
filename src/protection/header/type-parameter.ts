/** Adds a parameter to a Content-Type as its author wrote it, and takes it out again to the byte. */
import { fromLatin1, latin1 } from '../../base/bytes.ts'
import { contentTypeOf } from '../../message/content-type.ts'
import { makeField, writeFields } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import type { HeaderField } from '../../message/part.ts'

/** Stands in for a missing Content-Type, which means the same (RFC 2045 §5.2). */
const DEFAULT_TYPE = 'Content-Type: text/plain; charset=us-ascii'

/**
 * Puts the parameter last. Without a `type`, one that says the same as none is made. `undefined` when the field cannot
 * carry it: then a reader would not find it there.
 */
export function withParameter(type: HeaderField | undefined, name: string, value: string): HeaderField | undefined {
  if (type !== undefined && !latin1(type.raw).endsWith('\r\n')) return undefined
  const text = type === undefined ? DEFAULT_TYPE : latin1(type.raw).slice(0, -2)
  const lastLine = text.slice(text.lastIndexOf('\n') + 1)
  const parameter = `${name}="${value}"`
  // a semicolon that stands there already is not written again, and a tab says so
  const join = text.trimEnd().endsWith(';') ? '\t' : lastLine.length + parameter.length > COLUMNS ? ';\r\n ' : '; '
  const marked = typeField(`${text}${join}${parameter}\r\n`)
  const read = contentTypeOf(parsePart(writeFields([marked, makeField('X', 'x')]))).parameters.get(name)
  return read === value ? marked : undefined
}

/**
 * The field without the parameter, where it stands last as `withParameter` writes it; else the very same object. `undefined`
 * for a field that `withParameter` made up.
 */
export function withoutParameter(type: HeaderField, name: string): HeaderField | undefined {
  const text = latin1(type.raw)
  const match = /(?:;(?:\r\n)? |\t)([a-z-]+)="[a-z0-9]+"\r\n$/.exec(text)
  if (match?.[1] !== name) return type
  const before = text.slice(0, match.index)
  return before === DEFAULT_TYPE ? undefined : typeField(`${before}\r\n`)
}

/** Where the line ends that the parameter is still put on. */
const COLUMNS = 76

const typeField = (raw: string): HeaderField => ({ name: raw.slice(0, raw.indexOf(':')), raw: fromLatin1(raw) })
