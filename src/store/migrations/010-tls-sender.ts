/** From which of our addresses a mail host was asked for TLS (RFC 8460 §4.4). */
import type { Migration } from './list.ts'

export const tlsSender: Migration = {
  version: 10,
  async up(schema) {
    await schema
      .alterTable('tls_results')
      .addColumn('sending_address', 'text', (column) => column.notNull().defaultTo(''))
      .execute()
  },
}
