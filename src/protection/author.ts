/** Who wrote a mail: the one whom a signature must speak for. */
import type { Address } from '../message/address.ts'
import { fieldBody, isField } from '../message/header-field.ts'
import { parseMailboxList } from '../message/mailbox-list.ts'
import type { HeaderField, Part } from '../message/part.ts'

/** The single author of a message, or why there is none that a signature could speak for (RFC 5322 §3.6.2). */
export type Author = { readonly address: Address } | { readonly problem: string }

export function authorOf(part: Pick<Part, 'fields'>): Author {
  const fields = part.fields.filter((field) => isField(field, 'From'))
  const [field] = fields
  if (field === undefined) return { problem: 'the mail has no From' }
  if (fields.length > 1) return { problem: 'the mail has several From fields' }
  const known = authors.get(field)
  if (known !== undefined) return known
  const author = authorIn(field)
  authors.set(field, author)
  return author
}

/** By From: who judges, learns and answers asks the same mail again. */
const authors = new WeakMap<HeaderField, Author>()

function authorIn(field: HeaderField): Author {
  const mailboxes = parseMailboxList(fieldBody(field))
  if (!mailboxes.ok) return { problem: `From cannot be read: ${mailboxes.error}` }
  const [mailbox, ...others] = mailboxes.value
  if (mailbox === undefined || others.length > 0) return { problem: `From names ${mailboxes.value.length} authors` }
  return { address: mailbox.address }
}
