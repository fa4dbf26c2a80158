/** All migrations in order, and how they are applied. */
import type { SchemaModule } from 'kysely'
import type { ColumnTypes, Dialect } from '../dialect/dialect.ts'
import { first } from './001-first.ts'
import { abilities } from './002-abilities.ts'
import { confidentialMails } from './003-confidential-mails.ts'
import { validationData } from './004-validation-data.ts'
import { revocationCertificates } from './005-revocation-certificates.ts'
import { dkim } from './006-dkim.ts'
import { tlsResults } from './007-tls-results.ts'
import { accountSources } from './008-account-sources.ts'

export interface Migration {
  /** 1, 2, 3 … without gaps: what the database is at when `up` has run. */
  readonly version: number
  up(schema: SchemaModule, types: ColumnTypes): Promise<void>
}

const MIGRATIONS: readonly Migration[] = [
  first,
  abilities,
  confidentialMails,
  validationData,
  revocationCertificates,
  dkim,
  tlsResults,
  accountSources,
]

/** The version of the schema this program speaks. */
export const SCHEMA_VERSION = MIGRATIONS.length

/**
 * Brings the database to `SCHEMA_VERSION`, all steps in one transaction, so that a crash leaves the old version.
 * Throws when a newer program has written it: an older one would damage what it does not know.
 */
export async function migrate(dialect: Dialect, nowMs: number): Promise<void> {
  await dialect.begin()
  try {
    await dialect.writer.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', dialect.columns.integer, (column) => column.primaryKey())
      .addColumn('applied_ms', dialect.columns.integer, (column) => column.notNull())
      .execute()
    const versions = await dialect.writer.selectFrom('schema_version').select('version').execute()
    const current = Math.max(0, ...versions.map((row) => row.version))
    if (current > SCHEMA_VERSION)
      throw new Error(
        `The database is at schema version ${current}, this program knows ${SCHEMA_VERSION}: it was written by a newer Sealpost; run that one`,
      )
    for (const migration of MIGRATIONS.slice(current)) {
      await migration.up(dialect.writer.schema, dialect.columns)
      await dialect.writer
        .insertInto('schema_version')
        .values({ version: migration.version, applied_ms: nowMs })
        .execute()
    }
    await dialect.commit()
  } catch (error) {
    await dialect.rollback()
    throw error
  }
}
