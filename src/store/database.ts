/** Opens the store: the database, the sealed bytes beside it, and the way to change both. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Bucket } from './bucket/bucket.ts'
import { BucketObjects } from './bucket/bucket-objects.ts'
import { LargeByPlace } from './bucket/by-place.ts'
import type { BucketSettings } from './bucket/s3-request.ts'
import { DataKeys, type MasterKey } from './bytes/data-keys.ts'
import { LargeFiles } from './bytes/large-files.ts'
import type { LargeObjects } from './bytes/large-objects.ts'
import { LocalCopies } from './bytes/local-copies.ts'
import { MessageBytes } from './bytes/message-bytes.ts'
import { Changes } from './changes.ts'
import type { StoreCopy } from './copy.ts'
import { openSqlite } from './dialect/sqlite.ts'
import type { Dialect } from './dialect/dialect.ts'
import { migrate, type Migrated, refuseOtherVersion } from './migrations/list.ts'
import { nodeName } from './node-name.ts'
import type { Db, Tx } from './schema.ts'
import { type CommitCounts, Committer } from './transaction.ts'

export const DATABASE_FILE = 'sealpost.db'
export const BYTES_FOLDER = 'bytes'
/** A database in the folder of the store. */
export const SQLITE_URL = 'sqlite:'

export interface Store extends AsyncDisposable {
  /** For reading: the last committed state. */
  readonly db: Db
  /** For changing; see `Committer.commit`. */
  readonly commit: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>
  readonly bytes: MessageBytes
  readonly dataKeys: DataKeys
  readonly changes: Changes
  readonly commits: CommitCounts
  readonly clock: Clock
  /** What this node goes by. */
  readonly node: string
  /** Several nodes may work on it at once. */
  readonly isShared: boolean
  /** Where new large messages lie, if not in the database or beside it. */
  readonly bucket: Pick<Bucket, 'reach' | 'tryOut'> | undefined
  /** Calls `listener` when another node has queued mail that is for whoever comes first. */
  onQueued(listener: () => void): void
  /** Runs `work` unless another node is in the middle of what goes by the same name. */
  unlessBusy(name: string, work: () => Promise<void>): Promise<void>
  /** Finishes the commits that wait, then closes the database. */
  close(): Promise<void>
}

export interface StoreOptions {
  /** Of what lies in files: the database, unless it is a server, and large messages. Made at need. */
  readonly dir: string
  /** `sqlite:` is a database in `dir`; or `postgres://…`. */
  readonly url?: string
  /** For large messages; missing: they lie in the database, or in files beside it. */
  readonly bucket?: BucketSettings | undefined
  readonly masterKey: MasterKey
  /** Missing: the one that all who share the database go by. */
  readonly clock?: Clock
  /** On a server, which others may be using: bring the tables to this program's version. Elsewhere that is always done. */
  readonly migrate?: boolean
}

/**
 * Opens the store, making folder, database and tables when they are not there yet. Throws when the database is of another
 * version than this program can work with, or when its data is sealed under another master key.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const dialect = await openDialect(options)
  try {
    const clock = options.clock ?? dialect.clock
    if (dialect.name === 'sqlite' || options.migrate === true) await migrate(dialect, clock.nowMs())
    else await refuseOtherVersion(dialect)
    return await assemble(dialect, { ...options, clock })
  } catch (error) {
    await dialect.close()
    throw error
  }
}

/** Brings the tables to this program's version, making them at need. Throws when a newer program has been there. */
export async function migrateStore(options: Pick<StoreOptions, 'dir' | 'url'>): Promise<Migrated> {
  const dialect = await openDialect({ ...options, migrate: true })
  try {
    return await migrate(dialect, dialect.clock.nowMs())
  } finally {
    await dialect.close()
  }
}

/**
 * Copies the SQLite store in `dir` into the PostgreSQL database at `to`; see copy.ts. The number of rows by table. Throws
 * CopyRefused.
 */
export async function copyStoreTo(
  to: string,
  { dir, ...how }: Pick<StoreOptions, 'dir'> & Pick<StoreCopy, 'actor' | 'progress'>,
): Promise<Readonly<Record<string, number>>> {
  const { copyInto, CopyRefused } = await import('./copy.ts')
  if (!isPostgresUrl(to)) throw new CopyRefused('A store is copied to PostgreSQL: postgres://user@host/database')
  const source = await openDialect({ dir })
  try {
    const target = await openDialect({ dir, url: to, migrate: true })
    try {
      for (const dialect of [source, target]) await migrate(dialect, dialect.clock.nowMs())
      const side = (dialect: Dialect): StoreCopy['from'] => ({ dialect, objects: largeObjectsOf(dialect, dir) })
      return await copyInto({ from: side(source), to: side(target), clock: target.clock, ...how })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

const largeObjectsOf = (dialect: Dialect, dir: string): LargeObjects =>
  dialect.largeObjects ?? new LargeFiles(join(dir, BYTES_FOLDER), dialect.reader)

async function openDialect({
  dir,
  url = SQLITE_URL,
  migrate: patient = false,
}: Pick<StoreOptions, 'dir' | 'url' | 'migrate'>): Promise<Dialect> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (!isPostgresUrl(url)) return openSqlite(join(dir, DATABASE_FILE))
  const { openPostgres } = await import('./dialect/postgres.ts')
  return openPostgres(url, join(dir, BYTES_FOLDER), { patient })
}

const isPostgresUrl = (url: string): boolean => /^postgres(?:ql)?:\/\//.test(url)

/** The bucket, when there is one, and what lies in it or elsewhere. */
async function placesOf(
  dialect: Dialect,
  { dir, bucket: settings }: Pick<StoreOptions, 'dir' | 'bucket'>,
): Promise<{ readonly bucket: Bucket | undefined; readonly largeObjects: LargeObjects }> {
  const copies = new LocalCopies(join(dir, BYTES_FOLDER))
  const elsewhere = largeObjectsOf(dialect, dir)
  if (settings === undefined) return { bucket: undefined, largeObjects: new LargeByPlace(elsewhere, undefined, copies) }
  const { Bucket } = await import('./bucket/bucket.ts')
  const bucket = new Bucket(settings)
  const objects = new BucketObjects(bucket, copies, dialect.reader)
  return { bucket, largeObjects: new LargeByPlace(elsewhere, objects, copies) }
}

async function assemble(
  dialect: Dialect,
  options: Pick<StoreOptions, 'dir' | 'masterKey' | 'bucket'> & { readonly clock: Clock },
): Promise<Store> {
  const { dir, masterKey, clock } = options
  const changes = new Changes(dialect)
  const { bucket, largeObjects } = await placesOf(dialect, options)
  const committer = new Committer({
    dialect,
    removeFiles: (files) => largeObjects.remove(files),
    noted: () => changes.noted(),
  })
  const dataKeys = await DataKeys.open(dialect.reader, committer, masterKey, clock)
  const bytes = new MessageBytes({ largeObjects, db: dialect.reader, committer, dataKeys, clock })
  const close = async (): Promise<void> => {
    await committer.close()
    await dialect.close()
    bucket?.close()
  }
  return {
    db: dialect.reader,
    clock,
    commit: (work) => committer.commit(work),
    bytes,
    dataKeys,
    changes,
    commits: committer.counts,
    node: await nodeName(dir),
    isShared: dialect.name !== 'sqlite',
    bucket,
    onQueued: (listener) => dialect.onQueued(listener),
    unlessBusy: (name, work) => dialect.unlessBusy(name, work),
    close,
    [Symbol.asyncDispose]: close,
  }
}
