/** A mailbox of the store as the maildrop of one POP3 session. */
import { BytesMissing } from '../store/bytes/message-bytes.ts'
import type { Store } from '../store/database.ts'
import { deleteFromMailbox, listMailbox } from '../store/mailboxes.ts'
import { type Maildrop, MessageGone } from './pop3/maildrop.ts'

export async function openMaildrop(store: Store, accountId: number): Promise<Maildrop> {
  const items = await listMailbox(store.db, accountId)
  const bytesOf = new Map(items.map((item) => [item.id, item.bytesId]))
  return {
    messages: items,
    async *read(id) {
      const bytesId = bytesOf.get(id)
      if (bytesId === undefined) throw new MessageGone()
      try {
        yield* store.bytes.stream(bytesId)
      } catch (error) {
        throw error instanceof BytesMissing ? new MessageGone() : error
      }
    },
    async remove(ids) {
      await store.commit((tx) => deleteFromMailbox(tx, accountId, ids))
    },
  }
}
