/** Accounts whose address a source has for another entry now: `other_entry_id` is set. */
import { type Address, addressKey } from '../message/address.ts'
import type { Account } from './accounts.ts'
import { noteChange } from './changes.ts'
import type { Db, Tx } from './schema.ts'

/** In the order of their creation. */
export async function disputedAddresses(db: Db): Promise<readonly Address[]> {
  const rows = await db
    .selectFrom('accounts')
    .select('address')
    .where('other_entry_id', 'is not', null)
    .where('status', '<>', 'removed')
    .orderBy('id')
    .execute()
  return rows.map((row) => row.address)
}

/**
 * Of the `limit` accounts after the one with this id: which entry they are is forgotten, and taken anew from the next answer
 * of their source. Returns the last id, `undefined` behind the last account.
 */
export async function forgetEntries(tx: Tx, after: number, limit: number): Promise<number | undefined> {
  const rows = await tx.selectFrom('accounts').select('id').where('id', '>', after).orderBy('id').limit(limit).execute()
  const last = rows.at(-1)?.id
  if (last === undefined) return undefined
  await tx
    .updateTable('accounts')
    .set({ entry_id: null, other_entry_id: null })
    .where('id', '>', after)
    .where('id', '<=', last)
    .execute()
  await noteChange(tx, 'accounts')
  return last
}

/**
 * The account is removed and its address is free: it keeps its row, and its mailbox, under a key that is no address (a domain
 * has no space), and under no name of the Web Key Directory.
 */
export async function freeAddress(tx: Tx, { id, address }: Account): Promise<void> {
  await tx
    .updateTable('accounts')
    .set({ address_key: `${addressKey(address)} ${id}`, wkd_name: '', status: 'removed', other_entry_id: null })
    .where('id', '=', id)
    .execute()
  await noteChange(tx, 'accounts')
}
