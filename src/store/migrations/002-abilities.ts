/** What is known of the programs of correspondents. */
import type { ColumnDefinitionBuilder } from 'kysely'
import type { Migration } from './list.ts'

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull()

export const abilities: Migration = {
  version: 2,
  async up(schema, { integer, id }) {
    await schema
      .createTable('abilities')
      .addColumn('id', integer, id)
      .addColumn('address', 'text', required)
      .addColumn('address_key', 'text', required)
      .addColumn('standard', 'text', required)
      .addColumn('fact', 'text', required)
      .addColumn('value', 'text', required)
      .addColumn('signed_ms', integer, required)
      .addColumn('learned_ms', integer, required)
      .addUniqueConstraint('abilities_once', ['address_key', 'standard', 'fact'])
      .execute()
  },
}
