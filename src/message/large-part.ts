/**
 * A message or MIME entity that is too large for memory: seen through its header and the beginning of its body, read piece by
 * piece. The structure below it is found as `mime-tree.ts` finds it.
 */
import { type ByteRange, type OnPassed, rangeInMemory, searchMemory, searchRange } from '../base/byte-range.ts'
import { type ContentType, contentTypeOf, transferEncodingOf } from './content-type.ts'
import { decodeBody } from './decode.ts'
import { type Cuts, type Search, NEAR_MISSES_MAX, WALK_LIMITS, cutMultipart, isEncoded, traverse } from './mime-tree.ts'
import { HEADER_BYTES_MAX, parsePart } from './parse.ts'
import { type Defect, type Part, bodyOf } from './part.ts'

/** Of the body, in the preview of a message or of what a layer held; where texts stand, and what is to be cut from them. */
export const PREVIEW_BODY_BYTES = 256 * 1024
/** Of the body, in the preview of one part among many. */
const GLIMPSE_BODY_BYTES = 4096
/** A header that has not ended here is taken to end here. */
const LAST_WINDOW_BYTES = 2 * HEADER_BYTES_MAX
/** A message inside that is encoded, against RFC 2045 §6.4, is looked into up to this size. */
const DECODED_MAX_BYTES = 4 * 2 ** 20

export interface LargePart {
  /** The header and the beginning of the body; `raw` ends early. */
  readonly preview: Part
  /** All of it, header and body. */
  readonly bytes: ByteRange
}

export function parseLargePart(
  bytes: ByteRange,
  bodyBytes: number = PREVIEW_BODY_BYTES,
  defaultType?: Part['defaultType'],
): LargePart {
  for (let windowBytes = 2 * bodyBytes; ; windowBytes *= 4) {
    const raw = bytes.read(0, windowBytes)
    const isWhole = raw.length === bytes.lengthBytes
    const part = parsePart(raw)
    const headerSeen = part.bodyOffset + bodyBytes <= raw.length
    if (!headerSeen && !isWhole && windowBytes < LAST_WINDOW_BYTES) continue
    return { preview: defaultType === undefined ? part : { ...part, defaultType }, bytes }
  }
}

export const largeBodyOf = ({ preview, bytes }: LargePart): ByteRange => bytes.range(preview.bodyOffset)

/** The parts of a multipart, as `childrenOf` finds them. `onPassed` hears what of the body lies behind the search. */
export function cutLargeMultipart(part: LargePart, onPassed?: OnPassed): Cuts {
  const body = searchRange(largeBodyOf(part), onPassed)
  return cutMultipart(part.preview, contentTypeOf(part.preview), body, WALK_LIMITS.partsMax, newSearch())
}

/** Where the first part of a multipart begins, when that can be seen in the preview; an offset into the body. */
export function firstPartIn({ preview }: LargePart): number | undefined {
  const body = searchMemory(bodyOf(preview))
  return cutMultipart(preview, contentTypeOf(preview), body, 0, newSearch()).delimiters[0]?.end
}

const newSearch = (): Search => ({ nearMissesLeft: NEAR_MISSES_MAX })

/**
 * Visits all parts as `walk` does, and returns what was wrong anywhere in the tree. Nothing of a part is kept after its
 * visit, so that many large headers do not add up.
 */
export function walkLarge(
  root: LargePart,
  onPart: (part: LargePart, place: { readonly depth: number; readonly isLeaf: boolean }) => void,
): readonly Defect[] {
  const defects = new Set<Defect>()
  const search = newSearch()
  traverse<Entry>({ bytes: root.bytes }, WALK_LIMITS.partsMax, ({ bytes, defaultType }, { depth, room }) => {
    const part = parseLargePart(bytes, GLIMPSE_BODY_BYTES, defaultType)
    const level = levelBelow(part, depth, room, search)
    for (const defect of [...part.preview.defects, ...level.defects]) defects.add(defect)
    onPart(part, { depth, isLeaf: level.isLeaf })
    return level.children
  })
  return [...defects]
}

interface Entry {
  readonly bytes: ByteRange
  readonly defaultType?: Part['defaultType']
}

interface LargeLevel {
  readonly isLeaf: boolean
  readonly children: readonly Entry[]
  readonly defects: readonly Defect[]
}

function levelBelow(part: LargePart, depth: number, room: number, search: Search): LargeLevel {
  const contentType = contentTypeOf(part.preview)
  const { type, defects } = contentType
  const isMultipart = type.startsWith('multipart/')
  if (!isMultipart && type !== 'message/rfc822' && type !== 'message/global')
    return { isLeaf: true, children: [], defects }
  if (depth >= WALK_LIMITS.nestingMax) return { isLeaf: true, children: [], defects: [...defects, 'nested-too-deeply'] }
  if (!isMultipart) return messageBelow(part, contentType, room)
  const body = largeBodyOf(part)
  const cuts = cutMultipart(part.preview, contentType, searchRange(body), room, search)
  const defaultType = type === 'multipart/digest' ? ({ defaultType: 'message/rfc822' } as const) : {}
  return {
    isLeaf: false,
    children: cuts.children.map(({ start, end }) => ({ bytes: body.range(start, end), ...defaultType })),
    defects: cuts.defects,
  }
}

function messageBelow(part: LargePart, contentType: ContentType, room: number): LargeLevel {
  const defects: Defect[] = [...contentType.defects]
  if (room < 1) return { isLeaf: true, children: [], defects: [...defects, 'too-many-parts'] }
  if (contentType.type === 'message/rfc822' && isEncoded(part.preview)) defects.push('bad-transfer-encoding')
  const body = largeBodyOf(part)
  if (!isEncoded(part.preview)) {
    const unknown = transferEncodingOf(part.preview) === 'unknown'
    return {
      isLeaf: false,
      children: [{ bytes: body }],
      defects: unknown ? [...defects, 'bad-transfer-encoding'] : defects,
    }
  }
  if (body.lengthBytes > DECODED_MAX_BYTES)
    return { isLeaf: true, children: [], defects: [...defects, 'part-too-large'] }
  const whole = { ...part.preview, raw: body.read(), bodyOffset: 0 }
  const decoded = decodeBody(whole)
  return {
    isLeaf: false,
    children: [{ bytes: rangeInMemory(decoded.bytes) }],
    defects: [...defects, ...decoded.defects],
  }
}
