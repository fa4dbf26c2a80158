/**
 * Bytes that are too many for memory: read in slices or at any place, never all at once. Who keeps them is somebody else's
 * matter; reading is synchronous, so it belongs into worker threads, and throws when the keeper cannot give what it kept.
 */
import { Buffer } from 'node:buffer'
import type { ByteSink } from './byte-sink.ts'
import { concatBytes } from './bytes.ts'

export interface ByteKeeper {
  readonly lengthBytes: number
  /** The bytes from one offset up to another, in slices that the caller may keep. */
  slices(from: number, to: number): Iterable<Uint8Array>
  /** True when it noticed, as they came, that there is nothing but US-ASCII between these offsets. */
  isAscii?(from: number, to: number): boolean
}

/** Some of what a keeper keeps. */
export class ByteRange {
  readonly keeper: ByteKeeper
  /** Offset of the first of them there. */
  readonly from: number
  readonly lengthBytes: number

  constructor(keeper: ByteKeeper, from = 0, to: number = keeper.lengthBytes) {
    this.keeper = keeper
    this.from = from
    this.lengthBytes = to - from
  }

  /** As `subarray`, without negative offsets. */
  range(from: number, to: number = this.lengthBytes): ByteRange {
    const end = Math.min(to, this.lengthBytes)
    return new ByteRange(this.keeper, this.from + Math.min(from, end), this.from + end)
  }

  slices(): Iterable<Uint8Array> {
    return this.keeper.slices(this.from, this.from + this.lengthBytes)
  }

  /** Known without reading: US-ASCII between these offsets. False may mean that nobody looked. */
  isAscii(from: number, to: number): boolean {
    return this.keeper.isAscii?.(this.from + from, this.from + to) === true
  }

  /** In one piece, in memory: for a few. */
  read(from = 0, to?: number): Uint8Array {
    return concatBytes([...this.range(from, to).slices()])
  }
}

/** Where bytes wait on the disk, sealed under a key that only this process knows, until they may be shown or are forgotten. */
export interface Spill extends ByteSink {
  /** What was written; after `end`. */
  readonly range: ByteRange
  /** Whether these bytes lie here. */
  holds(range: ByteRange): boolean
  /** Forgets all of it. */
  drop(): void
}

export type OpenSpill = () => Spill

/** Bytes that are in memory after all. */
export function rangeInMemory(bytes: Uint8Array): ByteRange {
  return new ByteRange({ lengthBytes: bytes.length, slices: (from, to) => [bytes.subarray(from, to)] })
}

/** What is searched: bytes in memory, or a range of bytes that are not. */
export interface Searchable {
  readonly lengthBytes: number
  /** Offset of the first occurrence that begins at `from` or later; -1 when there is none. */
  indexOf(needle: Uint8Array | number, from: number): number
  /** `undefined` outside. */
  octet(at: number): number | undefined
}

export function searchMemory(bytes: Uint8Array): Searchable {
  const buffer = asBuffer(bytes)
  return {
    lengthBytes: buffer.length,
    indexOf: (needle, from) => buffer.indexOf(needle, from),
    octet: (at) => buffer[at],
  }
}

/** What a search has read and left behind, with its offset. Some of it may be told twice, and some not at all. */
export type OnPassed = (bytes: Uint8Array, at: number) => void

/** `onPassed` hears of nothing that may belong to the next occurrence, or to the line end before it. */
export function searchRange(range: ByteRange, onPassed: OnPassed = ignore): Searchable {
  let window: Uint8Array = new Uint8Array()
  let windowAt = 0
  return {
    lengthBytes: range.lengthBytes,
    indexOf: (needle, from) =>
      indexInRange(range, typeof needle === 'number' ? Uint8Array.of(needle) : needle, from, onPassed),
    octet(at) {
      if (at < 0 || at >= range.lengthBytes) return undefined
      if (at < windowAt || at >= windowAt + window.length) {
        windowAt = at
        window = range.read(at, at + WINDOW_BYTES)
      }
      return window[at - windowAt]
    },
  }
}

const ignore = (): void => {}

/** Read for the sake of one octet: its neighbours are asked for next. */
const WINDOW_BYTES = 4096
const LINE_END_BYTES = 2

/** Slice by slice; the end of one is looked at again with the beginning of the next, lest a needle across the seam be missed. */
function indexInRange(range: ByteRange, needle: Uint8Array, from: number, onPassed: OnPassed): number {
  const keptBytes = needle.length - 1 + LINE_END_BYTES
  let rest: Uint8Array = new Uint8Array()
  let at = from
  for (const slice of range.range(from).slices()) {
    const seam = Buffer.concat([rest, slice.subarray(0, needle.length - 1)])
    const inSeam = seam.indexOf(needle)
    if (inSeam >= 0) return at + inSeam
    const inSlice = asBuffer(slice).indexOf(needle)
    if (inSlice >= 0) return at + rest.length + inSlice
    const joined = slice.length < keptBytes ? Buffer.concat([rest, slice]) : slice
    if (joined === slice) {
      onPassed(rest, at)
      at += rest.length
    }
    const passed = joined.subarray(0, Math.max(0, joined.length - keptBytes))
    onPassed(passed, at)
    at += passed.length
    rest = joined.subarray(passed.length)
  }
  return -1
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
