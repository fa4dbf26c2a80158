/** Header Confidentiality Policies (RFC 9788 §3): what stands outside of an encrypted mail in place of the author's header. */
import { formatDate, parseDate } from '../../message/date.ts'
import { fieldBody, isField, makeField } from '../../message/header-field.ts'
import { parseMailboxList } from '../../message/mailbox-list.ts'
import type { HeaderField } from '../../message/part.ts'

/**
 * `baseline` hides what the mail is about (hcp_baseline, RFC 9788 §3.2.1); `shy` also the names beside the addresses and
 * the author's time zone (hcp_shy, §3.2.2), which here goes for Sender and Reply-To too: they would tell the names again.
 */
export type HeaderConfidentiality = 'none' | 'baseline' | 'shy'

/** A field that the policy does not change is the very same object; one that it takes away is missing. */
export function outerFields(fields: readonly HeaderField[], policy: HeaderConfidentiality): HeaderField[] {
  if (policy === 'none') return [...fields]
  return fields.flatMap((field) => {
    if (isField(field, 'Subject')) return [makeField('Subject', '[...]')]
    if (isField(field, 'Comments') || isField(field, 'Keywords')) return []
    return policy === 'shy' ? [withoutNames(field)] : [field]
  })
}

const NAMES_PEOPLE = ['From', 'Sender', 'Reply-To', 'To', 'Cc'] as const

/** What cannot be read stays as it is: another reader might make something of it. */
function withoutNames(field: HeaderField): HeaderField {
  if (isField(field, 'Date')) {
    const atMs = parseDate(fieldBody(field))
    return atMs === undefined ? field : unlessSame(field, makeField('Date', formatDate(atMs)))
  }
  const name = NAMES_PEOPLE.find((each) => isField(field, each))
  if (name === undefined) return field
  const mailboxes = parseMailboxList(fieldBody(field))
  if (!mailboxes.ok || mailboxes.value.length === 0) return field
  return unlessSame(field, makeField(name, mailboxes.value.map(({ address }) => address).join(', ')))
}

/** Case does not count: an address that is there alone hides nothing. */
const unlessSame = (field: HeaderField, other: HeaderField): HeaderField =>
  fieldBody(field).toLowerCase() === fieldBody(other).toLowerCase() ? field : other
