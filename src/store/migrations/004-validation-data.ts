/** Revocation lists, OCSP responses and issuers' certificates that were fetched, until they run out. */
import type { ColumnDefinitionBuilder } from 'kysely'
import type { Migration } from './list.ts'

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull()

export const validationData: Migration = {
  version: 4,
  async up(schema, { integer, bytes }) {
    await schema
      .createTable('validation_data')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('until_ms', integer, required)
      .addColumn('size_bytes', integer, required)
      .addColumn('encoded', bytes, required) // last, so that the columns before it are read without its pages
      .execute()
    await schema.createIndex('validation_data_by_end').on('validation_data').column('until_ms').execute()
  },
}
