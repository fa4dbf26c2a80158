/** What was fetched to judge certificates by: revocation lists, OCSP responses, issuers' certificates. All of it can go. */
import type { Db, Tx } from './schema.ts'

/** All together; what ends first makes room. */
export const VALIDATION_DATA_MAX_BYTES = 256 * 2 ** 20

export interface ValidationDataRow {
  /** What it is and where it came from. */
  readonly key: string
  readonly encoded: Uint8Array
  readonly untilMs: number
}

/** `undefined` when there is none that still counts. */
export async function findValidationData(db: Db, key: string, nowMs: number): Promise<ValidationDataRow | undefined> {
  const row = await db
    .selectFrom('validation_data')
    .select(['key', 'encoded', 'until_ms'])
    .where('key', '=', key)
    .where('until_ms', '>', nowMs)
    .executeTakeFirst()
  return row === undefined ? undefined : { key: row.key, encoded: row.encoded, untilMs: row.until_ms }
}

/** In place of what was there under this key. */
export async function keepValidationData(tx: Tx, { key, encoded, untilMs }: ValidationDataRow): Promise<void> {
  const values = { encoded, until_ms: untilMs, size_bytes: encoded.length }
  await tx
    .insertInto('validation_data')
    .values({ key, ...values })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(values))
    .execute()
  await makeRoom(tx)
}

async function makeRoom(tx: Tx): Promise<void> {
  const total = async (): Promise<number> => {
    const row = await tx
      .selectFrom('validation_data')
      .select((eb) => eb.fn.sum<number | string>('size_bytes').as('bytes'))
      .executeTakeFirst()
    return Number(row?.bytes ?? 0)
  }
  while ((await total()) > VALIDATION_DATA_MAX_BYTES) {
    const first = tx.selectFrom('validation_data').select('key').orderBy('until_ms').limit(1)
    await tx.deleteFrom('validation_data').where('key', 'in', first).execute()
  }
}

/** Forgets what has run out; the number of rows, `limit` at most. */
export async function expireValidationData(
  tx: Tx,
  options: { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
  const old = tx
    .selectFrom('validation_data')
    .select('key')
    .where('until_ms', '<', options.beforeMs)
    .limit(options.limit)
  const gone = await tx.deleteFrom('validation_data').where('key', 'in', old).returning('key').execute()
  return gone.length
}
