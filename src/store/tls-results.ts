/** Counts of what came of TLS with the mail hosts of others, by day (RFC 8460). */
import { createHash } from 'node:crypto'
import type { Db, Tx } from './schema.ts'

/** More than this has no place in an index; TLSA records with a whole certificate are longer. */
const INDEXED_POLICY_MAX_CHARS = 1_000

export interface TlsResultRow {
  /** UTC, `2026-11-23`. */
  readonly day: string
  /** Whose mail it was. */
  readonly domain: string
  /** What the domain asked for: JSON, an object with its `type`. */
  readonly policy: string
  /** `success`, or a result type of RFC 8460 §4.3. */
  readonly result: string
  readonly host: string
  readonly address: string
  /** Ours. */
  readonly sendingAddress: string
  readonly count: number
}

/** Adds to what is counted already. */
export async function addTlsResults(tx: Tx, rows: readonly TlsResultRow[]): Promise<void> {
  for (const { sendingAddress, policy, ...row } of rows)
    await tx
      .insertInto('tls_results')
      .values({ ...row, ...indexed(policy), sending_address: sendingAddress })
      .onConflict((conflict) =>
        conflict.columns(['day', 'domain', 'policy', 'result', 'host', 'address']).doUpdateSet((eb) => ({
          count: eb('tls_results.count', '+', row.count),
          sending_address: sendingAddress,
        })),
      )
      .execute()
}

/** The same for the same policy, and short enough to be found by. */
function indexed(policy: string): { readonly policy: string; readonly long_policy: string | null } {
  if (policy.length <= INDEXED_POLICY_MAX_CHARS) return { policy, long_policy: null }
  const { type } = JSON.parse(policy) as { readonly type: string }
  const sha256 = createHash('sha256').update(policy).digest('base64')
  return { policy: JSON.stringify({ type, sha256 }), long_policy: policy }
}

/** Days before `today` and their domains, the oldest first. */
export function tlsReportsDue(db: Db, today: string): Promise<{ day: string; domain: string }[]> {
  return db
    .selectFrom('tls_results')
    .select(['day', 'domain'])
    .distinct()
    .where('day', '<', today)
    .orderBy('day')
    .orderBy('domain')
    .execute()
}

export function tlsResultsOf(db: Db, day: string, domain: string): Promise<TlsResultRow[]> {
  return db
    .selectFrom('tls_results')
    .select((eb) => eb.fn.coalesce('long_policy', 'policy').as('policy'))
    .select(['day', 'domain', 'result', 'host', 'address', 'sending_address as sendingAddress', 'count'])
    .where('day', '=', day)
    .where('domain', '=', domain)
    .orderBy('id')
    .execute()
}

export async function removeTlsResults(tx: Tx, day: string, domain: string): Promise<void> {
  await tx.deleteFrom('tls_results').where('day', '=', day).where('domain', '=', domain).execute()
}
