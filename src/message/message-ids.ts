/** Message identifiers as they are named in fields (RFC 5322 §3.6.4). */
import { fieldBody, isField } from './header-field.ts'
import type { HeaderField } from './part.ts'

/** A long thread names many; the last ones are the nearest. */
export const ANSWERED_MAX = 50

/** With its angle brackets; `undefined` when there is none, or nothing that looks like one. */
export const messageIdIn = (fields: readonly HeaderField[]): string | undefined => idsIn(fields, 'Message-ID')[0]

/** The mails that this one answers or passes on; the last `ANSWERED_MAX` that each field names. */
export function answeredIds(fields: readonly HeaderField[]): readonly string[] {
  return [...new Set(['References', 'In-Reply-To', FORWARDED].flatMap((name) => idsIn(fields, name)))]
}

/** Where Thunderbird says which mail is forwarded. */
const FORWARDED = 'X-Forwarded-Message-Id'

function idsIn(fields: readonly HeaderField[], name: string): readonly string[] {
  const bodies = fields.filter((field) => isField(field, name)).map(fieldBody)
  return (bodies.join(' ').match(/<[^<>\s]{1,995}>/g) ?? []).slice(-ANSWERED_MAX)
}
