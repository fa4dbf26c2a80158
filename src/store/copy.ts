/**
 * Copies a store from SQLite into an empty PostgreSQL, table by table in the order of ids, so that a copy that was broken off
 * goes on where it was; and compares all of it at the end.
 */
import { createHash, type Hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Buffer } from 'node:buffer'
import type { Clock } from '../base/clock.ts'
import { audit } from './audit.ts'
import type { LargeObjects } from './bytes/large-objects.ts'
import type { Dialect } from './dialect/dialect.ts'
import { continueIds } from './dialect/postgres-ids.ts'
import { toParameter } from './dialect/postgres-settings.ts'
import { endLeases } from './leases.ts'
import type { Db, Schema, Tx } from './schema.ts'

/** In an order in which what a row refers to comes before it. */
const TABLES = [
  'data_keys',
  'accounts',
  'account_entries',
  'bytes',
  'queue',
  'mailbox',
  'quarantine',
  'certificates',
  'abilities',
  'dkim_keys',
  'tls_results',
  'private_keys',
  'confidential_mails',
  'trace',
  'audit',
] as const satisfies readonly (keyof Schema)[]
/** Without ids, and few: in one go. */
const SMALL_TABLES = ['anchors'] as const satisfies readonly (keyof Schema)[]
/** Counters for caches, what can be fetched again, what each database has of its own. */
export const NOT_COPIED: readonly (keyof Schema)[] = ['changes', 'validation_data', 'schema_version', 'pieces']
export const COPIED: readonly (keyof Schema)[] = [...TABLES, ...SMALL_TABLES]

/** Rows in one transaction; of messages fewer, for each brings up to 64 kB. */
const ROWS_AT_ONCE = 500
const MESSAGES_AT_ONCE = 50
const OBJECT_BYTES_AT_ONCE = 2 ** 18
const OPERATION = 'store copy'
const NO_NEWS = { noted: false, queued: false }

type Row = Readonly<Record<string, unknown>>

export interface StoreCopy {
  readonly from: { readonly dialect: Dialect; readonly objects: LargeObjects }
  readonly to: { readonly dialect: Dialect; readonly objects: LargeObjects }
  readonly clock: Clock
  readonly actor: string
  readonly progress: (what: string, share: number) => void
}

/** The copy cannot be made, or is not what was copied; the message says why. */
export class CopyRefused extends Error {
  override readonly name = 'CopyRefused'
}

/** Rows of each table. Nobody can write to the source meanwhile. Throws CopyRefused. */
export async function copyInto(copy: StoreCopy): Promise<Readonly<Record<string, number>>> {
  const { from, to } = copy
  await from.dialect.begin()
  try {
    await refuseForeign(from.dialect.reader, to.dialect.reader)
    for (const table of TABLES) await copyTable(copy, table)
    for (const table of SMALL_TABLES) await copySmall(copy, table)
    const rows: Record<string, number> = {}
    for (const table of COPIED) rows[table] = await compare(copy, table)
    await finish(copy)
    return rows
  } finally {
    await from.dialect.rollback()
  }
}

/** A target that holds anything but the beginning of this copy is left alone. */
async function refuseForeign(from: Db, to: Db): Promise<void> {
  const first = (db: Db) => db.selectFrom('data_keys').select('wrapped').orderBy('id').limit(1).executeTakeFirst()
  const [ours, theirs] = [await first(from), await first(to)]
  if (theirs !== undefined && Buffer.compare(theirs.wrapped, ours?.wrapped ?? Buffer.of()) !== 0)
    throw new CopyRefused('The database to copy to is in use; give an empty one')
  const done = await to.selectFrom('audit').select('id').where('operation', '=', OPERATION).executeTakeFirst()
  if (done !== undefined) throw new CopyRefused('The copy is finished already; set store.url to use it')
}

async function copyTable(copy: StoreCopy, table: (typeof TABLES)[number]): Promise<void> {
  const { from, to, progress } = copy
  const [last, all] = [await lastId(to.dialect.reader, table), await lastId(from.dialect.reader, table)]
  for (let after = last; ;) {
    const rows = await rowsAfter(from.dialect.reader, table, after)
    if (table === 'bytes') for (const row of rows) await copyObject(copy, row)
    if (rows.length > 0) await insert(to.dialect, table, rows)
    after = Number(rows.at(-1)?.['id'] ?? after)
    progress(table, all === 0 ? 1 : after / all)
    if (rows.length < limitOf(table)) return
  }
}

async function copySmall({ from, to }: StoreCopy, table: (typeof SMALL_TABLES)[number]): Promise<void> {
  const there = await to.dialect.reader.selectFrom(table).select('fingerprint').limit(1).execute()
  const rows = await from.dialect.reader.selectFrom(table).selectAll().execute()
  if (there.length === 0 && rows.length > 0) await insert(to.dialect, table, rows)
}

/** What an interrupted copy has left of it has no row yet, and is written anew. */
async function copyObject({ from, to }: StoreCopy, row: Row): Promise<void> {
  const name = row['file']
  if (typeof name !== 'string') return
  await to.objects.remove([name])
  const object = await to.objects.create(name)
  try {
    for await (const chunk of chunksOf(from.objects, name)) await object.write([chunk])
    await object.finish()
  } catch (error) {
    await object.abort()
    throw error
  }
}

async function* chunksOf(objects: LargeObjects, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  const path = await objects.fileOf(name)
  try {
    await using file = await open(path, 'r')
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(OBJECT_BYTES_AT_ONCE))
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await objects.releaseFile(path)
  }
}

async function insert({ begin, writer, commit, rollback }: Dialect, table: keyof Schema, rows: readonly Row[]) {
  await begin()
  try {
    await writer
      .insertInto(table as 'trace')
      .values(rows as never)
      .execute()
    await commit(NO_NEWS)
  } catch (error) {
    await rollback()
    throw error
  }
}

/** How many rows there are. Throws CopyRefused when they are not the same on both sides, large messages included. */
async function compare(copy: StoreCopy, table: keyof Schema): Promise<number> {
  const [ours, theirs] = [await digestOf(copy.from, table), await digestOf(copy.to, table)]
  copy.progress(`comparing ${table}`, 1)
  if (ours.digest !== theirs.digest)
    throw new CopyRefused(
      `${table} is not the same in both: ${ours.rows} rows here, ${theirs.rows} there. The source has changed since a copy was broken off: begin again with an empty database`,
    )
  return ours.rows
}

async function digestOf(
  { dialect, objects }: StoreCopy['from'],
  table: keyof Schema,
): Promise<{ readonly rows: number; readonly digest: string }> {
  const hash = createHash('sha256')
  let count = 0
  for await (const row of allRows(dialect.reader, table)) {
    count++
    hashRow(hash, row)
    if (table !== 'bytes' || typeof row['file'] !== 'string') continue
    for await (const chunk of chunksOf(objects, row['file'])) hash.update(chunk)
  }
  return { rows: count, digest: hash.digest('hex') }
}

function hashRow(hash: Hash, row: Row): void {
  for (const column of Object.keys(row).toSorted()) {
    const value = toParameter(row[column])
    hash.update(`${column}=`)
    hash.update(value instanceof Uint8Array ? value : JSON.stringify(value))
    hash.update('\n')
  }
}

async function* allRows(db: Db, table: keyof Schema): AsyncGenerator<Row, void, undefined> {
  if ((SMALL_TABLES as readonly string[]).includes(table)) {
    const rows = await db.selectFrom('anchors').selectAll().execute()
    return yield* rows.toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1)) as unknown as Row[]
  }
  for (let after = 0; ;) {
    const rows = await rowsAfter(db, table, after)
    yield* rows
    after = Number(rows.at(-1)?.['id'])
    if (rows.length < limitOf(table)) return
  }
}

const limitOf = (table: keyof Schema): number => (table === 'bytes' ? MESSAGES_AT_ONCE : ROWS_AT_ONCE)

async function rowsAfter(db: Db, table: keyof Schema, after: number): Promise<readonly Row[]> {
  const query = db
    .selectFrom(table as 'trace')
    .selectAll()
    .where('id', '>', after)
    .orderBy('id')
  return query.limit(limitOf(table)).execute()
}

async function lastId(db: Db, table: keyof Schema): Promise<number> {
  const row = await db
    .selectFrom(table as 'trace')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id ?? 0
}

/** New ids go on behind the old ones, also behind those of rows that are gone; nobody has anything in hand. */
async function finish({ from, to, clock, actor }: StoreCopy): Promise<void> {
  const { begin, writer, commit, rollback } = to.dialect
  await begin()
  try {
    const tx = writer as Tx
    await continueIds(from.dialect.reader, tx, TABLES)
    await endLeases(tx)
    await audit(tx, { nowMs: clock.nowMs(), actor, operation: OPERATION, subject: 'sqlite', detail: 'compared' })
    await commit(NO_NEWS)
  } catch (error) {
    await rollback()
    throw error
  }
}
