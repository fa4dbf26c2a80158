/** What is asked for by neither address nor id, among millions: an account by its hash, a private key by its certificate. */
import type { Migration } from './list.ts'

export const manyUsers: Migration = {
  version: 12,
  async up(schema) {
    await schema.alterTable('accounts').addColumn('wkd_name', 'text').execute()
    await schema.createIndex('accounts_by_wkd_name').on('accounts').column('wkd_name').execute()
    await schema.createIndex('private_keys_by_fingerprint').on('private_keys').column('fingerprint').execute()
  },
}
