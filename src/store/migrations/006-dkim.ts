/** Keys of our domains for DKIM; and fields that are known only when a message has been written, but stand in front of it. */
import type { ColumnDefinitionBuilder } from 'kysely'
import type { Migration } from './list.ts'

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull()

export const dkim: Migration = {
  version: 6,
  async up(schema, { integer, bytes, id }) {
    await schema
      .createTable('dkim_keys')
      .addColumn('id', integer, id)
      .addColumn('domain', 'text', required)
      .addColumn('selector', 'text', required)
      .addColumn('algorithm', 'text', required)
      .addColumn('public_key', bytes, required)
      .addColumn('data_key_id', integer, (column) => column.notNull().references('data_keys.id'))
      .addColumn('sealed', bytes, required)
      .addColumn('created_ms', integer, required)
      .addColumn('used', integer, required)
      .addUniqueConstraint('dkim_keys_once', ['domain', 'selector'])
      .execute()
    await schema.alterTable('bytes').addColumn('front', bytes).execute()
  },
}
