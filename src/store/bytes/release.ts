/** Bytes live as long as a queue row, a mailbox row or a quarantine row refers to them. */
import type { BytesId, Tx } from '../schema.ts'
import { preparedOfIds } from '../prepared.ts'
import { aftermathOf } from '../transaction.ts'

/** Most ids in one statement: SQLite and PostgreSQL both bound the number of parameters. */
export const IDS_PER_STATEMENT = 500

/**
 * Forgets those of `ids` that nobody refers to any more; files go after the commit. Call it in the transaction that has
 * removed a reference; ids that are still in use, or gone already, are left alone.
 */
export async function releaseBytes(tx: Tx, ids: readonly BytesId[]): Promise<number> {
  const gone = await deleteUnused(tx, [...new Set(ids)])
  aftermathOf(tx).files.push(...gone.flatMap(({ file }) => (file === null ? [] : [file])))
  return gone.length
}

const deleteUnused = preparedOfIds((db, ids: readonly BytesId[]) =>
  db
    .deleteFrom('bytes')
    .where('id', 'in', ids)
    .where(({ not, exists, selectFrom, ref }) =>
      not(exists(selectFrom('queue').select('queue.id').where('queue.bytes_id', '=', ref('bytes.id')))),
    )
    .where(({ not, exists, selectFrom, ref }) =>
      not(exists(selectFrom('mailbox').select('mailbox.id').where('mailbox.bytes_id', '=', ref('bytes.id')))),
    )
    .where(({ not, exists, selectFrom, ref }) =>
      not(exists(selectFrom('mailbox').select('mailbox.id').where('evidence_bytes_id', '=', ref('bytes.id')))),
    )
    .where(({ not, exists, selectFrom, ref }) =>
      not(exists(selectFrom('quarantine').select('quarantine.id').where('quarantine.bytes_id', '=', ref('bytes.id')))),
    )
    .returning('file'),
)

/** Cuts a list into pieces that fit into one statement. */
export function inSlices<T>(all: readonly T[]): T[][] {
  const slices: T[][] = []
  for (let at = 0; at < all.length; at += IDS_PER_STATEMENT) slices.push(all.slice(at, at + IDS_PER_STATEMENT))
  return slices
}
