/** Writes new MIME entities. */
import assert from 'node:assert/strict'
import { fromLatin1 } from '../base/bytes.ts'
import { randomToken } from './date.ts'
import { writeFields } from './header-field.ts'
import type { HeaderField } from './part.ts'

/**
 * A boundary that no encoded body contains: `=_` occurs neither in base64 nor in quoted-printable (RFC 2045 §6.7), and
 * nobody can guess the rest. Parameter values with it must be quoted.
 * @param random at least RANDOM_BYTES_MIN octets from a cryptographic source.
 */
export function newBoundary(random: Uint8Array): string {
  return `=_${randomToken(random)}`
}

/** One entity: header, empty line, body. Chunks; the body is not copied. */
export function entity(fields: readonly HeaderField[], body: readonly Uint8Array[]): readonly Uint8Array[] {
  return [writeFields(fields), CRLF, ...body]
}

/**
 * The body of a multipart (RFC 2046 §5.1) as chunks; entities are not copied, and are as between `entity` and here.
 * @throws when `boundary` is none that newBoundary makes or RFC 2046 §5.1.1 allows: that is our own bug.
 */
export function multipart(boundary: string, entities: readonly (readonly Uint8Array[])[]): readonly Uint8Array[] {
  assert(/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary), 'not a boundary')
  assert(entities.length > 0, 'a multipart has at least one part')
  const chunks: Uint8Array[] = []
  for (const [index, one] of entities.entries())
    chunks.push(fromLatin1(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n`), ...one)
  return [...chunks, fromLatin1(`\r\n--${boundary}--\r\n`)]
}

const CRLF = fromLatin1('\r\n')
