/** Who knows a user's password: until now this database, from now on perhaps a directory or a file. */
import type { Migration } from './list.ts'

export const accountSources: Migration = {
  version: 8,
  async up(schema) {
    await schema
      .alterTable('accounts')
      .addColumn('source', 'text', (column) => column.notNull().defaultTo('table'))
      .execute()
  },
}
