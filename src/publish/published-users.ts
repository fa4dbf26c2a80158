/** Whose keys are published: those of active users, whose address is nobody else's, by the hash that stands for them in the directory. */
import { type Address, type Domain, parseAddress } from '../message/address.ts'
import { findAccount, findAccountByWkd } from '../store/accounts.ts'
import type { Db } from '../store/schema.ts'

/** `local`: what the hash is of, where whoever asks has said so, as all do who follow the draft. */
export async function publishedUser(
  db: Db,
  domain: Domain,
  hash: string,
  local: string | undefined,
): Promise<Address | undefined> {
  const address = local === undefined ? undefined : parseAddress(`${local}@${domain}`)
  const account = await (address === undefined ? findAccountByWkd(db, domain, hash) : findAccount(db, address))
  return account?.status === 'active' && account.otherEntryId === null ? account.address : undefined
}
