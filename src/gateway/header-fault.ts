/** Headers that are refused whatever they say, in and out. */
import { isField } from '../message/header-field.ts'
import type { Part } from '../message/part.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'
import { isLoop } from './routing-loop.ts'

/** They say how the body is read: of two that differ, a mail program may follow the other one than we do. */
const ONCE_ONLY = ['Content-Type', 'Content-Transfer-Encoding'] as const

/**
 * The refusal of a message that goes in circles, or that others may read differently than we do: what we would verify,
 * and what they would show, could then be two messages.
 */
export function headerFault(
  { fields, defects }: Part,
  { hostname, recipients }: { readonly hostname: string; readonly recipients: readonly string[] },
): Reply | undefined {
  if (isLoop(fields, hostname, recipients))
    return reply(554, '5.4.6', 'Routing loop: its Received fields say that it goes in circles')
  if (defects.includes('header-too-large')) return reply(554, '5.6.0', 'The header is too large or has too many fields')
  const twice = ONCE_ONLY.find((name) => fields.filter((field) => isField(field, name)).length > 1)
  return twice === undefined ? undefined : reply(554, '5.6.0', `The header has several ${twice} fields`)
}
