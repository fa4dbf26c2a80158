/** What revokes a certificate is made together with it, and kept sealed beside its private key. */
import type { Migration } from './list.ts'

export const revocationCertificates: Migration = {
  version: 5,
  async up(schema, { bytes }) {
    await schema.alterTable('private_keys').addColumn('sealed_revocation', bytes).execute()
  },
}
