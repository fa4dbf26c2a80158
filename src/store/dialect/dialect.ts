/** What differs between databases, as one interface. Everything outside this folder is the same for each of them. */
import { type ColumnDataType, type ColumnDefinitionBuilder, PostgresAdapter } from 'kysely'
import type { Clock } from '../../base/clock.ts'
import type { LargeObjects } from '../bytes/large-objects.ts'
import type { Db } from '../schema.ts'

export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** Sees the last committed state; refuses to write. */
  readonly reader: Db
  /** The one connection that writes; only transaction.ts uses it, between `begin` and `commit`. */
  readonly writer: Db
  readonly columns: ColumnTypes
  /** What all who share the database go by. */
  readonly clock: Clock
  /** Where messages lie that are too large for a row; missing: in files beside the database. */
  readonly largeObjects?: LargeObjects
  /** Takes the write lock, waiting for other processes without blocking this one. Throws when it cannot be had in time. */
  begin(): Promise<void>
  /** Waits until no other transaction has claimed `name`; until its end nobody else gets it. Throws when it cannot be had in time. */
  claim(name: string): Promise<void>
  /** Returns when the transaction is durable. Throws NotWritten when nothing of it is, and something else when nobody knows. */
  commit(news: News): Promise<void>
  /** Does nothing when there is no transaction (any more). */
  rollback(): Promise<void>
  savepoint(): Promise<void>
  /** Throws when anything that was done since `savepoint` is wrong. */
  releaseSavepoint(): Promise<void>
  /** Undoes what was done since `savepoint`. Throws when the database has already given up the whole transaction. */
  rollbackToSavepoint(): Promise<void>
  /** The work failed because somebody else did the like at the same moment: it may succeed when it is done again. */
  isWorthAgain(error: unknown): boolean
  /** A number that differs from the last one when anybody but `writer` may have committed meanwhile. Costs microseconds. */
  othersMark(): number
  /** Calls `listener` when others have queued mail that is for whoever comes first. It may come late, or not at all. */
  onQueued(listener: () => void): void
  /** Runs `work` unless somebody else who shares the database is in the middle of what goes by the same name. */
  unlessBusy(name: string, work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** A statement was wrong, and the database has undone the transaction. */
export class NotWritten extends Error {}

/** What others who share the database are told of a transaction. */
export interface News {
  /** Something that is cached in memory has changed. */
  readonly noted: boolean
  /** There is mail in the queue that nobody has leased. */
  readonly queued: boolean
}

/** Column types for the migrations. */
export interface ColumnTypes {
  /** Whole numbers up to 2^53: times, sizes, ids. */
  readonly integer: ColumnDataType
  readonly bytes: ColumnDataType
  /** Makes a primary key that counts up and never gives a number twice, even after deletion. */
  readonly id: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
}

/** Whether several transactions write at once, so that a row that was read to be changed has to be locked. */
export const hasManyWriters = (db: Db): boolean => db.getExecutor().adapter instanceof PostgresAdapter
