/** Entities that a mail program shows, made of what was in an armored block: a text, a file, or a part and what stood around it. */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type ByteRange, rangeInMemory } from '../../../base/byte-range.ts'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { fromLatin1 } from '../../../base/bytes.ts'
import { newBoundary } from '../../../message/build.ts'
import { base64LineSink } from '../../../message/encode.ts'
import { makeField, writeFields } from '../../../message/header-field.ts'
import type { HeaderField } from '../../../message/part.ts'
import { canonicalText } from '../signatures/signature-hash.ts'
import { saysNothing } from './forms.ts'
import type { Holding } from './holding.ts'

/** One part of what is shown: made of a body, or an entity as it is. */
export type ShownPart = { readonly entity: ByteRange } | MadePart

interface MadePart {
  readonly fields: readonly HeaderField[]
  readonly body: readonly ByteRange[]
  readonly encoding: '8bit' | 'base64'
}

/**
 * The charset around a block is not signed: whoever changes it must not turn what is ASCII in the signed text into something else,
 * nor swallow it. Those of Asia in which an octet of ASCII can be half of a character are left out.
 */
const CHARSET = /^(?:us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|euc-(?:jp|kr|tw))$/i

/**
 * A text, in the charset that it has: UTF-8 is what OpenPGP means where nothing is said, and what is not in it is in that of
 * the part around.
 */
export function shownText(body: ByteRange, around: string | undefined): MadePart {
  const declared = looksUtf8(body) ? 'utf-8' : around
  const charset = declared !== undefined && CHARSET.test(declared) ? declared : 'utf-8'
  return { fields: [makeField('Content-Type', `text/plain; charset=${charset}`)], body: [body], encoding: '8bit' }
}

/** The beginning tells, cut where no character is. */
function looksUtf8(body: ByteRange): boolean {
  const head = body.read(0, UTF8_PEEK_BYTES)
  const last = head.findLastIndex((octet) => octet < 0x80)
  return isUtf8(head.length < UTF8_PEEK_BYTES ? head : head.subarray(0, last + 1))
}

const UTF8_PEEK_BYTES = 64 * 1024

/** A file that was encrypted; its name is the one of the ciphertext, without what says that it is one. */
export function shownFile(body: ByteRange, ciphertextName: string | undefined): ShownPart {
  const name = (ciphertextName ?? '').replace(/\.(?:asc|gpg|pgp)$/i, '').replaceAll(/[^ -~]|["\\]/g, '_')
  const filename = name === '' ? '' : `; filename="${name}"`
  return {
    fields: [
      makeField('Content-Type', 'application/octet-stream'),
      makeField('Content-Disposition', `attachment${filename}`),
    ],
    body: [body],
    encoding: 'base64',
  }
}

/** One part as an entity of its own. */
export function showPart<P>(held: Holding<P>, part: ShownPart): P {
  const spill = held.openSpill()
  writePart(part, spill)
  spill.end()
  return held.entity(spill.range)
}

/** Several parts as a multipart. */
export function showParts<P>(held: Holding<P>, parts: readonly ShownPart[]): P {
  const spill = held.openSpill()
  const boundary = boundaryFor(parts)
  spill.write(writeFields([makeField('Content-Type', `multipart/mixed; boundary="${boundary}"`)]))
  for (const part of parts) {
    spill.write(fromLatin1(`\r\n--${boundary}\r\n`))
    writePart(part, spill)
  }
  spill.write(fromLatin1(`\r\n--${boundary}--\r\n`))
  spill.end()
  return held.entity(spill.range)
}

/** One that no part contains, for it is made of what is in all of them. */
function boundaryFor(parts: readonly ShownPart[]): string {
  const hash = createHash('sha256')
  for (const part of parts)
    for (const bytes of 'entity' in part ? [part.entity] : part.body)
      for (const slice of bytes.slices()) hash.update(slice)
  return newBoundary(hash.digest())
}

const NOT_PROTECTED = rangeInMemory(fromLatin1('[What follows was not protected]\r\n\r\n'))
const LINE_END = rangeInMemory(fromLatin1('\r\n'))

/** What stood around a block, to be shown behind what was in it, and said to be what it is; nothing when it says nothing. */
export function shownAround(pieces: readonly ByteRange[], charset: string | undefined): ShownPart[] {
  const texts = pieces.filter((piece) => piece.lengthBytes > BLANK_MAX_BYTES || !saysNothing(piece.read()))
  const [first] = texts
  if (first === undefined) return []
  return [{ ...shownText(first, charset), body: [NOT_PROTECTED, ...texts.flatMap((text) => [text, LINE_END])] }]
}

const BLANK_MAX_BYTES = 4096

function writePart(part: ShownPart, out: ByteSink): void {
  if ('entity' in part) {
    for (const slice of part.entity.slices()) out.write(slice)
    return
  }
  const { fields, body, encoding } = part
  out.write(writeFields([...fields, makeField('Content-Transfer-Encoding', encoding)]))
  out.write(fromLatin1('\r\n'))
  const into = { write: (chunk: Uint8Array) => out.write(chunk), end: () => undefined }
  const sink = encoding === 'base64' ? base64LineSink(into) : canonicalText(into)
  for (const piece of body) for (const slice of piece.slices()) sink.write(slice)
  sink.end()
}
