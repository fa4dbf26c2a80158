/** What a peer is told when it cannot be told whose an address is. */
import { AddressDisputed } from '../keys/user-sources/same-entry.ts'
import { SourceDown } from '../keys/user-sources/user-source.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'

/** X.2.1 of RFC 3463: the mailbox is there, and takes no mail for the moment. */
export async function orTryLater<T>(asked: () => Promise<T>): Promise<T | Reply> {
  try {
    return await asked()
  } catch (error) {
    if (error instanceof AddressDisputed)
      return reply(450, '4.2.1', 'This mailbox takes no mail for the moment, try again later')
    if (error instanceof SourceDown)
      return reply(451, '4.3.0', 'Cannot tell now whether there is such a user, try again later')
    throw error
  }
}
