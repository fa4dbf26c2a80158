/**
 * Which entry of a directory a user is, for its address may be given to another one. A table of its own: the program of the
 * version before has statements prepared that take all columns of `accounts`, and PostgreSQL refuses them when there are more.
 */
import type { Migration } from './list.ts'

export const accountEntries: Migration = {
  version: 14,
  usableSince: 13,
  async up(schema, { integer, id }) {
    await schema
      .createTable('account_entries')
      .addColumn('id', integer, id)
      .addColumn('account_id', integer, (column) => column.notNull().unique().references('accounts.id'))
      .addColumn('entry_id', 'text', (column) => column.notNull())
      .addColumn('other_entry_id', 'text')
      .execute()
  },
}
