/** Takes one message while it arrives and seals it. What is small waits in memory; what is large goes to a place of its own, sealed. */
import { concatBytes } from '../../base/bytes.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import type { DataKeys } from './data-keys.ts'
import { FrameQueue } from '../../base/frame-queue.ts'
import type { LargeObjects, NewObject } from './large-objects.ts'
import { FRAME_BYTES, Sealer, sealSmall } from './sealing.ts'

/** Up to this size a message is a column of its row, so that the commit's one fsync serves it too. */
export const INLINE_MAX_BYTES = FRAME_BYTES

/** Bytes that are sealed and, if they are a large object, durable; they have no row yet. */
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
  | { readonly kind: 'large'; readonly object: NewObject; readonly sealer: Sealer; readonly dataKeyId: number }
  | { readonly kind: 'ended' }

/** `await using writer = bytes.writer()`: what is not finished when the block ends leaves nothing behind. */
export class BytesWriter implements AsyncDisposable {
  readonly #largeObjects: LargeObjects
  readonly #dataKeys: DataKeys
  #state: State = { kind: 'small' }
  #busy = false
  /** Less than one frame and the last chunk together. */
  readonly #kept = new FrameQueue(FRAME_BYTES)
  #sizeBytes = 0

  constructor(largeObjects: LargeObjects, dataKeys: DataKeys) {
    this.#largeObjects = largeObjects
    this.#dataKeys = dataKeys
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
   * Seals the rest. When it resolves, a large message is durable, name included; a small one goes with its row.
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
    const { object, sealer, dataKeyId } = state
    await object.write(sealer.frame(this.#kept.takeRest(), true))
    await object.finish()
    this.#state = { kind: 'ended' }
    return { sizeBytes, dataKeyId, place: { kind: 'file', file: object.name }, ...this.#sealed(front) }
  }

  #sealed(front: Uint8Array | undefined): { readonly front?: Uint8Array } {
    return front === undefined ? {} : { front: sealSmall(this.#dataKeys.current(), 'message', front) }
  }

  /** Forgets everything; does nothing after `finish`. */
  async abort(): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'ended' }
    this.#kept.takeRest()
    if (state.kind === 'large') await state.object.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  /** Writes all full frames but keeps at least one byte: only `finish` knows which frame is the last. */
  async #spill(): Promise<void> {
    this.#busy = true
    const state = this.#state.kind === 'small' ? await this.#begin() : this.#state
    if (state.kind !== 'large') throw new Error('BytesWriter was aborted while writing')
    if (this.#state.kind === 'ended') return state.object.abort() // aborted while the object was being made
    this.#state = state
    const sealed: Uint8Array[] = []
    for (const frame of this.#kept.takeFrames()) sealed.push(...state.sealer.frame(frame, false))
    await state.object.write(sealed)
    buffersPassed(sealed.reduce((sum, piece) => sum + piece.length, 0))
    this.#busy = false
  }

  async #begin(): Promise<State> {
    const dataKey = this.#dataKeys.current()
    const object = await this.#largeObjects.create()
    const sealer = new Sealer(dataKey, 'message')
    try {
      await object.write([sealer.header])
    } catch (error) {
      await object.abort() // nobody else knows of it yet: an open handle that is forgotten ends the process
      throw error
    }
    return { kind: 'large', object, sealer, dataKeyId: dataKey.id }
  }
}
