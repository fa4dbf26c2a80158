/** Takes one message while it arrives and seals it. What is small waits in memory; what is large goes to a file, sealed. */
import { randomBytes } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { concatBytes } from '../../base/bytes.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import type { DataKeys } from './data-keys.ts'
import { FrameQueue } from '../../base/frame-queue.ts'
import { FRAME_BYTES, Sealer, sealSmall } from './sealing.ts'
import { type ShardFolders, syncFolder } from './shard-folders.ts'

/** Up to this size a message is a column of its row, so that the commit's one fsync serves it too. */
export const INLINE_MAX_BYTES = FRAME_BYTES

/** Bytes that are sealed and, if they are in a file, durable; they have no row yet. */
export interface FinishedBytes {
  readonly sizeBytes: number
  readonly dataKeyId: number
  readonly place:
    /** `plain` is the whole message, for who needs it at once; it is written nowhere. */
    | { readonly kind: 'inline'; readonly sealed: Uint8Array; readonly plain: Uint8Array }
    | { readonly kind: 'file'; readonly file: string }
  /** What is read before it and counts in its size, sealed: it was known only when the rest had been written. */
  readonly front?: Uint8Array
}

type State =
  | { readonly kind: 'small' }
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly sealer: Sealer; readonly dataKeyId: number }
  | { readonly kind: 'ended' }

/** `await using writer = bytes.writer()`: what is not finished when the block ends leaves nothing behind. */
export class BytesWriter implements AsyncDisposable {
  readonly #folder: string
  readonly #shards: ShardFolders
  readonly #dataKeys: DataKeys
  readonly #file: string
  #state: State = { kind: 'small' }
  #busy = false
  /** Less than one frame and the last chunk together. */
  readonly #kept = new FrameQueue(FRAME_BYTES)
  #sizeBytes = 0

  constructor(folder: string, shards: ShardFolders, dataKeys: DataKeys) {
    this.#folder = folder
    this.#shards = shards
    this.#dataKeys = dataKeys
    const name = randomBytes(16).toString('hex')
    this.#file = `${name.slice(0, 2)}/${name}`
  }

  /**
   * Takes a chunk, which the caller does not change before the message is finished. When a promise is returned, the caller
   * waits for it before the next call: that is the back-pressure of the disk.
   */
  write(chunk: Uint8Array): Promise<void> | void {
    if (this.#busy || this.#state.kind === 'ended') throw new Error('BytesWriter.write before the last one was done')
    this.#sizeBytes += chunk.length
    this.#kept.push(chunk)
    if (this.#kept.keptBytes > FRAME_BYTES) return this.#spill()
  }

  /**
   * Seals the rest. When it resolves, a large message is on the disk for good, name included; a small one goes with its row.
   * `front` is read before all else; it fits into a frame.
   */
  async finish(front?: Uint8Array): Promise<FinishedBytes> {
    const state = this.#state
    if (this.#busy || state.kind === 'ended') throw new Error('BytesWriter.finish before the last write was done')
    const sizeBytes = this.#sizeBytes + (front?.length ?? 0)
    if (state.kind === 'small') {
      const dataKey = this.#dataKeys.current()
      this.#state = { kind: 'ended' }
      const rest = concatBytes(this.#kept.takeRest())
      const plain = front === undefined ? rest : concatBytes([front, rest])
      const fits = plain.length <= FRAME_BYTES
      const sealed = sealSmall(dataKey, 'message', fits ? plain : rest)
      const place = { kind: 'inline', sealed, plain } as const
      return { sizeBytes, dataKeyId: dataKey.id, place, ...this.#sealed(fits ? undefined : front) }
    }
    this.#busy = true
    await writeAll(state.handle, state.sealer.frame(this.#kept.takeRest(), true))
    await state.handle.datasync()
    this.#state = { kind: 'ended' }
    await state.handle.close()
    await syncFolder(dirname(join(this.#folder, this.#file)))
    return { sizeBytes, dataKeyId: state.dataKeyId, place: { kind: 'file', file: this.#file }, ...this.#sealed(front) }
  }

  #sealed(front: Uint8Array | undefined): { readonly front?: Uint8Array } {
    return front === undefined ? {} : { front: sealSmall(this.#dataKeys.current(), 'message', front) }
  }

  /** Forgets everything; does nothing after `finish`. */
  async abort(): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'ended' }
    this.#kept.takeRest()
    if (state.kind !== 'file') return
    await this.#undo(state.handle)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  /** Writes all full frames but keeps at least one byte: only `finish` knows which frame is the last. */
  async #spill(): Promise<void> {
    this.#busy = true
    const state = this.#state.kind === 'small' ? await this.#openFile() : this.#state
    if (state.kind !== 'file') throw new Error('BytesWriter was aborted while writing')
    if (this.#state.kind === 'ended') return this.#undo(state.handle) // aborted while the file was being opened
    this.#state = state
    const sealed: Uint8Array[] = []
    for (const frame of this.#kept.takeFrames()) sealed.push(...state.sealer.frame(frame, false))
    await writeAll(state.handle, sealed)
    buffersPassed(sealed.reduce((sum, piece) => sum + piece.length, 0))
    this.#busy = false
  }

  async #undo(handle: FileHandle): Promise<void> {
    await handle.close()
    await rm(join(this.#folder, this.#file), { force: true })
  }

  async #openFile(): Promise<State> {
    const dataKey = this.#dataKeys.current()
    const path = join(this.#folder, this.#file)
    await this.#shards.make(dirname(this.#file))
    const handle = await open(path, 'wx', 0o600)
    const sealer = new Sealer(dataKey, 'message')
    try {
      await writeAll(handle, [sealer.header])
    } catch (error) {
      await this.#undo(handle) // nobody else knows of it yet: an open handle that is forgotten ends the process
      throw error
    }
    return { kind: 'file', handle, sealer, dataKeyId: dataKey.id }
  }
}

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const { bytesWritten } = await handle.writev(pieces)
  const wanted = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (bytesWritten !== wanted) throw new Error(`Only ${bytesWritten} of ${wanted} bytes were written: the disk is full`)
}
