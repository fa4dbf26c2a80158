/** Large messages in the database, in pieces: every node reads them. Each piece is durable when its insert has returned. */
import { Buffer } from 'node:buffer'
import type { Pool } from 'pg'
import { ChunkReader } from '../bytes/chunk-reader.ts'
import { newName } from '../bytes/large-files.ts'
import type { LargeObjects, NewObject, ObjectReader } from '../bytes/large-objects.ts'
import type { LocalCopies } from '../bytes/local-copies.ts'
import { BytesMissing } from '../bytes/sealing.ts'

/** Of ciphertext in one row: what one statement carries. */
const PIECE_BYTES = 512 * 1024
const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

export class PostgresObjects implements LargeObjects {
  readonly #pool: Pool
  readonly #copies: LocalCopies

  constructor(pool: Pool, copies: LocalCopies) {
    this.#pool = pool
    this.#copies = copies
  }

  create(name = newName()): Promise<NewObject> {
    return Promise.resolve(new NewPieces(this.#pool, name))
  }

  async open(name: string): Promise<ObjectReader> {
    const pieces = piecesOf(this.#pool, name)
    const first = await pieces.next()
    if (first.done === true) throw new BytesMissing(`The bytes ${name} of a message are gone`)
    return new ChunkReader(first.value, pieces)
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

  fileOf(name: string): Promise<string> {
    return this.#copies.take(piecesOf(this.#pool, name))
  }

  releaseFile(path: string): Promise<void> {
    return this.#copies.remove(path)
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
