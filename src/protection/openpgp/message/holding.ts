/** How the entities of a message are held, in memory or on the disk; what is done with them is the same. */
import type { ByteRange, Spill } from '../../../base/byte-range.ts'
import { type ByteSink, Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { contentTypeOf, transferEncodingOf } from '../../../message/content-type.ts'
import { decodingSink } from '../../../message/decode-stream.ts'
import type { Defect, Part } from '../../../message/part.ts'

export interface Holding<P> {
  /** Header, and the beginning of the body at least. */
  preview(part: P): Part
  children(part: P): { readonly children: readonly P[]; readonly defects: readonly Defect[] }
  /** The whole entity, its header included. */
  bytes(part: P): ByteRange
  /** Where a content goes; nobody reads it before all that protects it has been verified (invariant 7). */
  openSpill(): Spill
  /** The entity that these bytes are. */
  entity(bytes: ByteRange): P
}

/** Pushes the body of an entity, its transfer encoding undone. */
export function pushBody<P>(held: Holding<P>, part: P, out: ByteSink): void {
  const preview = held.preview(part)
  const sink = decodingSink(transferEncodingOf(preview), out)
  pushRange(held.bytes(part).range(preview.bodyOffset), sink)
}

export function pushRange(bytes: ByteRange, out: ByteSink): void {
  for (const slice of bytes.slices()) out.write(slice)
  out.end()
}

/** The body, its transfer encoding undone, in memory; `undefined` when it is larger than that. */
export function bodyBytes<P>(held: Holding<P>, part: P, maxBytes: number): Uint8Array | undefined {
  const collected = new Collector()
  pushBody(held, part, {
    write: (chunk) => (collected.lengthBytes > maxBytes ? undefined : collected.write(chunk)),
    end: () => undefined,
  })
  return collected.lengthBytes > maxBytes ? undefined : concatBytes(collected.take())
}

/** The same, wherever it finds room. */
export function textOf<P>(held: Holding<P>, part: P): ByteRange {
  const spill = held.openSpill()
  pushBody(held, part, spill)
  return spill.range
}

export const charsetOf = <P>(held: Holding<P>, part: P): string | undefined =>
  contentTypeOf(held.preview(part)).parameters.get('charset')
