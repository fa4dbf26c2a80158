/** Does a message go in circles (RFC 5321 §6.3)? Told by its Received fields: how many there are, and how many are ours. */
import { fieldBody, isField } from '../message/header-field.ts'
import type { HeaderField } from '../message/part.ts'

/** More Received fields than this, whoever wrote them, is a loop; RFC 5321 §6.3 asks for 100 at least. */
export const HOPS_MAX = 100
/** A mail that users pass on among themselves comes by this often; a loop, more often, and soon. */
export const OWN_PASSES_MAX = 10
/** For one recipient: a mail comes again when they have sent it on to somebody who sends it back. */
export const SAME_RECIPIENT_MAX = 3

export function isLoop(fields: readonly HeaderField[], hostname: string, recipients: readonly string[]): boolean {
  const received = fields.filter((field) => isField(field, 'Received'))
  if (received.length > HOPS_MAX) return true
  const ours = received.map(ownPass).filter((pass) => pass?.by === hostname.toLowerCase())
  if (ours.length > OWN_PASSES_MAX) return true
  const before = ours.filter((pass) => pass?.recipient !== undefined).map((pass) => pass?.recipient)
  return recipients.some((each) => before.filter((one) => one === each.toLowerCase()).length >= SAME_RECIPIENT_MAX)
}

/** A field in the form of `receivedField`, in lower case. */
function ownPass(field: HeaderField): { readonly by: string; readonly recipient: string | undefined } | undefined {
  const [, by, recipient] = OWN_FORM.exec(fieldBody(field).toLowerCase()) ?? []
  return by === undefined ? undefined : { by, recipient }
}

const OWN_FORM = /^(?:from \S+ \([^()]*\) )?by (\S+) with [^;<]* id [0-9a-f-]{36}(?: for <([^<>]+)>)?; /
