/** The rows of our domains' DKIM keys. They are sealed; only keys/dkim-keys.ts opens them. */
import type { Selectable } from 'kysely'
import type { Domain } from '../message/address.ts'
import { noteChange } from './changes.ts'
import type { Db, DkimKeysTable, Tx } from './schema.ts'

export interface DkimKeyRow {
  readonly domain: Domain
  readonly selector: string
  readonly algorithm: DkimKeysTable['algorithm']
  /** As it stands in the DNS. */
  readonly publicKey: Uint8Array
  readonly dataKeyId: number
  readonly sealed: Uint8Array
  readonly createdMs: number
  /** Signs. */
  readonly used: boolean
}

/** False when the domain has such a selector already. */
export async function addDkimKeyRow(tx: Tx, row: Omit<DkimKeyRow, 'used'>): Promise<boolean> {
  const added = await tx
    .insertInto('dkim_keys')
    .values({
      domain: row.domain,
      selector: row.selector,
      algorithm: row.algorithm,
      public_key: row.publicKey,
      data_key_id: row.dataKeyId,
      sealed: row.sealed,
      created_ms: row.createdMs,
      used: 0,
    })
    .onConflict((conflict) => conflict.columns(['domain', 'selector']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return added !== undefined
}

/** Of one domain, or of all; the oldest first. */
export async function dkimKeyRows(db: Db, domain?: Domain): Promise<readonly DkimKeyRow[]> {
  const all = db.selectFrom('dkim_keys').selectAll().orderBy('domain').orderBy('id')
  const rows = await (domain === undefined ? all : all.where('domain', '=', domain)).execute()
  return rows.map(toRow)
}

/** From now on it signs, or signs no more. False when there is no such key. */
export async function useDkimKeyRow(tx: Tx, key: Pick<DkimKeyRow, 'domain' | 'selector' | 'used'>): Promise<boolean> {
  const rows = await tx
    .updateTable('dkim_keys')
    .set({ used: key.used ? 1 : 0 })
    .where('domain', '=', key.domain)
    .where('selector', '=', key.selector)
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'dkim-keys')
  return rows.length > 0
}

const toRow = (row: Selectable<DkimKeysTable>): DkimKeyRow => ({
  domain: row.domain as Domain,
  selector: row.selector,
  algorithm: row.algorithm,
  publicKey: row.public_key,
  dataKeyId: row.data_key_id,
  sealed: row.sealed,
  createdMs: row.created_ms,
  used: row.used === 1,
})
