/**
 * A user's messages as they were at login. What arrives later is seen by the next login; message numbers stay what they
 * were (RFC 1939 §4). Several may be open for one user (docs/decisions/0008-pop3-without-lock.md).
 */
export interface Maildrop {
  /** In the order of their message numbers, which start at 1. */
  readonly messages: readonly MaildropMessage[]
  /**
   * The message byte for byte as it is stored, in chunks. Rejects with `MessageGone` before the first chunk when the
   * message has been removed meanwhile; with anything else when the store fails.
   */
  read(id: number): AsyncIterable<Uint8Array>
  /** Removes the messages for good; those that are gone already do no harm. Resolves when that is durable. */
  remove(ids: readonly number[]): Promise<void>
}

export interface MaildropMessage {
  readonly id: number
  /** Unique in the mailbox and never used again: 1 to 70 characters from 0x21 to 0x7E (RFC 1939 §7, UIDL). */
  readonly uidl: string
  readonly sizeBytes: number
}

/** Another terminal of the same user has removed the message since this one logged in. */
export class MessageGone extends Error {
  constructor() {
    super('The message has been removed')
    this.name = 'MessageGone'
  }
}
