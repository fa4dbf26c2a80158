/**
 * Whether an address still belongs to the user who has it here: the directory may have given it to somebody else. Then nobody
 * gets keys or mail before an administrator has said whose they are (decision 0076).
 */
import type { Clock } from '../../base/clock.ts'
import * as events from '../../base/events.ts'
import { setAccountEntry } from '../../store/account-entries.ts'
import { type Account, findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import type { Store } from '../../store/database.ts'
import { type FoundUser, SourceDown } from './user-source.ts'

/** The source has another entry under the address than the one that the account is of. */
export class AddressDisputed extends SourceDown {
  override readonly name = 'AddressDisputed'
}

type Entries = Pick<Account, 'entryId' | 'otherEntryId'>

/** What is known after the source has said `entryId`; the same object when that is no news. */
export function entriesAfter(known: Entries, entryId: string | undefined): Entries {
  if (entryId === undefined) return known
  const isSame = known.entryId === null || known.entryId === entryId
  const next = isSame ? { entryId, otherEntryId: null } : { entryId: known.entryId, otherEntryId: entryId }
  return next.entryId === known.entryId && next.otherEntryId === known.otherEntryId ? known : next
}

/** The account as it is now. Rejects with `AddressDisputed` when it is, or may be, another entry's; that is said once. */
export async function sameEntry(
  deps: { readonly store: Store; readonly clock: Clock },
  known: Account,
  { entryId }: FoundUser,
  source: string,
): Promise<Account> {
  const account = entriesAfter(known, entryId) === known ? known : await keep(deps, known, entryId, source)
  if (account.otherEntryId === null) return account
  throw new AddressDisputed(`${account.address} is another entry's now: ${account.otherEntryId}`)
}

async function keep(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  known: Account,
  entryId: string | undefined,
  source: string,
): Promise<Account> {
  const { address } = known
  const { before, next } = await store.commit(async (tx) => {
    const before = await findAccount(tx, address)
    if (before?.id !== known.id) throw new SourceDown(`${address} has just been given to somebody else`)
    const next = entriesAfter(before, entryId)
    if (next === before || next.entryId === null) return { before, next } // somebody was faster
    await setAccountEntry(tx, before.id, { ...next, entryId: next.entryId })
    const change = changeOf(before, next)
    if (change !== undefined) {
      const detail = `entry ${next.entryId}${next.otherEntryId === null ? '' : `, now ${next.otherEntryId}`}`
      await audit(tx, {
        nowMs: clock.nowMs(),
        actor: `users:${source}`,
        operation: `user ${change}`,
        subject: address,
        detail,
      })
    }
    return { before, next }
  })
  const facts = { address, source, entry: next.entryId, otherEntry: next.otherEntryId }
  const change = changeOf(before, next)
  if (change === 'disputed') events.userDisputed(facts)
  if (change === 'settled') events.userSettled(facts)
  return { ...before, ...next }
}

/** `undefined`: it has said for the first time which entry it is, or nothing new. */
function changeOf(before: Entries, next: Entries): 'disputed' | 'settled' | undefined {
  if (before.otherEntryId === next.otherEntryId) return undefined
  return next.otherEntryId === null ? 'settled' : 'disputed'
}
