/** Whose an address is that the directory has for another entry now: still the same user's, or somebody else's. */
import { type Address, domainOf, sameAddress } from '../../message/address.ts'
import { forgetEntries, freeAddress, setAccountEntry } from '../../store/account-entries.ts'
import { type Account, findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import { holdItems, listQueue } from '../../store/queue.ts'
import type { Tx } from '../../store/schema.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'

/** Everybody else's commit waits for so many rows. */
const ACCOUNTS_AT_ONCE = 500

/** It is the same user, by another entry: they go on with their keys and their mail. */
export async function confirmUser(desk: Desk, input: { address: string }): Promise<Address> {
  const address = needAddress(input.address)
  return await desk.store.commit(async (tx) => {
    const { id, otherEntryId: entryId } = await needDisputed(tx, address)
    await setAccountEntry(tx, id, { entryId, otherEntryId: null })
    await note(desk, tx, 'user confirm', address, `entry ${entryId}`)
    return address
  })
}

/** All users are the same by other entries, as when the directory was made anew: each takes the one that is found next. */
export async function confirmAllUsers(desk: Desk): Promise<void> {
  await desk.store.commit((tx) => note(desk, tx, 'user confirm', '*', 'all entries forgotten'))
  while ((await desk.store.commit((tx) => forgetEntries(tx, ACCOUNTS_AT_ONCE))) === ACCOUNTS_AT_ONCE);
}

/**
 * The address is somebody else's, who begins anew at their next mail or sign-in. The user who had it is removed: keys and mail
 * are kept, and come to nobody; the certificates are revoked here; what is still in the queue for them is held. Returns how many that is.
 */
export async function reassignAddress(
  desk: Desk,
  input: { address: string },
): Promise<{ address: Address; held: number }> {
  const address = needAddress(input.address)
  const nowMs = desk.clock.nowMs()
  return await desk.store.commit(async (tx) => {
    const former = await needDisputed(tx, address)
    const keys = await desk.privateKeys.putAway(tx, address, nowMs)
    await desk.publicKeys.revokeAllOf(tx, address, nowMs)
    await desk.correspondents.forget(tx, address)
    const waiting = (await listQueue(tx, { domain: domainOf(address) })).filter((item) =>
      sameAddress(item.recipient, address),
    )
    const held = await holdItems(
      tx,
      waiting.map(({ id }) => id),
      `for who had ${address} before it was given to somebody else`,
    )
    await freeAddress(tx, former)
    const detail = `from entry ${former.entryId} to ${former.otherEntryId}; account ${former.id}, ${keys} keys put away, ${held.length} mails held`
    await note(desk, tx, 'user reassign', address, detail)
    return { address, held: held.length }
  })
}

async function needDisputed(tx: Tx, address: Address): Promise<Account & { readonly otherEntryId: string }> {
  const account = await findAccount(tx, address)
  if (account === undefined) throw new OperationRefused(`There is no user ${address}`)
  const { otherEntryId } = account
  if (otherEntryId === null)
    throw new OperationRefused(`The directory has nobody else under ${address}, as far as it was asked`)
  return { ...account, otherEntryId }
}

function note(desk: Desk, tx: Tx, operation: string, subject: string, detail: string): Promise<void> {
  return audit(tx, { nowMs: desk.clock.nowMs(), actor: desk.actor, operation, subject, detail })
}
