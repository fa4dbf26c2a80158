/** What came of TLS with the mail hosts of others, counted by day, until it has been reported to them (RFC 8460). */
import type { ColumnDefinitionBuilder } from 'kysely'
import type { Migration } from './list.ts'

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull()

export const tlsResults: Migration = {
  version: 7,
  async up(schema, { integer, id }) {
    await schema
      .createTable('tls_results')
      .addColumn('id', integer, id)
      .addColumn('day', 'text', required)
      .addColumn('domain', 'text', required)
      .addColumn('policy', 'text', required)
      .addColumn('result', 'text', required)
      .addColumn('host', 'text', required)
      .addColumn('address', 'text', required)
      .addColumn('count', integer, required)
      .addUniqueConstraint('tls_results_once', ['day', 'domain', 'policy', 'result', 'host', 'address'])
      .execute()
  },
}
