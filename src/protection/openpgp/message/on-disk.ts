/** Entities that are too large for memory: read from the disk piece by piece, and what is in them goes to spills. */
import type { OpenSpill } from '../../../base/byte-range.ts'
import { type LargePart, cutLargeMultipart, largeBodyOf, parseLargePart } from '../../../message/large-part.ts'
import type { Holding } from './holding.ts'

export const onDisk = (openSpill: OpenSpill): Holding<LargePart> => ({
  preview: (part) => part.preview,
  children(part) {
    const { children, defects } = cutLargeMultipart(part)
    const body = largeBodyOf(part)
    return { children: children.map(({ start, end }) => parseLargePart(body.range(start, end))), defects }
  },
  bytes: (part) => part.bytes,
  openSpill,
  entity: (bytes) => parseLargePart(bytes),
})
