/** All migrations in order, and how they are applied. */
import type { SchemaModule } from 'kysely'
import type { ColumnTypes, Dialect } from '../dialect/dialect.ts'
import type { Db } from '../schema.ts'
import { first } from './001-first.ts'
import { abilities } from './002-abilities.ts'
import { confidentialMails } from './003-confidential-mails.ts'
import { validationData } from './004-validation-data.ts'
import { revocationCertificates } from './005-revocation-certificates.ts'
import { dkim } from './006-dkim.ts'
import { tlsResults } from './007-tls-results.ts'
import { accountSources } from './008-account-sources.ts'
import { nodes } from './009-nodes.ts'
import { tlsSender } from './010-tls-sender.ts'
import { longTlsPolicies } from './011-long-tls-policies.ts'
import { manyUsers } from './012-many-users.ts'
import { usableSince } from './013-usable-since.ts'
import { accountEntries } from './014-account-entries.ts'

export interface Migration {
  /** 1, 2, 3 … without gaps: what the database is at when `up` has run. */
  readonly version: number
  /**
   * The oldest version whose program can go on working with the tables as this leaves them: the one before, at least. So a
   * migration adds, and what nobody needs any more goes a version later. Versions up to 12 did not say.
   */
  readonly usableSince?: number
  up(schema: SchemaModule, types: ColumnTypes): Promise<void>
}

export const MIGRATIONS: readonly Migration[] = [
  first,
  abilities,
  confidentialMails,
  validationData,
  revocationCertificates,
  dkim,
  tlsResults,
  accountSources,
  nodes,
  tlsSender,
  longTlsPolicies,
  manyUsers,
  usableSince,
  accountEntries,
]

/** The version of the schema this program speaks. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** How the tables of a database on a server are made, and brought to this program's version. */
const ADVICE = 'run "sealpost migrate"'

/**
 * Brings the database to `SCHEMA_VERSION`, all steps in one transaction, so that a crash leaves the old version. One that a
 * newer program has brought further is left as it is. Throws when this program would damage what it does not know of it.
 */
export async function migrate(dialect: Dialect, nowMs: number): Promise<Migrated> {
  await dialect.begin()
  try {
    await dialect.claim('migrate') // even CREATE TABLE IF NOT EXISTS fails when two run it at once
    await dialect.writer.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', dialect.columns.integer, (column) => column.primaryKey())
      .addColumn('applied_ms', dialect.columns.integer, (column) => column.notNull())
      .execute()
    const current = await usableVersionOf(dialect.writer)
    for (const migration of MIGRATIONS.slice(current)) {
      await migration.up(dialect.writer.schema, dialect.columns)
      await dialect.writer
        .insertInto('schema_version')
        .values({
          version: migration.version,
          applied_ms: nowMs,
          ...(migration.usableSince !== undefined && { usable_since: migration.usableSince }),
        })
        .execute()
    }
    await dialect.commit({ noted: false, queued: false })
    return { from: current, to: Math.max(current, SCHEMA_VERSION) }
  } catch (error) {
    await dialect.rollback()
    throw error
  }
}

/** Versions of the schema; 0 is an empty database. */
export interface Migrated {
  readonly from: number
  readonly to: number
}

/** For a database that others may be using: nothing is changed. Throws with what to do. */
export async function refuseOtherVersion({ reader }: Dialect): Promise<void> {
  const tables = await reader.introspection.getTables()
  const current = tables.some(({ name }) => name === 'schema_version') ? await usableVersionOf(reader) : 0
  if (current === 0) throw new Error(`The database is empty: ${ADVICE}`)
  if (current < SCHEMA_VERSION)
    throw new Error(`The database is at schema version ${current}, this program needs ${SCHEMA_VERSION}: ${ADVICE}`)
}

/** The version that the database is at. Throws when this program cannot work with it. */
async function usableVersionOf(db: Db): Promise<number> {
  const versions = await db.selectFrom('schema_version').select('version').execute()
  const current = Math.max(0, ...versions.map((row) => row.version))
  if (current <= SCHEMA_VERSION) return current
  const newest = db.selectFrom('schema_version').select('usable_since').where('version', '=', current)
  const { usable_since: usableSince } = await newest.executeTakeFirstOrThrow()
  if (usableSince !== null && usableSince <= SCHEMA_VERSION) return current
  throw new Error(
    `The database is at schema version ${current}, this program knows ${SCHEMA_VERSION}: it was written by a newer Sealpost; run that one`,
  )
}
