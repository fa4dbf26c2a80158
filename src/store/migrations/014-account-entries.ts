/** Which entry of a directory a user is, for its address may be given to another one. */
import type { Migration } from './list.ts'

export const accountEntries: Migration = {
  version: 14,
  usableSince: 13,
  async up(schema) {
    await schema.alterTable('accounts').addColumn('entry_id', 'text').execute()
    await schema.alterTable('accounts').addColumn('other_entry_id', 'text').execute()
  },
}
