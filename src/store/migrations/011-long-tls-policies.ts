/** Policies that are too long for an index: PostgreSQL's takes 2,704 bytes a row, and a domain may have many TLSA records. */
import type { Migration } from './list.ts'

export const longTlsPolicies: Migration = {
  version: 11,
  async up(schema) {
    await schema.alterTable('tls_results').addColumn('long_policy', 'text').execute()
  },
}
