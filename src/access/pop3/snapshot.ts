import assert from 'node:assert/strict'
import type { Maildrop, MaildropMessage } from './maildrop.ts'
import type { OpenMaildrop } from './session-state.ts'

/** The maildrop with nothing marked as deleted. Throws when a unique-id is none, since clients would lose track of mail. */
export function takeSnapshot(maildrop: Maildrop): OpenMaildrop {
  for (const message of maildrop.messages) assert(UNIQUE_ID.test(message.uidl), `not a unique-id: ${message.uidl}`)
  return { maildrop, deleted: new Set(), remainingBytes: sizeOf(maildrop) }
}

/** The message of that number, unless there is none or it is marked as deleted. */
export function findMessage(open: OpenMaildrop, number: number): MaildropMessage | undefined {
  return open.deleted.has(number) ? undefined : open.maildrop.messages[number - 1]
}

/** Numbers and messages, without those marked as deleted. */
export function* remaining(open: OpenMaildrop): Generator<readonly [number: number, message: MaildropMessage], void> {
  for (const [index, message] of open.maildrop.messages.entries())
    if (!open.deleted.has(index + 1)) yield [index + 1, message]
}

/** Marks the message as deleted; false when there is none of that number. */
export function markDeleted(open: OpenMaildrop, number: number): boolean {
  const message = findMessage(open, number)
  if (message === undefined) return false
  open.deleted.add(number)
  open.remainingBytes -= message.sizeBytes
  return true
}

/** Unmarks all messages. */
export function unmarkAll(open: OpenMaildrop): void {
  open.deleted.clear()
  open.remainingBytes = sizeOf(open.maildrop)
}

/** Count and size of what is not marked as deleted. */
export function tally(open: OpenMaildrop): { readonly count: number; readonly sizeBytes: number } {
  return { count: open.maildrop.messages.length - open.deleted.size, sizeBytes: open.remainingBytes }
}

function sizeOf(maildrop: Maildrop): number {
  return maildrop.messages.reduce((sum, message) => sum + message.sizeBytes, 0)
}

const UNIQUE_ID = /^[\x21-\x7e]{1,70}$/ // RFC 1939 §7
