/** One state of the database, held while others go on writing, and copied from there. */
import { open } from 'node:fs/promises'
import { DatabaseSync, backup } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/** Copied in one go, between two reports of progress. */
const PAGES_AT_ONCE = 2_000
const BUSY_MS = 5_000

export class Snapshot implements Disposable {
  readonly #database: DatabaseSync

  /** The state that is committed now, of the database at `path`. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
    this.#database.exec('BEGIN')
    this.#database.prepare('SELECT count(*) FROM sqlite_schema').get() // the transaction begins with the first read
  }

  /** `path`: a file that does not exist yet. It is durable when this resolves. `share` is 0 … 1. */
  async copyTo(path: string, progress: (share: number) => void): Promise<void> {
    await (await open(path, 'wx', 0o600)).close()
    await backup(this.#database, path, {
      rate: PAGES_AT_ONCE,
      progress: ({ totalPages, remainingPages }) => progress(1 - remainingPages / Math.max(1, totalPages)),
    })
    await using file = await open(path, 'r+')
    await file.sync()
  }

  /** Why it is damaged, if it is; indexes are not compared with their tables, which would take much longer. */
  damage(): string | undefined {
    return firstFault(this.#database.prepare('PRAGMA quick_check(1)').all())
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

/** Why the database at `path` is damaged, if it is. Nobody may be writing to it; it may be on a medium that cannot be written. */
export function damageOf(path: string): string | undefined {
  const immutable = pathToFileURL(path)
  immutable.searchParams.set('immutable', '1')
  using database = new DatabaseSync(immutable, { readOnly: true })
  return firstFault(database.prepare('PRAGMA integrity_check(1)').all())
}

function firstFault([row]: readonly Record<string, unknown>[]): string | undefined {
  const said = String(Object.values(row ?? {})[0])
  return said === 'ok' ? undefined : said
}
