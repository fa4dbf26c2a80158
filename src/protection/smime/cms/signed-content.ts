/** What a signature covers: bytes in memory, or bytes that are too many for that. */
import type { Hash } from 'node:crypto'
import type { ByteRange } from '../../../base/byte-range.ts'
import { type Digest, hashOf, startHash } from '../algorithms.ts'

/** Content up to this size is put into memory where an algorithm takes nothing but the whole. */
export const WHOLE_MAX_BYTES = 64 * 2 ** 20

export type SignedContent = Uint8Array | LargeContent

/** Each digest is computed once, in one pass. */
export class LargeContent {
  readonly #range: ByteRange
  readonly #digests: Map<Digest, Uint8Array>

  /** `digests`: those that were computed when the content came by. */
  constructor(range: ByteRange, digests: Iterable<readonly [Digest, Uint8Array]> = []) {
    this.#range = range
    this.#digests = new Map(digests)
  }

  digest(digest: Digest): Uint8Array {
    const known = this.#digests.get(digest)
    if (known !== undefined) return known
    const hash = startHash(digest)
    for (const slice of this.#range.slices()) hash.update(slice)
    const value = hash.digest()
    this.#digests.set(digest, value)
    return value
  }

  /** `undefined` when it is too large. */
  whole(): Uint8Array | undefined {
    return this.#range.lengthBytes > WHOLE_MAX_BYTES ? undefined : this.#range.read()
  }
}

/** A digest over some of a range, from one offset on, taken of what somebody else reads there. */
export class RunningDigest {
  readonly #range: ByteRange
  readonly #hash: Hash
  #at: number

  constructor(digest: Digest, range: ByteRange, from: number) {
    this.#range = range
    this.#hash = startHash(digest)
    this.#at = from
  }

  /** These were read, from this offset of the range on. */
  take(bytes: Uint8Array, at: number): void {
    if (at + bytes.length <= this.#at) return
    this.#readUpTo(at)
    this.#hash.update(bytes.subarray(this.#at - at))
    this.#at = at + bytes.length
  }

  /** Over all up to this offset. `undefined` when more was taken already; ends it. */
  upTo(end: number): Uint8Array | undefined {
    if (this.#at > end) return undefined
    this.#readUpTo(end)
    return this.#hash.digest()
  }

  #readUpTo(end: number): void {
    if (end <= this.#at) return
    for (const slice of this.#range.range(this.#at, end).slices()) this.#hash.update(slice)
    this.#at = end
  }
}

export const digestOfContent = (content: SignedContent, digest: Digest): Uint8Array =>
  content instanceof LargeContent ? content.digest(digest) : hashOf(digest, content)

export const wholeContent = (content: SignedContent): Uint8Array | undefined =>
  content instanceof LargeContent ? content.whole() : content
