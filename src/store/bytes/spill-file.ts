/**
 * Sealed bytes on the disk that a worker thread reads at any place, and writes itself: synchronously, for such a thread has
 * nothing else to do. A spill has no name and no key but in this process, so that a crash leaves nothing that can be read.
 */
import { Buffer, isAscii } from 'node:buffer'
import { createSecretKey, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs'
import { join } from 'node:path'
import { type ByteKeeper, ByteRange, type Spill } from '../../base/byte-range.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import { FrameQueue } from '../../base/frame-queue.ts'
import { BytesDamaged, type DataKey, FRAME_BYTES, HEADER_BYTES, Opener, Sealer, TAG_BYTES } from './sealing.ts'

/** Read from the disk at once. */
const READ_BYTES = 512 * 1024
/** Plaintext in one frame of a spill: to set up a cipher takes as long as to seal some 20 kB. */
const SPILL_FRAME_BYTES = 4 * FRAME_BYTES

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
  const opener = new Opener(header, dataKey, 'message')
  const frames = new SealedFrames({ fd, offset: HEADER_BYTES, opener, frameBytes: FRAME_BYTES }, sizeBytes)
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
  readonly #kept = new FrameQueue(SPILL_FRAME_BYTES)
  /** Numbers of the frames that hold octets above 127. */
  readonly #eightBit = new Set<number>()
  #frames = 0
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
    this.#sizeBytes += chunk.length
    if (this.#kept.keptBytes > SPILL_FRAME_BYTES) for (const frame of this.#kept.takeFrames()) this.#seal(frame, false)
  }

  end(): void {
    this.#seal(this.#kept.takeRest(), true)
    const opener = new Opener(this.#sealer.header, this.#dataKey, 'spill')
    const sealed = { fd: this.#fd, offset: 0, opener, frameBytes: SPILL_FRAME_BYTES, eightBit: this.#eightBit }
    this.#range = new ByteRange(new SealedFrames(sealed, this.#sizeBytes))
  }

  drop(): void {
    this.#kept.takeRest()
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  #seal(frame: readonly Uint8Array[], last: boolean): void {
    if (!frame.every((piece) => isAscii(piece))) this.#eightBit.add(this.#frames)
    this.#frames++
    const sealed = this.#sealer.frame(frame, last)
    const wantedBytes = sealed.reduce((sum, piece) => sum + piece.length, 0)
    if (writevSync(this.#fd, sealed) !== wantedBytes) throw new Error('A spill could not be written: the disk is full')
    buffersPassed(wantedBytes)
  }
}

/** A file of sealed frames. */
interface Sealed {
  readonly fd: number
  /** Of the first frame. */
  readonly offset: number
  readonly opener: Opener
  /** Plaintext in each but the last. */
  readonly frameBytes: number
  /** Numbers of those that hold octets above 127; missing when nobody looked. */
  readonly eightBit?: ReadonlySet<number>
}

class SealedFrames implements ByteKeeper {
  readonly lengthBytes: number
  readonly #sealed: Sealed
  readonly #lastFrame: number
  /** Sealed frames as they were read, from frame `#aheadFrom` on. */
  readonly #buffer: Buffer
  #ahead: Uint8Array = new Uint8Array()
  #aheadFrom = 0
  /** The frame that was opened last: what is looked for stands near by. */
  #opened: { readonly number: number; readonly plaintext: Uint8Array } | undefined

  constructor(sealed: Sealed, lengthBytes: number) {
    const { frameBytes } = sealed
    this.#sealed = sealed
    this.lengthBytes = lengthBytes
    this.#lastFrame = Math.max(0, Math.ceil(lengthBytes / frameBytes) - 1)
    this.#buffer = Buffer.allocUnsafeSlow((READ_BYTES / frameBytes) * (frameBytes + TAG_BYTES))
  }

  *slices(from: number, to: number): Generator<Uint8Array> {
    const { frameBytes } = this.#sealed
    for (let at = from; at < to;) {
      const number = Math.floor(at / frameBytes)
      const start = at - number * frameBytes
      const slice = this.#frame(number).subarray(start, start + to - at)
      if (slice.length === 0) throw new BytesDamaged('A sealed file is shorter than it was')
      at += slice.length
      yield slice
    }
  }

  isAscii(from: number, to: number): boolean {
    const { frameBytes, eightBit } = this.#sealed
    for (let number = Math.floor(from / frameBytes); number * frameBytes < to; number++)
      if (eightBit?.has(number) !== false) return false
    return true
  }

  #frame(number: number): Uint8Array {
    if (this.#opened?.number === number) return this.#opened.plaintext
    const plaintext = this.#sealed.opener.frameAt(number, this.#read(number), number === this.#lastFrame)
    buffersPassed(plaintext.length)
    this.#opened = { number, plaintext }
    return plaintext
  }

  #read(number: number): Uint8Array {
    const { fd, offset, frameBytes } = this.#sealed
    const sealedBytes = frameBytes + TAG_BYTES
    const at = (number - this.#aheadFrom) * sealedBytes
    if (at >= 0 && at < this.#ahead.length) return this.#ahead.subarray(at, at + sealedBytes)
    const allBytes = this.lengthBytes + (this.#lastFrame + 1) * TAG_BYTES
    this.#ahead = this.#buffer.subarray(0, Math.min(this.#buffer.length, allBytes - number * sealedBytes))
    this.#aheadFrom = number
    fill(fd, this.#ahead, offset + number * sealedBytes)
    return this.#ahead.subarray(0, sealedBytes)
  }
}

function fill(fd: number, buffer: Uint8Array, position: number): void {
  for (let filled = 0; filled < buffer.length;) {
    const bytesRead = readSync(fd, buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) throw new BytesDamaged('The file of a message is cut off')
    filled += bytesRead
  }
}
