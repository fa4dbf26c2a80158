/**
 * Large messages in a bucket, one object each. An object is gathered, sealed, in a file of this node, and sent when it is
 * whole: its length has to be known then, it can be sent again, and memory stays free, however many senders are slow.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { ChunkReader } from '../bytes/chunk-reader.ts'
import type { LargeObjects, NewObject, ObjectReader } from '../bytes/large-objects.ts'
import { type LocalCopies, type LocalCopy, writeAll } from '../bytes/local-copies.ts'
import { inSlices } from '../bytes/release.ts'
import { BytesMissing } from '../bytes/sealing.ts'
import type { Db } from '../schema.ts'
import type { Bucket } from './bucket.ts'

/** What one request reads, and a reader holds. */
const READ_BYTES = 2 ** 20
/** Objects that are being removed at once. */
const REMOVED_AT_ONCE = 8
/** In front of what is an object's name in the bucket: elsewhere names are other ones. */
const PLACE = 'bucket/'
const OBJECT_NAME = /^[0-9a-f]{32}$/

/** Whether what a row calls `file` lies in a bucket. */
export const isInBucket = (name: string): boolean => name.startsWith(PLACE)

export class BucketObjects implements LargeObjects {
  readonly #bucket: Bucket
  readonly #copies: LocalCopies
  readonly #db: Db

  constructor(bucket: Bucket, copies: LocalCopies, db: Db) {
    this.#bucket = bucket
    this.#copies = copies
    this.#db = db
  }

  async create(name = `${PLACE}${randomBytes(16).toString('hex')}`): Promise<NewObject> {
    return new NewBucketObject(name, this.#bucket, this.#copies, await this.#copies.create())
  }

  async open(name: string): Promise<ObjectReader> {
    const parts = partsOf(this.#bucket, name)
    const first = await parts.next()
    return new ChunkReader(first.value ?? new Uint8Array(), parts)
  }

  /** A row that speaks of it keeps it: whoever removes it may not know that a commit has succeeded after all. */
  async remove(names: readonly string[]): Promise<void> {
    for (const some of inSlices(names)) {
      try {
        await this.#removeAll(await this.#withoutRow(some))
      } catch {
        // the sweep will find them
      }
    }
  }

  /** Objects that are not named as ours are left alone. */
  async sweep(beforeMs: number): Promise<number> {
    let swept = 0
    for await (const listed of this.#bucket.list()) {
      const old = listed.filter(({ name, modifiedMs }) => OBJECT_NAME.test(name) && modifiedMs <= beforeMs)
      for (const some of inSlices(old.map(({ name }) => PLACE + name))) {
        const orphans = await this.#withoutRow(some)
        await this.#removeAll(orphans)
        swept += orphans.length
      }
    }
    return swept
  }

  fileOf(name: string): Promise<string> {
    return this.#copies.take(partsOf(this.#bucket, name))
  }

  releaseFile(path: string): Promise<void> {
    return this.#copies.remove(path)
  }

  async #withoutRow(names: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('bytes').select('file').where('file', 'in', names).execute()
    const known = new Set(rows.map(({ file }) => file))
    return names.filter((name) => !known.has(name))
  }

  async #removeAll(names: readonly string[]): Promise<void> {
    const waiting = [...names]
    const removeSome = async (): Promise<void> => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await this.#bucket.remove(keyOf(name))
    }
    await Promise.all(Array.from({ length: REMOVED_AT_ONCE }, removeSome))
  }
}

const keyOf = (name: string): string => name.slice(PLACE.length)

class NewBucketObject implements NewObject {
  readonly name: string
  readonly #bucket: Bucket
  readonly #copies: LocalCopies
  readonly #copy: LocalCopy
  readonly #hash: Hash = createHash('sha256')
  #lengthBytes = 0

  constructor(name: string, bucket: Bucket, copies: LocalCopies, copy: LocalCopy) {
    this.name = name
    this.#bucket = bucket
    this.#copies = copies
    this.#copy = copy
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      this.#hash.update(piece)
      this.#lengthBytes += piece.length
    }
    await writeAll(this.#copy.file, pieces)
  }

  async finish(): Promise<void> {
    const { path, file } = this.#copy
    await file.close()
    await this.#bucket.put(keyOf(this.name), {
      lengthBytes: this.#lengthBytes,
      sha256: this.#hash.digest('hex'),
      open: () => createReadStream(path),
    })
    await this.#copies.remove(path)
  }

  async abort(): Promise<void> {
    await this.#copy.file.close()
    await this.#copies.remove(this.#copy.path)
  }
}

/** Throws BytesMissing before the first part. */
async function* partsOf(bucket: Bucket, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, sizeBytes = 1; at < sizeBytes;) {
    const part = await bucket.part(keyOf(name), at, READ_BYTES)
    if (part === undefined) throw new BytesMissing(`The object ${name} of a message is gone`)
    if (part.bytes.length === 0) return
    yield part.bytes
    at += part.bytes.length
    sizeBytes = part.sizeBytes
  }
}
