/** Who changed what, written in the transaction of the change itself: the two happen together or not at all. */
import type { Db, Tx } from './schema.ts'

export interface AuditEntry {
  readonly nowMs: number
  /** `cli:<system user>`, `http:<address>`, `system`. */
  readonly actor: string
  /** The operation's name in admin/operations/, such as `user add`. */
  readonly operation: string
  /** What it was done to: an address, a fingerprint, a queue id. */
  readonly subject: string
  /** A sentence; never a secret. */
  readonly detail: string
}

export async function audit(tx: Tx, entry: AuditEntry): Promise<void> {
  const { nowMs, ...rest } = entry
  await tx
    .insertInto('audit')
    .values({ at_ms: nowMs, ...rest })
    .execute()
}

/** Newest first. */
export async function listAudit(db: Db, options: { readonly limit: number }): Promise<readonly AuditEntry[]> {
  const rows = await db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(options.limit).execute()
  return rows.map(({ id: _id, at_ms, ...rest }) => ({ nowMs: at_ms, ...rest }))
}
