/** The rows of the private-key store (221). They are sealed; only keys/private-keys.ts opens them. */
import { Buffer } from 'node:buffer'
import type { Selectable } from 'kysely'
import type { StandardName } from '../protection/standard.ts'
import { noteChange } from './changes.ts'
import type { Db, PrivateKeysTable, Tx } from './schema.ts'

export interface PrivateKeyRow {
  readonly id: number
  /** An address, or the domain of an authority. */
  readonly owner: string
  /** addressKey of the address, or the domain. */
  readonly ownerKey: string
  /** `former`: of who had the address before it was somebody else's; sealed as `mail`. */
  readonly purpose: PrivateKeysTable['purpose']
  readonly standard: StandardName
  readonly fingerprint: string
  readonly certificate: Uint8Array
  /** Certificates that go out beside it. */
  readonly chain: readonly Uint8Array[]
  readonly dataKeyId: number
  readonly sealed: Uint8Array
  readonly createdMs: number
  /** Since when it signs no more; it opens old mail for ever. */
  readonly retiredMs: number | null
  /** What revokes the certificate, where its owner can do that alone. */
  readonly sealedRevocation: Uint8Array | null
}

/** False when this owner has a key for this certificate already. */
export async function addPrivateKeyRow(tx: Tx, row: Omit<PrivateKeyRow, 'id' | 'retiredMs'>): Promise<boolean> {
  const added = await tx
    .insertInto('private_keys')
    .values({
      owner: row.owner,
      owner_key: row.ownerKey,
      purpose: row.purpose,
      standard: row.standard,
      fingerprint: row.fingerprint,
      certificate: row.certificate,
      chain: JSON.stringify(row.chain.map((encoded) => Buffer.from(encoded).toString('base64'))),
      data_key_id: row.dataKeyId,
      sealed: row.sealed,
      created_ms: row.createdMs,
      retired_ms: null,
      sealed_revocation: row.sealedRevocation,
    })
    .onConflict((conflict) => conflict.columns(['owner_key', 'fingerprint']).doNothing())
    .returning('id')
    .executeTakeFirst()
  if (added !== undefined) await noteChange(tx, 'private-keys')
  return added !== undefined
}

/** Newest first; retired ones included. */
export async function privateKeyRowsOf(
  db: Db,
  purpose: PrivateKeyRow['purpose'],
  ownerKey: string,
): Promise<readonly PrivateKeyRow[]> {
  const rows = await db
    .selectFrom('private_keys')
    .selectAll()
    .where('owner_key', '=', ownerKey)
    .where('purpose', '=', purpose)
    .orderBy('created_ms', 'desc')
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toRow)
}

/** All, by owner. */
export async function listPrivateKeyRows(db: Db): Promise<readonly PrivateKeyRow[]> {
  const rows = await db.selectFrom('private_keys').selectAll().orderBy('owner_key').orderBy('id').execute()
  return rows.map(toRow)
}

/** Certificates of keys that still sign, `limit` after the one with this id; for whoever looks at all of them. */
export async function signingCertificatesAfter(
  db: Db,
  id: number,
  limit: number,
): Promise<readonly Pick<PrivateKeyRow, 'id' | 'owner' | 'purpose' | 'standard' | 'certificate'>[]> {
  return db
    .selectFrom('private_keys')
    .select(['id', 'owner', 'purpose', 'standard', 'certificate'])
    .where('id', '>', id)
    .where('retired_ms', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The certificate has been renewed, or revoked, and is now this. */
export async function renewPrivateKeyRow(tx: Tx, fingerprint: string, certificate: Uint8Array): Promise<void> {
  const rows = await tx
    .updateTable('private_keys')
    .set({ certificate })
    .where('fingerprint', '=', fingerprint)
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'private-keys')
}

/** From `atMs` on it signs no more; an earlier retirement stays. Returns how many there are. */
export async function retirePrivateKeyRow(tx: Tx, fingerprint: string, atMs: number): Promise<number> {
  const rows = await tx
    .updateTable('private_keys')
    .set((eb) => ({ retired_ms: eb.fn.coalesce('retired_ms', eb.val(atMs)) }))
    .where('fingerprint', '=', fingerprint)
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'private-keys')
  return rows.length
}

/** Keys for mail of an address that is somebody else's now: nobody finds them any more. Returns how many there are. */
export async function putAwayPrivateKeyRows(tx: Tx, ownerKey: string, atMs: number): Promise<number> {
  const rows = await tx
    .updateTable('private_keys')
    .set((eb) => ({ purpose: 'former', retired_ms: eb.fn.coalesce('retired_ms', eb.val(atMs)) }))
    .where('owner_key', '=', ownerKey)
    .where('purpose', '=', 'mail')
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'private-keys')
  return rows.length
}

function toRow(row: Selectable<PrivateKeysTable>): PrivateKeyRow {
  return {
    id: row.id,
    owner: row.owner,
    ownerKey: row.owner_key,
    purpose: row.purpose,
    standard: row.standard,
    fingerprint: row.fingerprint,
    certificate: row.certificate,
    chain: (JSON.parse(row.chain) as string[]).map((text) => Buffer.from(text, 'base64')),
    dataKeyId: row.data_key_id,
    sealed: row.sealed,
    createdMs: row.created_ms,
    retiredMs: row.retired_ms,
    sealedRevocation: row.sealed_revocation,
  }
}
