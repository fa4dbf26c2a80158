/**
 * Reads message-sized BER as its bytes arrive. Reading code is written straight down as a generator that stops where
 * bytes are missing; so the same code reads a message in one piece, and one of gigabytes in chunks. Only what is asked
 * for as an `element` is kept; the octets of long strings are handed on in slices.
 */
import { Buffer } from 'node:buffer'
import { Gather } from '../../../base/gather.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { type BerHeader, LENGTH_OCTETS_MAX, plainView, readBerHeader } from './ber-reader.ts'
import { Asn1Error } from './der-reader.ts'
import { ASN1_DEPTH_MAX, ASN1_NODES_MAX, CONSTRUCTED, TAG } from './tlv.ts'

/** Code that reads: stops at each `yield` until more bytes have come. */
export type Reading<T> = Generator<undefined, T, undefined>

export type OnSlice = (slice: Uint8Array) => void

interface Frame {
  /** Offset in the input behind which nothing of this element lies; its exact end when the length is definite. */
  readonly endOffset: number
  readonly indefinite: boolean
}

/** Runs reading code on a message that is all there. Broken and cut-off encodings are errors; so are bytes left over. */
export function readWhole<T>(bytes: Uint8Array, read: (reader: BerReader) => Reading<T>): Result<T> {
  const feed = new BerFeed(read)
  const early = feed.push(bytes)
  return early === undefined ? feed.end() : fail(early)
}

/** Runs reading code on a message that comes in chunks. Errors of the reading code itself (bugs) are thrown. */
export class BerFeed<T> {
  readonly #reader = new BerReader()
  readonly #reading: Reading<T>
  #done: Result<T> | undefined

  constructor(read: (reader: BerReader) => Reading<T>) {
    this.#reading = read(this.#reader)
  }

  /** Takes a chunk and keeps a reference to it; returns what is wrong as soon as that is known. */
  push(chunk: Uint8Array): string | undefined {
    this.#reader.push(chunk)
    this.#run()
    return this.#done?.ok === false ? this.#done.error : undefined
  }

  end(): Result<T> {
    this.#reader.end()
    this.#run()
    return this.#done ?? fail('unexpected end')
  }

  #run(): void {
    try {
      if (this.#done === undefined) {
        const step = this.#reading.next()
        if (step.done === true) this.#done = ok(step.value)
      }
      if (this.#done?.ok === true && this.#reader.hasMore()) throw new Asn1Error('bytes after the end of the structure')
    } catch (error) {
      if (!(error instanceof Asn1Error)) throw error
      this.#done = fail(error.message)
    }
  }
}

/** The bytes that have come, and where in the nesting of elements we stand. Errors are thrown as Asn1Error. */
export class BerReader {
  #chunk: Uint8Array = new Uint8Array()
  #at = 0
  #queue: Uint8Array[] = []
  #ended = false
  /** Offset in the whole input of `#chunk[0]`. */
  #chunkOffset = 0
  readonly #frames: Frame[] = []

  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#queue.push(plainView(chunk))
  }

  end(): void {
    this.#ended = true
  }

  hasMore(): boolean {
    return this.#at < this.#chunk.length || this.#queue.length > 0
  }

  /** Tag and length of the next element inside the one that was entered last; `undefined` at its end. */
  *peek(): Reading<BerHeader | undefined> {
    const frame = this.#frames.at(-1)
    if (frame !== undefined && !frame.indefinite && this.#offset === frame.endOffset) return undefined
    yield* this.#ensure(2)
    if (frame?.indefinite === true && this.#chunk[this.#at] === 0 && this.#chunk[this.#at + 1] === 0) return undefined
    let header = readBerHeader(this.#chunk, this.#at)
    for (let bytes = 3; header === undefined && bytes <= 2 + LENGTH_OCTETS_MAX; bytes++) {
      yield* this.#ensure(bytes)
      header = readBerHeader(this.#chunk, this.#at)
    }
    if (header === undefined) throw new Asn1Error('unexpected end')
    const endOffset = this.#offset + header.headerBytes + (header.lengthBytes ?? 0)
    if (frame !== undefined && endOffset > frame.endOffset) throw new Asn1Error('length beyond the end')
    return header
  }

  /** Goes into the next element, which must have this tag. */
  *enter(tag: number, what: string): Reading<void> {
    const header = yield* this.peek()
    if (header?.tag !== tag) throw new Asn1Error(`${what} is missing`)
    this.#enter(header)
  }

  /** Leaves the element entered last; it must have been read to its end. */
  *leave(): Reading<void> {
    if ((yield* this.peek()) !== undefined) throw new Asn1Error('unexpected element')
    if (this.#frames.pop()?.indefinite === true) this.#at += 2
  }

  /** The next element's whole encoding, kept in memory: at most `limitBytes`. */
  *element(limitBytes: number): Reading<Uint8Array> {
    const header = yield* this.peek()
    if (header === undefined) throw new Asn1Error('an element is missing')
    if (header.lengthBytes !== undefined) return yield* this.#take(header.headerBytes + header.lengthBytes, limitBytes)
    const pieces: Uint8Array[] = []
    yield* this.#walk(header, pieces, { bytesLeft: limitBytes, nodesLeft: ASN1_NODES_MAX })
    return Buffer.concat(pieces)
  }

  /** Reads over the next element without keeping it. */
  *skip(): Reading<void> {
    const header = yield* this.peek()
    if (header === undefined) throw new Asn1Error('an element is missing')
    if (header.lengthBytes !== undefined) {
      yield* this.#slices(header.headerBytes + header.lengthBytes, ignoreSlice)
      return
    }
    this.#enter(header)
    while ((yield* this.peek()) !== undefined) yield* this.skip()
    yield* this.leave()
  }

  /** Hands on the octets of a string, primitive or in pieces (X.690 §8.7.3.2), as they come. */
  *octets(onSlice: OnSlice, what: string, primitiveTag: number = TAG.OCTET_STRING): Reading<void> {
    const header = yield* this.peek()
    if (header?.tag === primitiveTag && header.lengthBytes !== undefined) {
      this.#at += header.headerBytes
      yield* this.#slices(header.lengthBytes, onSlice)
      return
    }
    if (header?.tag !== (primitiveTag | CONSTRUCTED)) throw new Asn1Error(`${what} is missing`)
    const gather = new Gather(onSlice)
    this.#enter(header)
    yield* this.#pieces(gather)
    gather.flush()
  }

  get #offset(): number {
    return this.#chunkOffset + this.#at
  }

  #enter(header: BerHeader): void {
    if ((header.tag & CONSTRUCTED) === 0) throw new Asn1Error('a constructed element is missing')
    if (this.#frames.length >= ASN1_DEPTH_MAX) throw new Asn1Error('nested too deeply')
    this.#at += header.headerBytes
    const { lengthBytes } = header
    if (lengthBytes !== undefined) this.#frames.push({ endOffset: this.#offset + lengthBytes, indefinite: false })
    else this.#frames.push({ endOffset: this.#frames.at(-1)?.endOffset ?? Infinity, indefinite: true })
  }

  *#pieces(gather: Gather): Reading<void> {
    for (;;) {
      this.#shortPieces(gather)
      const header = yield* this.peek()
      if (header === undefined) break
      if (header.tag === TAG.OCTET_STRING && header.lengthBytes !== undefined) {
        this.#at += header.headerBytes
        yield* this.#slices(header.lengthBytes, (slice) => gather.take(slice))
      } else if (header.tag === (TAG.OCTET_STRING | CONSTRUCTED)) {
        this.#enter(header)
        yield* this.#pieces(gather)
      } else throw new Asn1Error('unexpected element in a string')
    }
    yield* this.leave()
  }

  /** The fast way through strings cut into very short pieces: no generator per piece. */
  #shortPieces(gather: Gather): void {
    const endOffset = this.#frames.at(-1)?.endOffset ?? Infinity
    for (;;) {
      const length = this.#chunk[this.#at + 1]
      if (this.#chunk[this.#at] !== TAG.OCTET_STRING || length === undefined || length >= 0x80) return
      const end = this.#at + 2 + length
      if (end > this.#chunk.length || this.#chunkOffset + end > endOffset) return
      gather.take(this.#chunk.subarray(this.#at + 2, end))
      this.#at = end
    }
  }

  *#walk(header: BerHeader, pieces: Uint8Array[], budget: { bytesLeft: number; nodesLeft: number }): Reading<void> {
    if (--budget.nodesLeft < 0) throw new Asn1Error('too many elements')
    const definite = header.headerBytes + (header.lengthBytes ?? 0)
    if (header.lengthBytes !== undefined) {
      pieces.push(yield* this.#take(definite, budget.bytesLeft))
      budget.bytesLeft -= definite
      return
    }
    pieces.push(this.#chunk.subarray(this.#at, this.#at + 2))
    this.#enter(header)
    for (let child = yield* this.peek(); child !== undefined; child = yield* this.peek())
      yield* this.#walk(child, pieces, budget)
    yield* this.leave()
    pieces.push(END_OF_CONTENTS)
    budget.bytesLeft -= 4
  }

  /** `length` bytes in one piece. */
  *#take(length: number, limitBytes: number): Reading<Uint8Array> {
    if (length > limitBytes) throw new Asn1Error('element too large')
    const pieces: Uint8Array[] = []
    yield* this.#slices(length, (slice) => pieces.push(slice))
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
  }

  *#slices(length: number, onSlice: OnSlice): Reading<void> {
    for (let left = length; left > 0;) {
      yield* this.#ensure(1)
      const slice = this.#chunk.subarray(this.#at, this.#at + left)
      this.#at += slice.length
      left -= slice.length
      onSlice(slice)
    }
  }

  /** Waits until `count` bytes stand in one piece at `#at`; few, since they are copied together. */
  *#ensure(count: number): Reading<void> {
    while (this.#chunk.length - this.#at < count) {
      const next = this.#queue.shift()
      if (next !== undefined) this.#append(next, count)
      else if (this.#ended) throw new Asn1Error('unexpected end')
      else yield
    }
  }

  #append(next: Uint8Array, count: number): void {
    const rest = this.#chunk.subarray(this.#at)
    this.#chunkOffset += this.#at
    this.#at = 0
    const missing = count - rest.length
    this.#chunk = rest.length === 0 ? next : Buffer.concat([rest, next.subarray(0, missing)])
    if (rest.length > 0 && next.length > missing) this.#queue.unshift(next.subarray(missing))
  }
}

const END_OF_CONTENTS = Uint8Array.of(0, 0)
const ignoreSlice = (): void => {}
