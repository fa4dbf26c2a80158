/**
 * Traces of a changed ciphertext in a content that CBC alone protects (EFAIL, 2018; decision 0037): whoever puts words of
 * their own into it leaves a block of random octets before and after each of them, in the midst of a header or a text.
 */
import { isAscii } from 'node:buffer'
import type { ByteRange } from '../base/byte-range.ts'
import { contentTypeOf } from '../message/content-type.ts'
import { type LargePart, largeBodyOf, walkLarge } from '../message/large-part.ts'
import { walk } from '../message/mime-tree.ts'
import { type Part, bodyOf } from '../message/part.ts'

/** An AES block; those of Triple-DES are half as long, and two of them are one of ours. */
const BLOCK_BYTES = 16
/** A random block has eight octets above 127 on average; less than these it has once in four thousand times. */
const HIGH_OCTETS_MIN = 2

/**
 * Control characters that no text has, whatever its charset. Left out, because programs do write them: BS to SI (line
 * ends, tabs, the shifts of ISO 2022), SUB (the end of a file in DOS) and ESC.
 */
const NEVER_IN_TEXT = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet < 0x08 || (octet > 0x0f && octet < 0x20 && octet !== 0x1a && octet !== 0x1b) || octet === 0x7f ? 1 : 0,
)

/**
 * Whether a block of the decrypted entity is what only chance can have made. Headers, texts and what lies between the
 * parts are looked at; the body of a part that is no text may hold any octets.
 */
export function isGarbled(entity: Part): boolean {
  const start = entity.raw.byteOffset
  let from = 0
  for (const { part, level } of walk(entity).parts) {
    if (level.kind !== 'leaf' || isText(part) || part.raw.buffer !== entity.raw.buffer) continue
    const body = bodyOf(part)
    const at = body.byteOffset - start
    if (hasGarbledBlock(entity.raw, from, at)) return true
    from = at + body.length
  }
  return hasGarbledBlock(entity.raw, from, entity.raw.length)
}

function isText(part: Part): boolean {
  const { type } = contentTypeOf(part)
  return type.startsWith('text/') || type.endsWith('xml')
}

/** `isGarbled` of what is not in memory. */
export function isLargeGarbled(entity: LargePart): boolean {
  const { bytes } = entity
  const opaque: { from: number; to: number }[] = []
  walkLarge(entity, (part, { isLeaf }) => {
    if (!isLeaf || isText(part.preview) || part.bytes.keeper !== bytes.keeper) return
    const body = largeBodyOf(part)
    opaque.push({ from: body.from - bytes.from, to: body.from - bytes.from + body.lengthBytes })
  })
  let from = 0
  for (const leaf of [...opaque, { from: bytes.lengthBytes, to: bytes.lengthBytes }]) {
    if (hasGarbledSlice(bytes, from, leaf.from)) return true
    from = leaf.to
  }
  return false
}

/** Read, or passed over, at once; whole blocks. */
const STRETCH_BYTES = 64 * 1024

/** As `hasGarbledBlock`; what is known to be US-ASCII is not even read. */
function hasGarbledSlice(bytes: ByteRange, from: number, to: number): boolean {
  for (let at = Math.ceil(from / BLOCK_BYTES) * BLOCK_BYTES; at < to; at += STRETCH_BYTES) {
    const end = Math.min(to, at + STRETCH_BYTES)
    if (bytes.isAscii(at, end)) continue
    const stretch = bytes.read(at, end)
    if (hasGarbledBlock(stretch, 0, stretch.length)) return true
  }
  return false
}

/** Looks at the whole blocks between two offsets; blocks begin where the content does. The rule needs octets above 127. */
function hasGarbledBlock(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = Math.ceil(from / BLOCK_BYTES) * BLOCK_BYTES; at < to; at += STRETCH_BYTES) {
    const end = Math.min(to, at + STRETCH_BYTES)
    if (!isAscii(bytes.subarray(at, end)) && hasGarbledIn(bytes, at, end)) return true
  }
  return false
}

function hasGarbledIn(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at + BLOCK_BYTES <= to; at += BLOCK_BYTES) {
    let never = 0
    let high = 0
    for (let i = at; i < at + BLOCK_BYTES; i++) {
      const octet = bytes[i] ?? 0
      never += NEVER_IN_TEXT[octet] ?? 0
      high += octet >> 7
    }
    if (never > 0 && high >= HIGH_OCTETS_MIN) return true
  }
  return false
}
