/** Message bytes: written once, sealed at rest, read whole or as a stream, removed when nobody refers to them any more. */
import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Buffer } from 'node:buffer'
import { concatBytes } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import { buffersPassed } from '../../base/spent-buffers.ts'
import { type Param, prepared } from '../prepared.ts'
import type { BytesId, Db, Tx } from '../schema.ts'
import type { Committer } from '../transaction.ts'
import { BytesWriter, type FinishedBytes } from './bytes-writer.ts'
import type { DataKeys } from './data-keys.ts'
import { inSlices, releaseBytes } from './release.ts'
import { ShardFolders } from './shard-folders.ts'
import type { SealedFile } from './spill-file.ts'
import {
  BytesDamaged,
  dataKeyIdOf,
  FRAME_BYTES,
  HEADER_BYTES,
  Opener,
  SEALED_FRAME_BYTES,
  TAG_BYTES,
} from './sealing.ts'

/** Younger than this, a file without a row may belong to a mail that is just arriving. */
export const SWEEP_MIN_AGE_MS = 6 * 60 * 60_000
/** Frames read from a file at once: what a stream holds in memory. */
const FRAMES_PER_READ = 4
/** Of a large message in memory, so that it is not there a second time in ciphertext. */
const SEALED_AT_ONCE_BYTES = 16 * FRAME_BYTES

/** There is no such message (any more): another terminal has deleted it. */
export class BytesMissing extends Error {
  override readonly name = 'BytesMissing'
}

export interface MessageBytesDeps {
  /** Of the sealed files; made at need. */
  readonly folder: string
  readonly db: Db
  readonly committer: Committer
  readonly dataKeys: DataKeys
  readonly clock: Clock
}

export class MessageBytes {
  readonly #deps: MessageBytesDeps
  readonly #shards: ShardFolders

  constructor(deps: MessageBytesDeps) {
    this.#deps = deps
    this.#shards = new ShardFolders(deps.folder)
  }

  writer(): BytesWriter {
    return new BytesWriter(this.#deps.folder, this.#shards, this.#deps.dataKeys)
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
    const rows = await insertBytes(tx, {
      createdMs: this.#deps.clock.nowMs(),
      sizeBytes: finished.sizeBytes,
      dataKeyId: finished.dataKeyId,
      file: place.kind === 'file' ? place.file : null,
      inline: place.kind === 'inline' ? place.sealed : null,
      front: finished.front ?? null,
    })
    return (rows[0] as { id: BytesId }).id
  }

  /** For finished bytes that will get no row after all. */
  async discard(finished: FinishedBytes): Promise<void> {
    if (finished.place.kind === 'file') await removeFiles(this.#deps.folder, [finished.place.file])
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

  /** Where a worker thread reads finished bytes; only for those that are in a file. */
  async sealedFile({ sizeBytes, dataKeyId, place }: FinishedBytes): Promise<SealedFile> {
    if (place.kind !== 'file') throw new Error('bytes that are not in a file have no path')
    return { path: join(this.#deps.folder, place.file), dataKey: await this.#deps.dataKeys.byId(dataKeyId), sizeBytes }
  }

  /** Of the plaintext; `undefined` when there is no such message. */
  async sizeBytes(id: BytesId): Promise<number | undefined> {
    const row = await this.#deps.db.selectFrom('bytes').select('size_bytes').where('id', '=', id).executeTakeFirst()
    return row?.size_bytes
  }

  /**
   * Removes what a crash has left behind: files without a row and rows that nobody refers to, when they are older than
   * `minAgeMs`. For the start of the server, and now and then.
   */
  async sweep(options: { readonly minAgeMs?: number } = {}): Promise<{ files: number; rows: number }> {
    const beforeMs = this.#deps.clock.nowMs() - (options.minAgeMs ?? SWEEP_MIN_AGE_MS)
    const rows = await this.#sweepRows(beforeMs)
    let files = 0
    for (const shard of await namesIn(this.#deps.folder)) {
      const names = (await namesIn(join(this.#deps.folder, shard))).map((name) => `${shard}/${name}`)
      for (const some of inSlices(names)) files += await this.#sweepFiles(some, beforeMs)
    }
    return { files, rows }
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

  async #sweepFiles(files: readonly string[], beforeMs: number): Promise<number> {
    const old: string[] = []
    for (const file of files) {
      const found = await stat(join(this.#deps.folder, file)).catch(() => undefined) // a spill, gone as soon as it was there
      if (found !== undefined && found.mtimeMs <= beforeMs) old.push(file)
    }
    if (old.length === 0) return 0
    const rows = await this.#deps.db.selectFrom('bytes').select('file').where('file', 'in', old).execute()
    const known = new Set(rows.map((row) => row.file))
    const orphans = old.filter((file) => !known.has(file))
    await removeFiles(this.#deps.folder, orphans)
    return orphans.length
  }

  async #opener(sealed: Uint8Array): Promise<Opener> {
    return new Opener(sealed, await this.#deps.dataKeys.byId(dataKeyIdOf(sealed)), 'message')
  }

  async #openWhole(sealed: Uint8Array): Promise<Uint8Array> {
    return (await this.#opener(sealed)).frame(sealed.subarray(HEADER_BYTES), true)
  }

  async #openFile(file: string): Promise<FileHandle> {
    try {
      return await open(join(this.#deps.folder, file), 'r')
    } catch (error) {
      throw new BytesMissing(`The file ${file} of a message is gone`, { cause: error })
    }
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
      await using handle = await this.#openFile(file)
      yield* this.#framesOf(handle, sizeBytes - (before?.length ?? 0))
    }
  }

  async *#framesOf(handle: FileHandle, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    const opener = await this.#opener(await fill(handle, Buffer.allocUnsafe(HEADER_BYTES)))
    let leftBytes = sizeBytes + Math.max(1, Math.ceil(sizeBytes / FRAME_BYTES)) * TAG_BYTES
    const buffer = Buffer.allocUnsafe(Math.min(leftBytes, FRAMES_PER_READ * SEALED_FRAME_BYTES))
    while (leftBytes > 0) {
      const sealed = await fill(handle, buffer.subarray(0, leftBytes))
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

const insertBytes = prepared((db, bytes: Param<NewBytes>) =>
  db
    .insertInto('bytes')
    .values({
      created_ms: bytes('createdMs'),
      size_bytes: bytes('sizeBytes'),
      data_key_id: bytes('dataKeyId'),
      file: bytes('file'),
      inline: bytes('inline'),
      front: bytes('front'),
    })
    .returning('id'),
)

const selectBytes = prepared((db, param: Param<{ readonly id: BytesId }>) =>
  db.selectFrom('bytes').select(['size_bytes', 'file', 'inline', 'front']).where('id', '=', param('id')),
)

/** For files whose row is gone for good. One that cannot be removed now is left to `sweep`. */
export async function removeFiles(folder: string, files: readonly string[]): Promise<void> {
  await Promise.allSettled(files.map((file) => rm(join(folder, file), { force: true })))
}

/** Reads the next bytes of a file, as many as the buffer has room for. */
async function fill(handle: FileHandle, buffer: Uint8Array): Promise<Uint8Array> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled)
    if (bytesRead === 0) throw new BytesDamaged('The file of a message is cut off')
    filled += bytesRead
  }
  return buffer
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    return [] // not made yet
  }
}
