/** Large messages in the database, in pieces: every node reads them. Each piece is durable when its insert has returned. */
import { Buffer } from 'node:buffer'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { newName } from '../bytes/large-files.ts'
import type { LargeObjects, NewObject, ObjectReader } from '../bytes/large-objects.ts'
import { BytesDamaged, BytesMissing } from '../bytes/sealing.ts'

/** Of ciphertext in one row: what one statement carries. */
const PIECE_BYTES = 512 * 1024
/** Nothing reads a copy for so long. */
const COPY_MAX_MS = 6 * 60 * 60_000
const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

export class PostgresObjects implements LargeObjects {
  readonly #pool: Pool
  readonly #folder: string

  /** `folder`: of files that are needed for a moment; made at need. */
  constructor(pool: Pool, folder: string) {
    this.#pool = pool
    this.#folder = folder
  }

  create(name = newName()): Promise<NewObject> {
    return Promise.resolve(new NewPieces(this.#pool, name))
  }

  async open(name: string): Promise<ObjectReader> {
    const pieces = piecesOf(this.#pool, name)
    const first = await pieces.next()
    if (first.done === true) throw new BytesMissing(`The bytes ${name} of a message are gone`)
    return new PieceReader(first.value, pieces)
  }

  /** A row that speaks of it keeps it: whoever removes it may not know that a commit has succeeded after all. */
  async remove(names: readonly string[]): Promise<void> {
    try {
      await this.#pool.query(
        'DELETE FROM pieces WHERE object = ANY($1) AND NOT EXISTS (SELECT 1 FROM bytes WHERE bytes.file = pieces.object)',
        [names],
      )
    } catch {
      // the sweep will find them
    }
  }

  async sweep(beforeMs: number): Promise<number> {
    const { rows } = await this.#pool.query<{ number: number }>(
      `DELETE FROM pieces WHERE created_ms <= $1 AND NOT EXISTS (SELECT 1 FROM bytes WHERE bytes.file = pieces.object)
        RETURNING number`,
      [beforeMs],
    )
    return rows.filter(({ number }) => number === 0).length
  }

  async fileOf(name: string): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const path = join(this.#folder, `${newName().slice(3)}.copy`)
    await using file = await open(path, 'wx', 0o600)
    for await (const piece of piecesOf(this.#pool, name)) await file.writeFile(piece)
    return path
  }

  async releaseFile(path: string): Promise<void> {
    await rm(path, { force: true })
  }

  /** Copies that a crash of this node has left, at its start. */
  async sweepFiles(): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, name)
      const found = await stat(path).catch(() => undefined)
      if (found?.isFile() === true && found.mtimeMs <= Date.now() - COPY_MAX_MS) await rm(path, { force: true })
    }
  }
}

class NewPieces implements NewObject {
  readonly name: string
  readonly #pool: Pool
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #written = 0

  constructor(pool: Pool, name: string) {
    this.#pool = pool
    this.name = name
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      this.#waiting.push(piece)
      this.#waitingBytes += piece.length
    }
    if (this.#waitingBytes >= PIECE_BYTES) await this.#flush()
  }

  async finish(): Promise<void> {
    if (this.#waitingBytes > 0) await this.#flush()
  }

  async abort(): Promise<void> {
    this.#waiting = []
    if (this.#written === 0) return
    await this.#pool.query('DELETE FROM pieces WHERE object = $1', [this.name]).catch(() => undefined)
  }

  async #flush(): Promise<void> {
    const sealed = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    await this.#pool.query({
      name: 'add-piece',
      text: `INSERT INTO pieces (object, number, created_ms, sealed) VALUES ($1, $2, ${NOW_MS}, $3)`,
      values: [this.name, this.#written++, sealed],
    })
  }
}

async function* piecesOf(pool: Pool, object: string): AsyncGenerator<Uint8Array, void, undefined> {
  for (let number = 0; ; number++) {
    const { rows } = await pool.query<{ sealed: Uint8Array }>({
      name: 'read-piece',
      text: 'SELECT sealed FROM pieces WHERE object = $1 AND number = $2',
      values: [object, number],
    })
    if (rows[0] === undefined) return
    yield rows[0].sealed
  }
}

class PieceReader implements ObjectReader {
  #piece: Uint8Array
  readonly #more: AsyncGenerator<Uint8Array, void, undefined>

  constructor(first: Uint8Array, more: AsyncGenerator<Uint8Array, void, undefined>) {
    this.#piece = first
    this.#more = more
  }

  async fill(buffer: Uint8Array): Promise<Uint8Array> {
    for (let filled = 0; filled < buffer.length;) {
      if (this.#piece.length === 0) this.#piece = await this.#next()
      const some = this.#piece.subarray(0, buffer.length - filled)
      buffer.set(some, filled)
      filled += some.length
      this.#piece = this.#piece.subarray(some.length)
    }
    return buffer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#more.return()
  }

  async #next(): Promise<Uint8Array> {
    const { value } = await this.#more.next()
    if (value === undefined) throw new BytesDamaged('The bytes of a message are cut off')
    return value
  }
}
