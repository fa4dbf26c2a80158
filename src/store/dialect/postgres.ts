/** PostgreSQL through pg: a connection that writes, a pool that reads, and one that listens to what other nodes have done. */
import { DatabaseError, Pool, type PoolConfig } from 'pg'
import * as events from '../../base/events.ts'
import { LocalCopies } from '../bytes/local-copies.ts'
import type { Dialect } from './dialect.ts'
import { setLateWriter } from './late-writer.ts'
import { PostgresKysely } from './postgres-kysely.ts'
import { PostgresObjects } from './postgres-objects.ts'
import { NOT_CONNECTED, type PostgresSettings, postgresSettings, toParameter } from './postgres-settings.ts'
import { PostgresWatch } from './postgres-watch.ts'
import { PostgresWriter } from './postgres-writer.ts'

/** Connections of one node that read; one more each writes and listens. */
const READERS_MAX = 8
/** Of those that write large messages, piece by piece. */
const PIECE_WRITERS_MAX = 4
/** SQLSTATE of what comes of two transactions meeting each other: serialization, deadlock, lock not had, unique key. */
const WORTH_AGAIN = new Set(['40001', '40P01', '55P03', '23505'])

/**
 * Opens the database at `url`; `folder` is for files that are needed for a moment. Throws when it cannot be reached. `patient`:
 * no statement is given up, however long it takes.
 */
export async function openPostgres(url: string, folder: string, { patient = false } = {}): Promise<Dialect> {
  const settings = postgresSettings(url, { patient })
  const readers = poolOf({ ...settings, max: READERS_MAX, options: '-c default_transaction_read_only=on' })
  const pieceWriters = poolOf({ ...settings, max: PIECE_WRITERS_MAX })
  const watch = new PostgresWatch(settings)
  await watch.start()
  const writer = new PostgresWriter(settings)
  const writing = new PostgresKysely((sql, parameters, name) => writer.query(sql, parameters, name))
  setLateWriter(writing, writer)
  const copies = new LocalCopies(folder)
  await copies.sweep()
  const largeObjects = new PostgresObjects(pieceWriters, copies)
  return {
    name: 'postgres',
    reader: new PostgresKysely((sql, parameters, name) => readFrom(readers, sql, parameters, name)),
    writer: writing,
    clock: watch,
    columns: {
      integer: 'bigint',
      bytes: 'bytea',
      id: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
    },
    largeObjects,
    begin: () => writer.begin(),
    async claim(name) {
      await writer.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`sealpost ${name}`])
    },
    commit: (news) => writer.commit(news),
    rollback: () => writer.rollback(),
    savepoint: async () => writer.savepoint(),
    releaseSavepoint: () => writer.releaseSavepoint(),
    rollbackToSavepoint: () => writer.rollbackToSavepoint(),
    isWorthAgain: (error) => error instanceof DatabaseError && WORTH_AGAIN.has(error.code ?? ''),
    othersMark: () => watch.othersMark(),
    onQueued: (listener) => watch.onQueued(listener),
    unlessBusy: (name, work) => watch.unlessBusy(name, work),
    async close() {
      await Promise.all([writer.close(), readers.end(), pieceWriters.end(), watch.close()])
    },
  }
}

function poolOf(config: PostgresSettings & Pick<PoolConfig, 'max' | 'options'>): Pool {
  const pool = new Pool(config)
  pool.on('error', (error) => events.trouble({ during: NOT_CONNECTED, error }))
  return pool
}

async function readFrom(
  pool: Pool,
  text: string,
  parameters: readonly unknown[],
  name: string | undefined,
): Promise<Record<string, unknown>[]> {
  const query = { text, values: parameters.map(toParameter), ...(name !== undefined && { name }) }
  const { rows } = await pool.query<Record<string, unknown>>(query)
  return rows
}
