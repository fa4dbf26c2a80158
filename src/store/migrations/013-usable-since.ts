/** What each version of the schema can be used by, so that nodes of two versions may run side by side (decision 0071). */
import type { Migration } from './list.ts'

export const usableSince: Migration = {
  version: 13,
  usableSince: 12,
  async up(schema, types) {
    await schema.alterTable('schema_version').addColumn('usable_since', types.integer).execute()
  },
}
