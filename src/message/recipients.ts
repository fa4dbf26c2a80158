/** Whom a message names. */
import type { Address } from './address.ts'
import { fieldBody, fieldsNamed } from './header-field.ts'
import { parseMailboxList } from './mailbox-list.ts'
import type { Part } from './part.ts'

/** Addresses in To and Cc: every recipient may know of these. A field that cannot be read names nobody. */
export function namedRecipients(part: Part): Address[] {
  return ['To', 'Cc'].flatMap((name) =>
    fieldsNamed(part, name).flatMap((field) => {
      const mailboxes = parseMailboxList(fieldBody(field))
      return mailboxes.ok ? mailboxes.value.map((mailbox) => mailbox.address) : []
    }),
  )
}
