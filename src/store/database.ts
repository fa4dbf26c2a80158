/** Opens the store: the database, the sealed bytes beside it, and the way to change both. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { DataKeys, type MasterKey } from './bytes/data-keys.ts'
import { MessageBytes, removeFiles } from './bytes/message-bytes.ts'
import { Changes } from './changes.ts'
import { openSqlite } from './dialect/sqlite.ts'
import type { Dialect } from './dialect/dialect.ts'
import { migrate } from './migrations/list.ts'
import type { Db, Tx } from './schema.ts'
import { type CommitCounts, Committer } from './transaction.ts'

export const DATABASE_FILE = 'sealpost.db'
export const BYTES_FOLDER = 'bytes'

export interface Store extends AsyncDisposable {
  /** For reading: the last committed state. */
  readonly db: Db
  /** For changing; see `Committer.commit`. */
  readonly commit: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>
  readonly bytes: MessageBytes
  readonly dataKeys: DataKeys
  readonly changes: Changes
  readonly commits: CommitCounts
  /** Finishes the commits that wait, then closes the database. */
  close(): Promise<void>
}

/**
 * Opens the store in folder `dir`, making folder, database and tables when they are not there yet.
 * Throws when a newer program has written the database, or when its data is sealed under another master key.
 */
export async function openStore(options: {
  readonly dir: string
  readonly masterKey: MasterKey
  readonly clock: Clock
}): Promise<Store> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 })
  const dialect = await openSqlite(join(options.dir, DATABASE_FILE))
  try {
    await migrate(dialect, options.clock.nowMs())
    return await assemble(dialect, options)
  } catch (error) {
    await dialect.close()
    throw error
  }
}

async function assemble(
  dialect: Dialect,
  { dir, masterKey, clock }: { readonly dir: string; readonly masterKey: MasterKey; readonly clock: Clock },
): Promise<Store> {
  const folder = join(dir, BYTES_FOLDER)
  const changes = new Changes(dialect)
  const committer = new Committer({
    dialect,
    removeFiles: (files) => removeFiles(folder, files),
    noted: () => changes.noted(),
  })
  const dataKeys = await DataKeys.open(dialect.reader, committer, masterKey, clock)
  const bytes = new MessageBytes({ folder, db: dialect.reader, committer, dataKeys, clock })
  const close = async (): Promise<void> => {
    await committer.close()
    await dialect.close()
  }
  return {
    db: dialect.reader,
    commit: (work) => committer.commit(work),
    bytes,
    dataKeys,
    changes,
    commits: committer.counts,
    close,
    [Symbol.asyncDispose]: close,
  }
}
