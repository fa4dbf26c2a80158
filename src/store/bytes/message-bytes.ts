/** Message bytes: written once, sealed at rest, read whole or as a stream, removed when nobody refers to them any more. */
import { Buffer } from 'node:buffer'
import { concatBytes } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import { type Param, prepared, preparedInsertWithId } from '../prepared.ts'
import type { BytesId, Db, Tx } from '../schema.ts'
import type { Committer } from '../transaction.ts'
import { BytesWriter, type FinishedBytes } from './bytes-writer.ts'
import type { DataKeys } from './data-keys.ts'
import type { LargeObjects, ObjectReader } from './large-objects.ts'
import { releaseBytes } from './release.ts'
import type { SealedFile } from './spill-file.ts'
import {
  BytesMissing,
  dataKeyIdOf,
  FRAME_BYTES,
  HEADER_BYTES,
  Opener,
  SEALED_FRAME_BYTES,
  TAG_BYTES,
} from './sealing.ts'

/** Younger than this, a large object without a row may belong to a mail that is just arriving. */
export const SWEEP_MIN_AGE_MS = 6 * 60 * 60_000
/** Frames read from a large object at once: what a stream holds in memory. */
const FRAMES_PER_READ = 4
/** Of a large message in memory, so that it is not there a second time in ciphertext. */
const SEALED_AT_ONCE_BYTES = 16 * FRAME_BYTES

export interface MessageBytesDeps {
  readonly largeObjects: LargeObjects
  readonly db: Db
  readonly committer: Committer
  readonly dataKeys: DataKeys
  readonly clock: Clock
}

export class MessageBytes {
  readonly #deps: MessageBytesDeps

  constructor(deps: MessageBytesDeps) {
    this.#deps = deps
  }

  writer(): BytesWriter {
    return new BytesWriter(this.#deps.largeObjects, this.#deps.dataKeys)
  }

  /** Seals bytes that are in memory already, one piece after the other. */
  async seal(...pieces: readonly Uint8Array[]): Promise<FinishedBytes> {
    await using writer = this.writer()
    for (const piece of pieces)
      for (let at = 0; at < piece.length; at += SEALED_AT_ONCE_BYTES)
        await writer.write(piece.subarray(at, at + SEALED_AT_ONCE_BYTES))
    return await writer.finish()
  }

  /** Gives finished bytes their row, in the transaction that also makes the first row that refers to them. Once for each. */
  async insert(tx: Tx, finished: FinishedBytes): Promise<BytesId> {
    const { place } = finished
    return insertBytes(tx, {
      createdMs: this.#deps.clock.nowMs(),
      sizeBytes: finished.sizeBytes,
      dataKeyId: finished.dataKeyId,
      file: place.kind === 'file' ? place.file : null,
      inline: place.kind === 'inline' ? place.sealed : null,
      front: finished.front ?? null,
    })
  }

  /** For finished bytes that will get no row after all. */
  async discard(finished: FinishedBytes): Promise<void> {
    if (finished.place.kind === 'file') await this.#deps.largeObjects.remove([finished.place.file])
  }

  /** The whole message. Throws BytesMissing, BytesDamaged. */
  async read(id: BytesId): Promise<Uint8Array> {
    return concatBytes(await Array.fromAsync(this.stream(id)))
  }

  /**
   * The message in chunks of at most FRAME_BYTES. Throws BytesMissing before the first chunk; BytesDamaged at any time, but
   * never after a chunk that is not what was written.
   */
  async *stream(id: BytesId): AsyncGenerator<Uint8Array, void, undefined> {
    const [row] = await selectBytes(this.#deps.db, { id })
    if (row === undefined) throw new BytesMissing(`There is no message ${id}`)
    yield* this.#chunksOf(row.size_bytes, row)
  }

  /** As `stream`, of bytes that have no row yet. */
  streamFinished({ sizeBytes, place, front: sealed }: FinishedBytes): AsyncGenerator<Uint8Array, void, undefined> {
    const front = sealed ?? null
    return place.kind === 'inline'
      ? this.#chunksOf(sizeBytes, { inline: place.sealed, file: null, front })
      : this.#chunksOf(sizeBytes, { inline: null, file: place.file, front })
  }

  /** Where a worker thread reads finished bytes, until `releaseFile`; only for those that are a large object. */
  async sealedFile({ sizeBytes, dataKeyId, place }: FinishedBytes): Promise<SealedFile> {
    if (place.kind !== 'file') throw new Error('bytes that are in a row have no path')
    const dataKey = await this.#deps.dataKeys.byId(dataKeyId)
    return { path: await this.#deps.largeObjects.fileOf(place.file), dataKey, sizeBytes }
  }

  /** Whoever has opened it goes on reading. */
  releaseFile({ path }: SealedFile): Promise<void> {
    return this.#deps.largeObjects.releaseFile(path)
  }

  /** Of the plaintext; `undefined` when there is no such message. */
  async sizeBytes(id: BytesId): Promise<number | undefined> {
    const row = await this.#deps.db.selectFrom('bytes').select('size_bytes').where('id', '=', id).executeTakeFirst()
    return row?.size_bytes
  }

  /**
   * Removes what a crash has left behind: large objects without a row and rows that nobody refers to, when they are older than
   * `minAgeMs`. For the start of the server, and now and then.
   */
  async sweep(options: { readonly minAgeMs?: number } = {}): Promise<{ files: number; rows: number }> {
    const beforeMs = this.#deps.clock.nowMs() - (options.minAgeMs ?? SWEEP_MIN_AGE_MS)
    const rows = await this.#sweepRows(beforeMs)
    return { files: await this.#deps.largeObjects.sweep(beforeMs), rows }
  }

  async #sweepRows(beforeMs: number): Promise<number> {
    const { db, committer } = this.#deps
    const used = db
      .selectFrom('queue')
      .select('bytes_id')
      .union(db.selectFrom('mailbox').select('bytes_id'))
      .union(db.selectFrom('quarantine').select('bytes_id'))
      .union(
        db
          .selectFrom('mailbox')
          .select('evidence_bytes_id as bytes_id')
          .where('evidence_bytes_id', 'is not', null)
          .$castTo<{ bytes_id: BytesId }>(),
      )
    const rows = await db
      .selectFrom('bytes')
      .select('id')
      .where('created_ms', '<=', beforeMs)
      .where('id', 'not in', used)
      .execute()
    if (rows.length === 0) return 0
    return committer.commit((tx) =>
      releaseBytes(
        tx,
        rows.map((row) => row.id),
      ),
    )
  }

  async #opener(sealed: Uint8Array): Promise<Opener> {
    return new Opener(sealed, await this.#deps.dataKeys.byId(dataKeyIdOf(sealed)), 'message')
  }

  async #openWhole(sealed: Uint8Array): Promise<Uint8Array> {
    return (await this.#opener(sealed)).frame(sealed.subarray(HEADER_BYTES), true)
  }

  async *#chunksOf(
    sizeBytes: number,
    { inline, file, front }: Pick<NewBytes, 'inline' | 'file' | 'front'>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const before = front === null ? undefined : await this.#openWhole(front)
    if (before !== undefined) yield before
    if (inline !== null) {
      yield await this.#openWhole(inline)
    } else if (file !== null) {
      await using reader = await this.#deps.largeObjects.open(file)
      yield* this.#framesOf(reader, sizeBytes - (before?.length ?? 0))
    }
  }

  async *#framesOf(reader: ObjectReader, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    const opener = await this.#opener(await reader.fill(Buffer.allocUnsafe(HEADER_BYTES)))
    let leftBytes = sizeBytes + Math.max(1, Math.ceil(sizeBytes / FRAME_BYTES)) * TAG_BYTES
    const buffer = Buffer.allocUnsafe(Math.min(leftBytes, FRAMES_PER_READ * SEALED_FRAME_BYTES))
    while (leftBytes > 0) {
      const sealed = await reader.fill(buffer.subarray(0, leftBytes))
      leftBytes -= sealed.length
      buffersPassed(sealed.length)
      for (let at = 0; at < sealed.length; at += SEALED_FRAME_BYTES) {
        const last = leftBytes === 0 && at + SEALED_FRAME_BYTES >= sealed.length
        yield opener.frame(sealed.subarray(at, at + SEALED_FRAME_BYTES), last)
      }
    }
  }
}

interface NewBytes {
  readonly createdMs: number
  readonly sizeBytes: number
  readonly dataKeyId: number
  readonly file: string | null
  readonly inline: Uint8Array | null
  readonly front: Uint8Array | null
}

const insertBytes = preparedInsertWithId<'bytes', NewBytes, BytesId>('bytes', (bytes) => ({
  created_ms: bytes('createdMs'),
  size_bytes: bytes('sizeBytes'),
  data_key_id: bytes('dataKeyId'),
  file: bytes('file'),
  inline: bytes('inline'),
  front: bytes('front'),
}))

const selectBytes = prepared((db, param: Param<{ readonly id: BytesId }>) =>
  db.selectFrom('bytes').select(['size_bytes', 'file', 'inline', 'front']).where('id', '=', param('id')),
)
