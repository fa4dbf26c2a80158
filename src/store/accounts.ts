/**
 * Who has an address here. An address that was used once is never given to somebody else: a removed account keeps its row.
 * Only a directory does so, and then not before an administrator has put the former account away.
 */
import { type Selectable, sql } from 'kysely'
import { type Address, type Domain, addressKey, domainOf, localPart } from '../message/address.ts'
import { wkdHash } from '../protocol/wkd.ts'
import { setAccountEntry } from './account-entries.ts'
import { noteChange } from './changes.ts'
import { type Param, prepared } from './prepared.ts'
import type { AccountsTable, Db, Tx } from './schema.ts'

/** `absent`: the source that had this user has them no longer; back again, the user is `active` again. */
export type AccountStatus = 'active' | 'suspended' | 'removed' | 'absent'

/** Who knows the user's password, and whether there is such a user: this table, or somebody whom we ask. */
export type AccountSource = 'table' | 'file' | 'ldap'

export interface Account {
  readonly id: number
  readonly address: Address
  /** PHC string; see keys/password.ts. Empty when somebody else knows the password. */
  readonly passwordHash: string
  readonly source: AccountSource
  readonly status: AccountStatus
  readonly createdMs: number
  /** Which entry of its source it is; `null` when that has not said so. */
  readonly entryId: string | null
  /** The entry that the source has under the address now, where that is another one: an administrator must say whose it is. */
  readonly otherEntryId: string | null
}

/** By `addressKey`, whatever the status: the caller decides what a suspended or removed account may still do. */
export async function findAccount(db: Db, address: Address): Promise<Account | undefined> {
  const [row] = await selectAccount(db, { key: addressKey(address) })
  return row && toAccount(row)
}

/** Names its columns: a prepared statement that takes all of them fails when a newer program adds one (decision 0071). */
const accountRows = (db: Db) =>
  db
    .selectFrom('accounts')
    .leftJoin('account_entries', 'account_entries.account_id', 'accounts.id')
    .select(['accounts.id', 'address', 'password_hash', 'source', 'status', 'created_ms', 'entry_id', 'other_entry_id'])

const selectAccount = prepared((db, param: Param<{ readonly key: string }>) =>
  accountRows(db).where('address_key', '=', param('key')),
)

/** By the hash of its local part in the Web Key Directory, whatever the status. */
export async function findAccountByWkd(db: Db, domain: Domain, hash: string): Promise<Account | undefined> {
  const row = await accountRows(db).where('wkd_name', '=', `${hash}@${domain}`).executeTakeFirst()
  return row && toAccount(row)
}

/** For accounts of a version that knew no such names. Returns how many there were, at most `limit`. */
export async function fillWkdNames(tx: Tx, limit: number): Promise<number> {
  const rows = await tx
    .selectFrom('accounts')
    .select(['id', 'address'])
    .where('wkd_name', 'is', null)
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  const names = rows.map(({ id, address }) => sql`(cast(${id} as bigint), ${wkdName(address)})`)
  await sql`with named (id, name) as (values ${sql.join(names)})
    update accounts set wkd_name = (select name from named where named.id = accounts.id)
    where id in (select id from named)`.execute(tx)
  return rows.length
}

const wkdName = (address: Address): string => `${wkdHash(localPart(address))}@${domainOf(address)}`

/** `'taken'` when the address was ever given out, even if that account is removed. */
export async function addAccount(
  tx: Tx,
  account: {
    readonly address: Address
    readonly passwordHash: string
    /** `table` when missing. */
    readonly source?: AccountSource
    readonly entryId?: string | undefined
    readonly nowMs: number
  },
): Promise<Account | 'taken'> {
  const row = await tx
    .insertInto('accounts')
    .values({
      address: account.address,
      address_key: addressKey(account.address),
      password_hash: account.passwordHash,
      status: 'active',
      source: account.source ?? 'table',
      created_ms: account.nowMs,
      wkd_name: wkdName(account.address),
    })
    .onConflict((conflict) => conflict.column('address_key').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) return 'taken'
  const { entryId = null } = account
  if (entryId !== null) await setAccountEntry(tx, row.id, { entryId, otherEntryId: null })
  await noteChange(tx, 'accounts')
  return toAccount({ ...row, entry_id: entryId, other_entry_id: null })
}

/** In the order of their creation; removed ones included. */
export async function listAccounts(db: Db): Promise<readonly Account[]> {
  const rows = await accountRows(db).orderBy('accounts.id').execute()
  return rows.map(toAccount)
}

/** The next `limit` after the one with this id, in the order of their creation; removed ones included. */
export async function accountsAfter(db: Db, id: number, limit: number): Promise<readonly Account[]> {
  const rows = await accountRows(db).where('accounts.id', '>', id).orderBy('accounts.id').limit(limit).execute()
  return rows.map(toAccount)
}

/** True when such an account exists. `removed` is for good: a removed account keeps that status. */
export async function setAccountStatus(tx: Tx, address: Address, status: AccountStatus): Promise<boolean> {
  return change(tx, address, { status })
}

/** True when such an account exists and is not removed. */
export async function setAccountSource(
  tx: Tx,
  address: Address,
  { source, status }: { readonly source: AccountSource; readonly status: AccountStatus },
): Promise<boolean> {
  return change(tx, address, { source, status })
}

/** True when such an account exists and is not removed. */
export async function setPasswordHash(tx: Tx, address: Address, passwordHash: string): Promise<boolean> {
  return change(tx, address, { password_hash: passwordHash })
}

async function change(
  tx: Tx,
  address: Address,
  columns: Partial<Pick<AccountsTable, 'status' | 'password_hash' | 'source'>>,
): Promise<boolean> {
  const changed = await tx
    .updateTable('accounts')
    .set(columns)
    .where('address_key', '=', addressKey(address))
    .where('status', '<>', 'removed')
    .returning('id')
    .executeTakeFirst()
  if (changed === undefined) return false
  await noteChange(tx, 'accounts')
  return true
}

type AccountRow = Omit<Selectable<AccountsTable>, 'address_key' | 'wkd_name'> & {
  readonly entry_id: string | null
  readonly other_entry_id: string | null
}

function toAccount(row: AccountRow): Account {
  return {
    id: row.id,
    address: row.address,
    passwordHash: row.password_hash,
    status: row.status,
    source: row.source,
    createdMs: row.created_ms,
    entryId: row.entry_id,
    otherEntryId: row.other_entry_id,
  }
}
