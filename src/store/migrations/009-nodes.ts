/** Several nodes on one database: who has leased a row of the queue, and large messages that all of them can read. */
import type { ColumnDefinitionBuilder } from 'kysely'
import type { Migration } from './list.ts'

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull()

export const nodes: Migration = {
  version: 9,
  async up(schema, { integer, bytes }) {
    await schema.alterTable('queue').addColumn('leased_by', 'text').execute()
    await schema
      .createTable('pieces')
      .addColumn('object', 'text', required)
      .addColumn('number', integer, required)
      .addColumn('created_ms', integer, required)
      .addColumn('sealed', bytes, required)
      .addPrimaryKeyConstraint('pieces_once', ['object', 'number'])
      .execute()
  },
}
