/**
 * Sealed bytes on the disk that a worker thread reads at any place, and writes itself: synchronously, for such a thread has
 * nothing else to do. A spill has no name and no key but in this process, so that a crash leaves nothing that can be read.
 */
import { Buffer } from 'node:buffer'
import { createSecretKey, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs'
import { join } from 'node:path'
import { type ByteKeeper, ByteRange, type Spill } from '../../base/byte-range.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import {
  BytesDamaged,
  type DataKey,
  FRAME_BYTES,
  HEADER_BYTES,
  Opener,
  SEALED_FRAME_BYTES,
  Sealer,
  TAG_BYTES,
} from './sealing.ts'

/** Read from the disk, and written to it, at once. */
const FRAMES_AT_ONCE = 8

/** Where a message lies that is too large for memory, and what opens it. Plain data: it can be posted to a worker. */
export interface SealedFile {
  readonly path: string
  readonly dataKey: DataKey
  /** Of the plaintext. */
  readonly sizeBytes: number
}

/** A sealed message file, open for reading until `close`. Reading throws BytesDamaged. */
export function openSealedFile({ path, dataKey, sizeBytes }: SealedFile): { range: ByteRange; close(): void } {
  const fd = openSync(path, 'r')
  const header = Buffer.alloc(HEADER_BYTES)
  readSync(fd, header, 0, HEADER_BYTES, 0)
  const frames = new SealedFrames(fd, HEADER_BYTES, new Opener(header, dataKey, 'message'), sizeBytes)
  return { range: new ByteRange(frames), close: () => closeSync(fd) }
}

/** A new spill in this folder. */
export function openSpill(folder: string): Spill {
  return new SpillFile(folder)
}

class SpillFile implements Spill {
  readonly #fd: number
  readonly #dataKey: DataKey = { id: 0, key: createSecretKey(randomBytes(32)) }
  readonly #sealer = new Sealer(this.#dataKey, 'spill')
  #kept: Uint8Array[] = []
  #keptBytes = 0
  #sizeBytes = 0
  #range: ByteRange | undefined
  #open = true

  constructor(folder: string) {
    const path = join(folder, `${randomBytes(16).toString('hex')}.spill`)
    this.#fd = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
  }

  get range(): ByteRange {
    if (this.#range === undefined) throw new Error('a spill is read before its end was written')
    return this.#range
  }

  holds({ keeper }: ByteRange): boolean {
    return this.#range?.keeper === keeper
  }

  write(chunk: Uint8Array): void {
    this.#kept.push(chunk)
    this.#keptBytes += chunk.length
    this.#sizeBytes += chunk.length
    if (this.#keptBytes > FRAMES_AT_ONCE * FRAME_BYTES) this.#seal(false)
  }

  end(): void {
    this.#seal(true)
    const opener = new Opener(this.#sealer.header, this.#dataKey, 'spill')
    this.#range = new ByteRange(new SealedFrames(this.#fd, 0, opener, this.#sizeBytes))
  }

  drop(): void {
    this.#kept = []
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  /** Seals what is kept, frame by frame; only at the end the last octets too, for only then is it known which frame is the last. */
  #seal(ends: boolean): void {
    const plaintext = Buffer.concat(this.#kept)
    buffersPassed(plaintext.length)
    const sealed: Uint8Array[] = []
    let at = 0
    for (; at + FRAME_BYTES < plaintext.length; at += FRAME_BYTES)
      sealed.push(...this.#sealer.frame([plaintext.subarray(at, at + FRAME_BYTES)], false))
    const rest = plaintext.subarray(at)
    if (ends) sealed.push(...this.#sealer.frame([rest], true))
    this.#kept = ends || rest.length === 0 ? [] : [rest]
    this.#keptBytes = ends ? 0 : rest.length
    const wanted = sealed.reduce((sum, piece) => sum + piece.length, 0)
    if (writevSync(this.#fd, sealed) !== wanted) throw new Error('A spill could not be written: the disk is full')
  }
}

class SealedFrames implements ByteKeeper {
  readonly lengthBytes: number
  readonly #fd: number
  readonly #fileOffset: number
  readonly #opener: Opener
  readonly #lastFrame: number
  /** Sealed frames as they were read, from frame `#aheadFrom` on. */
  readonly #buffer = Buffer.allocUnsafeSlow(FRAMES_AT_ONCE * SEALED_FRAME_BYTES)
  #ahead: Uint8Array = new Uint8Array()
  #aheadFrom = 0
  /** The frame that was opened last: what is looked for stands near by. */
  #opened: { readonly number: number; readonly plaintext: Uint8Array } | undefined

  constructor(fd: number, fileOffset: number, opener: Opener, lengthBytes: number) {
    this.#fd = fd
    this.#fileOffset = fileOffset
    this.#opener = opener
    this.lengthBytes = lengthBytes
    this.#lastFrame = Math.max(0, Math.ceil(lengthBytes / FRAME_BYTES) - 1)
  }

  *slices(from: number, to: number): Generator<Uint8Array> {
    for (let at = from; at < to;) {
      const number = Math.floor(at / FRAME_BYTES)
      const start = at - number * FRAME_BYTES
      const slice = this.#frame(number).subarray(start, start + to - at)
      if (slice.length === 0) throw new BytesDamaged('A sealed file is shorter than it was')
      at += slice.length
      yield slice
    }
  }

  #frame(number: number): Uint8Array {
    if (this.#opened?.number === number) return this.#opened.plaintext
    const sealed = this.#sealed(number)
    const plaintext = this.#opener.frameAt(number, sealed, number === this.#lastFrame)
    buffersPassed(plaintext.length)
    this.#opened = { number, plaintext }
    return plaintext
  }

  #sealed(number: number): Uint8Array {
    const at = (number - this.#aheadFrom) * SEALED_FRAME_BYTES
    if (at >= 0 && at < this.#ahead.length) return this.#ahead.subarray(at, at + SEALED_FRAME_BYTES)
    const sealedBytes = this.lengthBytes + (this.#lastFrame + 1) * TAG_BYTES
    const offset = number * SEALED_FRAME_BYTES
    this.#ahead = this.#buffer.subarray(0, Math.min(this.#buffer.length, sealedBytes - offset))
    this.#aheadFrom = number
    fill(this.#fd, this.#ahead, this.#fileOffset + offset)
    return this.#ahead.subarray(0, SEALED_FRAME_BYTES)
  }
}

function fill(fd: number, buffer: Uint8Array, position: number): void {
  for (let filled = 0; filled < buffer.length;) {
    const bytesRead = readSync(fd, buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) throw new BytesDamaged('The file of a message is cut off')
    filled += bytesRead
  }
}
