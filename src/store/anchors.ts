/** The rows of the trust anchors. */
import type { StandardName } from '../protection/standard.ts'
import { noteChange } from './changes.ts'
import type { Db, Tx } from './schema.ts'

export interface AnchorRow {
  readonly fingerprint: string
  readonly standard: StandardName
  readonly encoded: Uint8Array
  /** `own` (the authority of one of our domains) or `admin`. */
  readonly source: string
  readonly addedMs: number
}

/** False when it is there already. */
export async function addAnchorRow(tx: Tx, anchor: AnchorRow): Promise<boolean> {
  const { addedMs, ...rest } = anchor
  const row = await tx
    .insertInto('anchors')
    .values({ ...rest, added_ms: addedMs })
    .onConflict((conflict) => conflict.column('fingerprint').doNothing())
    .returning('fingerprint')
    .executeTakeFirst()
  if (row !== undefined) await noteChange(tx, 'anchors')
  return row !== undefined
}

/** Oldest first. */
export async function listAnchorRows(db: Db): Promise<readonly AnchorRow[]> {
  const rows = await db.selectFrom('anchors').selectAll().orderBy('added_ms').orderBy('fingerprint').execute()
  return rows.map(({ added_ms, ...rest }) => ({ ...rest, addedMs: added_ms }))
}

/** False when there was none. */
export async function removeAnchorRow(tx: Tx, fingerprint: string): Promise<boolean> {
  const row = await tx
    .deleteFrom('anchors')
    .where('fingerprint', '=', fingerprint)
    .returning('fingerprint')
    .executeTakeFirst()
  if (row !== undefined) await noteChange(tx, 'anchors')
  return row !== undefined
}
