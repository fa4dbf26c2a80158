/** A mailbox of the store as the maildrop of one POP3 session. */
import { BytesMissing } from '../store/bytes/sealing.ts'
import type { Store } from '../store/database.ts'
import { deleteFromMailbox, listMailbox } from '../store/mailboxes.ts'
import { type Maildrop, MessageGone } from './pop3/maildrop.ts'

/** Takes the snapshot: all messages of the account, the oldest first. */
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
        // Bytes that are missing while their row is there are a loss, which must not look like a deletion.
        const deleted = error instanceof BytesMissing && !(await isListed(store, accountId, id))
        throw deleted ? new MessageGone() : error
      }
    },
    async remove(ids) {
      await store.commit((tx) => deleteFromMailbox(tx, accountId, ids))
    },
  }
}

async function isListed(store: Store, accountId: number, id: number): Promise<boolean> {
  return (await listMailbox(store.db, accountId)).some((item) => item.id === id)
}
