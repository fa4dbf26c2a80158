/** Which entry of its source an account is, and which other one has the address there now. */
import { type Address, addressKey } from '../message/address.ts'
import type { Account } from './accounts.ts'
import { noteChange } from './changes.ts'
import type { Db, Tx } from './schema.ts'

export async function setAccountEntry(
  tx: Tx,
  accountId: number,
  { entryId, otherEntryId }: { readonly entryId: string; readonly otherEntryId: string | null },
): Promise<void> {
  const columns = { entry_id: entryId, other_entry_id: otherEntryId }
  await tx
    .insertInto('account_entries')
    .values({ account_id: accountId, ...columns })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet(columns))
    .execute()
  await noteChange(tx, 'accounts')
}

/** Of accounts whose address the source has for another entry now, in the order of their creation. */
export async function disputedAddresses(db: Db): Promise<readonly Address[]> {
  const rows = await db
    .selectFrom('account_entries')
    .innerJoin('accounts', 'accounts.id', 'account_entries.account_id')
    .select('address')
    .where('other_entry_id', 'is not', null)
    .where('status', '<>', 'removed')
    .orderBy('accounts.id')
    .execute()
  return rows.map((row) => row.address)
}

/**
 * Forgets of at most `limit` accounts which entry they are: it is taken anew from the next answer of their source. Returns of
 * how many.
 */
export async function forgetEntries(tx: Tx, limit: number): Promise<number> {
  const some = tx.selectFrom('account_entries').select('id').orderBy('id').limit(limit)
  const rows = await tx.deleteFrom('account_entries').where('id', 'in', some).returning('id').execute()
  if (rows.length > 0) await noteChange(tx, 'accounts')
  return rows.length
}

/**
 * The account is removed and its address is free: it keeps its row, and its mailbox, under a key that is no address (a domain
 * has no space), and under no name of the Web Key Directory.
 */
export async function freeAddress(tx: Tx, { id, address }: Account): Promise<void> {
  await tx
    .updateTable('accounts')
    .set({ address_key: `${addressKey(address)} ${id}`, wkd_name: '', status: 'removed' })
    .where('id', '=', id)
    .execute()
  await tx.updateTable('account_entries').set({ other_entry_id: null }).where('account_id', '=', id).execute()
  await noteChange(tx, 'accounts')
}
