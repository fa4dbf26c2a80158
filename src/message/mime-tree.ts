/** The tree of MIME parts (RFC 2046): one level with `childrenOf`, all of it with `walk`. Views only; nothing is copied. */
import { Buffer } from 'node:buffer'
import { type Searchable, searchMemory } from '../base/byte-range.ts'
import { CR, LF } from '../base/bytes.ts'
import { type ContentType, contentTypeOf, transferEncodingOf } from './content-type.ts'
import { decodeBody } from './decode.ts'
import { parsePart } from './parse.ts'
import { type Defect, type Part, bodyOf } from './part.ts'

export const PARTS_MAX = 10_000
export const NESTING_MAX = 100
/** RFC 2046 §5.1.1 allows 70, and more is a defect; but other readers split at longer ones too. */
export const BOUNDARY_CHARS_MAX = 10_000
/** Lines that hold the boundary and more, in one level, or in all that `walk` meets: each costs a little. */
export const NEAR_MISSES_MAX = 200_000

/** What is directly within a part. For a multipart: preamble, then delimiter and child in turn, the last delimiter, epilogue. */
export interface Level {
  readonly kind: 'leaf' | 'multipart' | 'message'
  readonly children: readonly Part[]
  readonly preamble: Uint8Array
  /** One before each child, and the closing one where it is there; each with the line end that belongs to it. */
  readonly delimiters: readonly Uint8Array[]
  readonly epilogue: Uint8Array
  readonly defects: readonly Defect[]
}

/**
 * The children of a multipart (RFC 2046 §5.1), or the message within a message/rfc822 or message/global (RFC 2046 §5.2.1,
 * RFC 6532 §3.7); none for anything else. Never throws; linear time. A boundary line is the whole line: delimiter,
 * perhaps `--`, blanks. After `partsMax` children the rest is left in `epilogue`, with a defect.
 */
export function childrenOf(part: Part, partsMax: number = PARTS_MAX): Level {
  return levelOf(part, partsMax, { nearMissesLeft: NEAR_MISSES_MAX })
}

/** A part where it stands in the tree. */
export interface WalkedPart {
  readonly part: Part
  readonly level: Level
  /** 0 for the root. */
  readonly depth: number
  /** Index into `parts`; -1 for the root. */
  readonly parent: number
}

export interface Walk {
  /** In the order in which they stand in the message, each before its children. */
  readonly parts: readonly WalkedPart[]
  /** Everything that was wrong anywhere in the tree, each defect once. */
  readonly defects: readonly Defect[]
}

/** All parts of a message. Stops at the limits with a defect: what lies beyond is then unseen. */
export function walk(root: Part, limits: WalkLimits = WALK_LIMITS): Walk {
  const parts: WalkedPart[] = []
  const defects = new Set<Defect>()
  const search: Search = { nearMissesLeft: NEAR_MISSES_MAX }
  traverse(root, limits.partsMax, (part, { depth, parent, room }) => {
    const level = depth < limits.nestingMax ? levelOf(part, room, search) : tooDeep(part)
    for (const defect of [...part.defects, ...level.defects]) defects.add(defect)
    parts.push({ part, level, depth, parent })
    return level.children
  })
  return { parts, defects: [...defects] }
}

export interface WalkLimits {
  readonly partsMax: number
  readonly nestingMax: number
}

export const WALK_LIMITS: WalkLimits = { partsMax: PARTS_MAX, nestingMax: NESTING_MAX }

/** Where a part stands in the tree, and how many more there may be. */
interface Place {
  readonly depth: number
  readonly parent: number
  readonly room: number
}

/** Visits a tree as `walk` does, each part before its children. */
export function traverse<P>(root: P, partsMax: number, visit: (part: P, place: Place) => readonly P[]): void {
  const waiting: { part: P; depth: number; parent: number }[] = [{ part: root, depth: 0, parent: -1 }]
  let index = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop(), index++) {
    const { part, depth, parent } = next
    const children = visit(part, { depth, parent, room: partsMax - index - waiting.length - 1 })
    for (const child of children.toReversed()) waiting.push({ part: child, depth: depth + 1, parent: index })
  }
}

/** What may still be spent on looking for boundaries; counted down. */
export interface Search {
  nearMissesLeft: number
}

function levelOf(part: Part, partsMax: number, search: Search): Level {
  const contentType = contentTypeOf(part)
  if (contentType.type.startsWith('multipart/')) return multipartLevel(part, contentType, partsMax, search)
  if (contentType.type === 'message/rfc822' || contentType.type === 'message/global')
    return messageLevel(part, contentType, partsMax)
  return { kind: 'leaf', children: [], ...NOTHING_AROUND, defects: contentType.defects }
}

const NOTHING = new Uint8Array(0)
const NOTHING_AROUND = { preamble: NOTHING, delimiters: [], epilogue: NOTHING } as const

function tooDeep(part: Part): Level {
  const contentType = contentTypeOf(part)
  const defects = /^(?:multipart\/|message\/(?:rfc822|global)$)/.test(contentType.type)
    ? ([...contentType.defects, 'nested-too-deeply'] as const)
    : contentType.defects
  return { kind: 'leaf', children: [], ...NOTHING_AROUND, defects }
}

function messageLevel(part: Part, contentType: ContentType, partsMax: number): Level {
  const defects: Defect[] = [...contentType.defects]
  if (partsMax < 1) return { kind: 'leaf', children: [], ...NOTHING_AROUND, defects: [...defects, 'too-many-parts'] }
  const { bytes, defects: decoding } = decodeBody(part)
  if (contentType.type === 'message/rfc822' && isEncoded(part)) defects.push('bad-transfer-encoding')
  return { kind: 'message', children: [parsePart(bytes)], ...NOTHING_AROUND, defects: [...defects, ...decoding] }
}

/** Encoding the whole of a composite part is forbidden (RFC 2045 §6.4). */
export function isEncoded(part: Part): boolean {
  const encoding = transferEncodingOf(part)
  return encoding === 'base64' || encoding === 'quoted-printable'
}

function multipartLevel(part: Part, contentType: ContentType, partsMax: number, search: Search): Level {
  const body = bodyOf(part)
  const { delimiters, children, defects } = cutMultipart(part, contentType, searchMemory(body), partsMax, search)
  const [first] = delimiters
  if (first === undefined) return { kind: 'multipart', children: [], ...NOTHING_AROUND, preamble: body, defects }
  return {
    kind: 'multipart',
    children: children.map(({ start, end }) => childPart(body.subarray(start, end), contentType.type)),
    preamble: body.subarray(0, first.start),
    delimiters: delimiters.map(({ start, end }) => body.subarray(start, end)),
    epilogue: delimiters.length > children.length ? body.subarray((delimiters.at(-1) ?? first).end) : NOTHING,
    defects,
  }
}

export interface Cuts {
  readonly delimiters: readonly Delimiter[]
  /** Offsets into the body. */
  readonly children: readonly { readonly start: number; readonly end: number }[]
  readonly defects: readonly Defect[]
}

/** Where the body of a multipart is cut; of `part` only the header is looked at. */
export function cutMultipart(
  part: Part,
  contentType: ContentType,
  body: Searchable,
  partsMax: number,
  search: Search,
): Cuts {
  const defects = new Set<Defect>(contentType.defects)
  if (isEncoded(part)) defects.add('bad-transfer-encoding')
  const boundary = (contentType.parameters.get('boundary') ?? '').trimEnd()
  if (boundary.length > 70) defects.add('bad-content-type')
  const delimiters = BOUNDARY.test(boundary) ? delimitersIn(body, boundary, partsMax, search, defects) : []
  if (delimiters.length === 0) defects.add('boundary-missing')
  const children: { start: number; end: number }[] = []
  for (const [index, delimiter] of delimiters.entries()) {
    const end = delimiters[index + 1]?.start ?? body.lengthBytes
    if (!delimiter.closes && (index + 1 < delimiters.length || children.length < partsMax))
      children.push({ start: delimiter.end, end })
  }
  return { delimiters, children, defects: [...defects] }
}

/** Printable US-ASCII, so that it is the same in every charset. */
const BOUNDARY = new RegExp(`^[ -~]{1,${BOUNDARY_CHARS_MAX}}$`)

function childPart(raw: Uint8Array, parentType: string): Part {
  const part = parsePart(raw)
  return parentType === 'multipart/digest' ? { ...part, defaultType: 'message/rfc822' } : part
}

interface Delimiter {
  /** Of the line end before the boundary line, which belongs to it (RFC 2046 §5.1.1). */
  readonly start: number
  /** After the boundary line's own line end. */
  readonly end: number
  readonly closes: boolean
}

/** Boundary lines up to the closing one, or one more than `partsMax`, or as far as `search` lets us look. */
function delimitersIn(
  body: Searchable,
  boundary: string,
  partsMax: number,
  search: Search,
  defects: Set<Defect>,
): readonly Delimiter[] {
  const needle = Buffer.from(`--${boundary}`, 'latin1')
  const found: Delimiter[] = []
  let at = body.indexOf(needle, 0)
  while (at >= 0) {
    const delimiter = delimiterAt(body, at, needle.length, found.at(-1)?.end ?? 0, defects)
    if (delimiter !== undefined) found.push(delimiter)
    if (delimiter?.closes === true) return found
    if (found.length > partsMax || (delimiter === undefined && --search.nearMissesLeft < 0)) {
      defects.add('too-many-parts')
      return found
    }
    // a miss costs the rest of its line, so that bodies full of them stay cheap
    const from = delimiter?.end ?? body.indexOf(LF, at) + 1
    at = from === 0 ? -1 : body.indexOf(needle, from)
  }
  if (found.length > 0) defects.add('boundary-not-closed')
  return found
}

function delimiterAt(
  body: Searchable,
  at: number,
  needleBytes: number,
  previousEnd: number,
  defects: Set<Defect>,
): Delimiter | undefined {
  if (at > 0 && body.octet(at - 1) !== LF) return undefined
  let end = at + needleBytes
  const closes = body.octet(end) === 0x2d && body.octet(end + 1) === 0x2d
  if (closes) end += 2
  while (body.octet(end) === 0x20 || body.octet(end) === 0x09) end++ // transport padding
  if (body.octet(end) === CR && (body.octet(end + 1) === LF || end + 1 === body.lengthBytes)) end++
  if (body.octet(end) === LF) {
    if (body.octet(end - 1) !== CR) defects.add('bare-lf')
    end++
  } else if (end < body.lengthBytes) return undefined
  let start = at
  if (start > previousEnd) start -= body.octet(start - 2) === CR && start - 2 >= previousEnd ? 2 : 1
  if (start === at - 1) defects.add('bare-lf')
  return { start, end, closes }
}
