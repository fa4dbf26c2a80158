/** What a copy from SQLite into PostgreSQL has to know of both. */
import { sql } from 'kysely'
import type { Db, Schema, Tx } from '../schema.ts'

/** Ids that `to` gives from now on follow the last one that `from` has ever given. */
export async function continueIds(from: Db, to: Tx, tables: readonly (keyof Schema)[]): Promise<void> {
  const { rows } = await sql<{ name: string; seq: number }>`select name, seq from sqlite_sequence`.execute(from)
  const last = new Map(rows.map(({ name, seq }) => [name, seq]))
  for (const table of tables) {
    const seq = last.get(table)
    if (seq !== undefined) await sql`select setval(pg_get_serial_sequence(${table}, 'id'), ${seq})`.execute(to)
  }
}
