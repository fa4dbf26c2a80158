/** What differs between databases, as one interface. Everything outside this folder is the same for each of them. */
import type { ColumnDataType, ColumnDefinitionBuilder } from 'kysely'
import type { Db } from '../schema.ts'

export interface Dialect {
  readonly name: 'sqlite'
  /** Sees the last committed state; refuses to write. */
  readonly reader: Db
  /** The one connection that writes; only transaction.ts uses it, between `begin` and `commit`. */
  readonly writer: Db
  readonly columns: ColumnTypes
  /** Takes the write lock, waiting for other processes without blocking this one. Throws when it cannot be had in time. */
  begin(): Promise<void>
  /** Returns when the transaction is durable. */
  commit(): Promise<void>
  rollback(): Promise<void>
  savepoint(): Promise<void>
  releaseSavepoint(): Promise<void>
  /** Undoes what was done since `savepoint`. Throws when the database has already given up the whole transaction. */
  rollbackToSavepoint(): Promise<void>
  /** A number that differs from the last one when anybody but `writer` has committed meanwhile. Costs microseconds. */
  othersMark(): number
  close(): Promise<void>
}

/** Column types for the migrations. */
export interface ColumnTypes {
  /** Whole numbers up to 2^53: times, sizes, ids. */
  readonly integer: ColumnDataType
  readonly bytes: ColumnDataType
  /** Makes a primary key that counts up and never gives a number twice, even after deletion. */
  readonly id: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
}
