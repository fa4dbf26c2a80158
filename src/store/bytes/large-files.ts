/** Large messages as files in folders beside the database. */
import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Db } from '../schema.ts'
import type { LargeObjects, NewObject, ObjectReader } from './large-objects.ts'
import { writeAll } from './local-copies.ts'
import { inSlices } from './release.ts'
import { BytesDamaged, BytesMissing } from './sealing.ts'
import { ShardFolders, syncFolder } from './shard-folders.ts'

export class LargeFiles implements LargeObjects {
  readonly #folder: string
  readonly #shards: ShardFolders
  readonly #db: Db

  /** `folder` is made at need. */
  constructor(folder: string, db: Db) {
    this.#folder = folder
    this.#shards = new ShardFolders(folder)
    this.#db = db
  }

  async create(name = newName()): Promise<NewObject> {
    await this.#shards.make(dirname(name))
    const path = join(this.#folder, name)
    return new NewFile(name, path, await open(path, 'wx', 0o600))
  }

  async open(name: string): Promise<ObjectReader> {
    try {
      return new FileReader(await open(join(this.#folder, name), 'r'))
    } catch (error) {
      throw new BytesMissing(`The file ${name} of a message is gone`, { cause: error })
    }
  }

  async remove(names: readonly string[]): Promise<void> {
    await Promise.allSettled(names.map((name) => rm(join(this.#folder, name), { force: true })))
  }

  async sweep(beforeMs: number): Promise<number> {
    let swept = 0
    for (const shard of await namesIn(this.#folder)) {
      const names = (await namesIn(join(this.#folder, shard))).map((name) => `${shard}/${name}`)
      for (const some of inSlices(names)) swept += await this.#sweepSome(some, beforeMs)
    }
    return swept
  }

  fileOf(name: string): Promise<string> {
    return Promise.resolve(join(this.#folder, name))
  }

  releaseFile(): Promise<void> {
    return Promise.resolve() // it is the object itself
  }

  async #sweepSome(names: readonly string[], beforeMs: number): Promise<number> {
    const old: string[] = []
    for (const name of names) {
      const found = await stat(join(this.#folder, name)).catch(() => undefined) // a spill, gone as soon as it was there
      if (found !== undefined && found.mtimeMs <= beforeMs) old.push(name)
    }
    if (old.length === 0) return 0
    const rows = await this.#db.selectFrom('bytes').select('file').where('file', 'in', old).execute()
    const known = new Set(rows.map((row) => row.file))
    const orphans = old.filter((name) => !known.has(name))
    await this.remove(orphans)
    return orphans.length
  }
}

/** Random; the first digits are the folder that it lies in. */
export function newName(): string {
  const digits = randomBytes(16).toString('hex')
  return `${digits.slice(0, 2)}/${digits}`
}

class NewFile implements NewObject {
  readonly name: string
  readonly #path: string
  readonly #handle: FileHandle

  constructor(name: string, path: string, handle: FileHandle) {
    this.name = name
    this.#path = path
    this.#handle = handle
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    await writeAll(this.#handle, pieces)
  }

  async finish(): Promise<void> {
    await this.#handle.datasync()
    await this.#handle.close()
    await syncFolder(dirname(this.#path))
  }

  async abort(): Promise<void> {
    await this.#handle.close()
    await rm(this.#path, { force: true })
  }
}

class FileReader implements ObjectReader {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async fill(buffer: Uint8Array): Promise<Uint8Array> {
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.length - filled)
      if (bytesRead === 0) throw new BytesDamaged('The file of a message is cut off')
      filled += bytesRead
    }
    return buffer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    return [] // not made yet
  }
}
