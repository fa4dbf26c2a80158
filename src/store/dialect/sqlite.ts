/** SQLite through node:sqlite: two connections, one that reads and one that writes, WAL between them. */
import { type FileHandle, open } from 'node:fs/promises'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Compilable,
  type CompiledQuery,
  Kysely,
  type QueryResult,
  SqliteDialect,
  type SqliteDatabase,
  type SqliteStatement,
} from 'kysely'
import { systemClock } from '../../base/clock.ts'
import * as events from '../../base/events.ts'
import type { Schema } from '../schema.ts'
import type { Dialect } from './dialect.ts'

/** How long a write waits for another process (the command line, a backup) before it fails. */
export const LOCK_WAIT_MAX_MS = 15_000
const LOCK_RETRY_MS = 5
/** Whoever opens or reads meets a lock only for the moment in which another process opens or closes the database. */
const READER_BUSY_MS = 5_000
/** Prepared statements kept for each connection. Lists of different lengths make statements of their own. */
const STATEMENTS_MAX = 400
/** WAL pages before they are moved into the database: the move costs fsyncs of its own, so not too often. */
const CHECKPOINT_PAGES = 4_000
const SQLITE_BUSY = 5

/** Opens, or creates with mode 0600, the database at `path`. */
export async function openSqlite(path: string): Promise<Dialect> {
  await (await open(path, 'a', 0o600)).close() // SQLite gives its WAL files the mode of the database
  const write = new Connection(path, READER_BUSY_MS)
  write.database.exec(`PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}; PRAGMA busy_timeout=0`)
  write.database.exec('PRAGMA synchronous=NORMAL') // COMMIT writes the log, `WriteAheadLog` makes it durable
  write.database.exec('PRAGMA temp_store=MEMORY') // what a savepoint would restore takes no file
  const log = new WriteAheadLog(`${path}-wal`, write)
  const read = new Connection(path, READER_BUSY_MS)
  read.database.exec('PRAGMA query_only=ON')
  const reader = new SharingKysely(read, write)
  const writer = new DirectKysely(write)
  return {
    name: 'sqlite',
    reader,
    writer,
    clock: systemClock,
    columns: { integer: 'integer', bytes: 'blob', id: (column) => column.primaryKey().autoIncrement() },
    begin: () => begin(write),
    claim: () => Promise.resolve(), // whoever writes, writes alone
    commit: async () => {
      write.run('COMMIT')
      await log.sync()
    },
    rollback: async () => {
      if (write.database.isTransaction) write.run('ROLLBACK')
    },
    savepoint: async () => write.run('SAVEPOINT work'),
    releaseSavepoint: async () => write.run('RELEASE work'),
    rollbackToSavepoint: async () => {
      write.run('ROLLBACK TO work')
      write.run('RELEASE work')
    },
    isWorthAgain: () => false, // whoever writes, writes alone
    othersMark: () => write.number('PRAGMA data_version'),
    onQueued: () => undefined,
    unlessBusy: (_name, work) => work(),
    close: async () => {
      await log.close()
      await reader.destroy()
      await writer.destroy()
    },
  }
}

/** What is compiled already takes no detour: a statement is over before anybody else can ask for the connection. */
class DirectKysely extends Kysely<Schema> {
  readonly #connection: Connection

  constructor(connection: Connection) {
    super({ dialect: new SqliteDialect({ database: connection }) })
    this.#connection = connection
  }

  override async executeQuery<Row>(query: CompiledQuery<Row> | Compilable<Row>): Promise<QueryResult<Row>> {
    if (!('sql' in query)) return super.executeQuery(query)
    const statement = this.#connection.prepare(query.sql)
    if (statement.reader) return { rows: statement.all(query.parameters) as Row[] }
    statement.run(query.parameters)
    return { rows: [] }
  }
}

/**
 * For readings that are compiled already: by the writing connection, between its transactions. It keeps the pages that it
 * has written, while the other one throws all away that it has read whenever somebody has committed.
 */
class SharingKysely extends DirectKysely {
  readonly #writer: Connection

  constructor(own: Connection, writer: Connection) {
    super(own)
    this.#writer = writer
  }

  override async executeQuery<Row>(query: CompiledQuery<Row> | Compilable<Row>): Promise<QueryResult<Row>> {
    if ('sql' in query && query.query.kind === 'SelectQueryNode' && !this.#writer.database.isTransaction) {
      try {
        return { rows: this.#writer.prepare(query.sql).all(query.parameters) as Row[] }
      } catch (error) {
        if (!isBusy(error)) throw error // it does not wait for other processes
      }
    }
    return super.executeQuery(query)
  }
}

/** Always IMMEDIATE: a deferred transaction that reads first fails with BUSY_SNAPSHOT when another process has written since. */
async function begin(connection: Connection): Promise<void> {
  const giveUpMs = performance.now() + LOCK_WAIT_MAX_MS
  for (;;) {
    try {
      connection.run('BEGIN IMMEDIATE')
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpMs) throw error
    }
    await wait(LOCK_RETRY_MS) // not SQLite's own busy handler: that would stop the whole process
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY
}

/**
 * The write-ahead log, made durable beside the event loop: what SQLite would do inside of COMMIT (`synchronous=FULL`) while
 * everything stands still.
 */
class WriteAheadLog {
  readonly #path: string
  readonly #writer: Connection
  #handle: FileHandle | undefined
  /** Why a sync failed: a log that could not be synced once is not believed when the next try seems to work. */
  #doubt: unknown

  constructor(path: string, writer: Connection) {
    this.#path = path
    this.#writer = writer
  }

  /**
   * Resolves when all that was committed is durable; if need be by another way, for it cannot be taken back any more: what
   * the log holds goes into the database file, and a new log begins. Rejects when that does not succeed either in time.
   */
  async sync(): Promise<void> {
    try {
      if (this.#doubt === undefined) {
        this.#handle ??= await open(this.#path, 'r')
        return await this.#handle.datasync()
      }
    } catch (error) {
      this.#doubt = error
      events.trouble({ during: 'making the log of the database durable', error })
    }
    await this.#beginAnew()
    this.#doubt = undefined
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  async #beginAnew(): Promise<void> {
    const giveUpMs = performance.now() + LOCK_WAIT_MAX_MS
    for (;;) {
      try {
        // a log that seems to be longer than it is would be played over the database after a power cut
        if (this.#writer.number('PRAGMA wal_checkpoint(TRUNCATE)') === 0) return await this.#handle?.sync()
      } catch (error) {
        this.#doubt = error
      }
      if (performance.now() > giveUpMs) throw this.#doubt
      await wait(LOCK_RETRY_MS)
    }
  }
}

/** A database handle that keeps its prepared statements, in the shape that kysely asks for. */
class Connection implements SqliteDatabase {
  readonly database: DatabaseSync
  readonly #statements = new Map<string, CachedStatement>()

  constructor(path: string, busyMs: number) {
    this.database = new DatabaseSync(path, { timeout: busyMs, enableForeignKeyConstraints: true })
    this.database.exec('PRAGMA synchronous=FULL')
  }

  prepare(sql: string): CachedStatement {
    const known = this.#statements.get(sql)
    this.#statements.delete(sql)
    if (this.#statements.size >= STATEMENTS_MAX) {
      const oldest = this.#statements.keys().next()
      if (!oldest.done) this.#statements.delete(oldest.value)
    }
    const statement = known ?? new CachedStatement(this.database.prepare(sql))
    this.#statements.set(sql, statement)
    return statement
  }

  run(sql: string): void {
    this.prepare(sql).run([])
  }

  number(sql: string): number {
    const row = this.prepare(sql).all([])[0] as Record<string, number>
    return Object.values(row)[0] as number
  }

  close(): void {
    this.#statements.clear()
    this.database.close()
  }
}

class CachedStatement implements SqliteStatement {
  readonly reader: boolean
  readonly #statement: StatementSync

  constructor(statement: StatementSync) {
    this.#statement = statement
    this.reader = statement.columns().length > 0
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...(parameters as SQLInputValue[]))
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.#statement.run(...(parameters as SQLInputValue[]))
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...(parameters as SQLInputValue[]))
  }
}
