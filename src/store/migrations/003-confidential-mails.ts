/** Mails that hid something of their header on the wire; see confidential-mails.ts. */
import type { Migration } from './list.ts'

export const confidentialMails: Migration = {
  version: 3,
  async up(schema, { integer, id }) {
    await schema
      .createTable('confidential_mails')
      .addColumn('id', integer, id)
      .addColumn('account_id', integer, (column) => column.notNull().references('accounts.id'))
      .addColumn('message', 'text', (column) => column.notNull())
      .addColumn('hidden', 'text', (column) => column.notNull())
      .addColumn('at_ms', integer, (column) => column.notNull())
      .addUniqueConstraint('confidential_mails_once', ['account_id', 'message'])
      .execute()
    await schema.createIndex('confidential_mails_by_age').on('confidential_mails').column('at_ms').execute()
  },
}
