/** The rows of the public-key store (222): which certificate speaks for which address, and why that is believed. */
import type { Selectable } from 'kysely'
import { addressKey, type Address } from '../message/address.ts'
import type { StandardName, TrustLevel } from '../protection/standard.ts'
import { noteChange } from './changes.ts'
import type { CertificatesTable, Db, Tx } from './schema.ts'

export interface CertificateRow {
  readonly address: Address
  readonly standard: StandardName
  readonly fingerprint: string
  readonly encoded: Uint8Array
  readonly trust: TrustLevel
  /** Where it came from when it got this trust: `own`, `admin`, `chain`, `wkd` … */
  readonly source: string
  readonly firstSeenMs: number
  /** At its source, to within `SEEN_STEP_MS`. */
  readonly lastSeenMs: number
  readonly revokedMs: number | null
}

/** Higher beats lower; a binding never sinks by itself. */
const TRUST_ORDER: Readonly<Record<TrustLevel, number>> = { own: 4, confirmed: 3, chained: 2, found: 1, candidate: 0 }

/** Of one address: who sends mail in somebody's name, signed by ever new keys, shall not fill the store. */
export const CANDIDATES_MAX = 20
/** So that not every mail writes a row. */
export const SEEN_STEP_MS = 60 * 60_000

/** What `keepCertificate` did. */
export type Kept = 'added' | 'raised' | 'seen'

/**
 * Adds the binding of a certificate to an address. One that is there already is only marked as seen at its source, unless
 * the new trust is higher: then trust and source are raised. Revocation stays.
 */
export async function keepCertificate(
  tx: Tx,
  binding: Pick<CertificateRow, 'address' | 'standard' | 'fingerprint' | 'encoded' | 'trust' | 'source'> & {
    readonly nowMs: number
  },
): Promise<Kept> {
  const { address, fingerprint, nowMs, ...rest } = binding
  const key = addressKey(address)
  const row = await tx
    .selectFrom('certificates')
    .select(['id', 'trust', 'source', 'last_seen_ms'])
    .where('address_key', '=', key)
    .where('fingerprint', '=', fingerprint)
    .executeTakeFirst()
  if (row === undefined) {
    if (rest.trust === 'candidate') await makeRoomForCandidate(tx, key)
    await tx
      .insertInto('certificates')
      .values({
        address,
        address_key: key,
        fingerprint,
        ...rest,
        first_seen_ms: nowMs,
        last_seen_ms: nowMs,
        revoked_ms: null,
      })
      .execute()
    await noteChange(tx, 'certificates')
    return 'added'
  }
  const raised = TRUST_ORDER[rest.trust] > TRUST_ORDER[row.trust]
  if (!raised && (rest.source !== row.source || nowMs < row.last_seen_ms + SEEN_STEP_MS)) return 'seen'
  await tx
    .updateTable('certificates')
    .set({ last_seen_ms: nowMs, ...(raised ? { trust: rest.trust, source: rest.source } : {}) })
    .where('id', '=', row.id)
    .execute()
  if (raised) await noteChange(tx, 'certificates')
  return raised ? 'raised' : 'seen'
}

/** The encoding that is kept, whatever the address. */
export async function certificateBytes(db: Db, fingerprint: string): Promise<Uint8Array | undefined> {
  const row = await db
    .selectFrom('certificates')
    .select('encoded')
    .where('fingerprint', '=', fingerprint)
    .orderBy('id', 'desc')
    .executeTakeFirst()
  return row?.encoded
}

/** The certificate has been renewed, or revoked, and is now this, for whatever address. */
export async function renewCertificate(tx: Tx, fingerprint: string, encoded: Uint8Array): Promise<void> {
  const rows = await tx
    .updateTable('certificates')
    .set({ encoded })
    .where('fingerprint', '=', fingerprint)
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'certificates')
}

/** Of one address, revoked ones included; highest trust first, and of equal trust the one seen first last. */
export async function certificatesOf(db: Db, address: Address): Promise<readonly CertificateRow[]> {
  const rows = await db
    .selectFrom('certificates')
    .selectAll()
    .where('address_key', '=', addressKey(address))
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toRow).toSorted((a, b) => TRUST_ORDER[b.trust] - TRUST_ORDER[a.trust])
}

/** All bindings, by address. */
export async function listCertificates(db: Db): Promise<readonly CertificateRow[]> {
  const rows = await db.selectFrom('certificates').selectAll().orderBy('address_key').orderBy('id').execute()
  return rows.map(toRow)
}

/** Marks every binding of this certificate as revoked at `atMs`; an earlier revocation stays. Returns how many there are. */
export async function revokeCertificate(tx: Tx, fingerprint: string, atMs: number): Promise<number> {
  const rows = await tx
    .updateTable('certificates')
    .set((eb) => ({ revoked_ms: eb.fn.coalesce('revoked_ms', eb.val(atMs)) }))
    .where('fingerprint', '=', fingerprint)
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'certificates')
  return rows.length
}

/** Marks every certificate of this address as revoked for it at `atMs`; an earlier revocation stays. Returns how many there are. */
export async function revokeCertificatesOf(tx: Tx, address: Address, atMs: number): Promise<number> {
  const rows = await tx
    .updateTable('certificates')
    .set((eb) => ({ revoked_ms: eb.fn.coalesce('revoked_ms', eb.val(atMs)) }))
    .where('address_key', '=', addressKey(address))
    .returning('id')
    .execute()
  if (rows.length > 0) await noteChange(tx, 'certificates')
  return rows.length
}

/** Forgets the certificate, for one address or for all. Returns how many bindings that were. */
export async function removeCertificate(tx: Tx, fingerprint: string, address?: Address): Promise<number> {
  let query = tx.deleteFrom('certificates').where('fingerprint', '=', fingerprint)
  if (address !== undefined) query = query.where('address_key', '=', addressKey(address))
  const rows = await query.returning('id').execute()
  if (rows.length > 0) await noteChange(tx, 'certificates')
  return rows.length
}

/** Drops the candidates that were not seen for the longest time; a revoked one stays, it is there to be known. */
async function makeRoomForCandidate(tx: Tx, key: string): Promise<void> {
  const kept = await tx
    .selectFrom('certificates')
    .select('id')
    .where('address_key', '=', key)
    .where('trust', '=', 'candidate')
    .where('revoked_ms', 'is', null)
    .orderBy('last_seen_ms', 'desc')
    .orderBy('id', 'desc')
    .execute()
  const surplus = kept.slice(CANDIDATES_MAX - 1).map((row) => row.id)
  if (surplus.length > 0) await tx.deleteFrom('certificates').where('id', 'in', surplus).execute()
}

function toRow(row: Selectable<CertificatesTable>): CertificateRow {
  return {
    address: row.address,
    standard: row.standard,
    fingerprint: row.fingerprint,
    encoded: row.encoded,
    trust: row.trust,
    source: row.source,
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
    revokedMs: row.revoked_ms,
  }
}
