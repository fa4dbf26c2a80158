/** Whose keys are published: those of active users, by the hash that stands for them in the directory. */
import { ChangeCache } from '../keys/change-cache.ts'
import { type Address, type Domain, domainOf, localPart } from '../message/address.ts'
import { wkdHash } from '../protocol/wkd.ts'
import { listAccounts } from '../store/accounts.ts'
import type { Store } from '../store/database.ts'

/** Our own domains, and no more than these. */
const DOMAINS_MAX = 10_000

export class PublishedUsers {
  readonly #cache: ChangeCache<ReadonlyMap<string, Address>>

  constructor(store: Store) {
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'accounts',
      entriesMax: DOMAINS_MAX,
      load: async (domain) => {
        const accounts = await listAccounts(store.db)
        const active = accounts.filter(({ status, address }) => status === 'active' && domainOf(address) === domain)
        return new Map(active.map(({ address }) => [wkdHash(localPart(address)), address]))
      },
    })
  }

  async named(domain: Domain, hash: string): Promise<Address | undefined> {
    return (await this.#cache.get(domain)).get(hash)
  }
}
