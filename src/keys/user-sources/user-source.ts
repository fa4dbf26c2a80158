/** Somebody beside our own table who knows users and their passwords: a directory, a file. */
import type { Address } from '../../message/address.ts'
import type { AccountSource } from '../../store/accounts.ts'

export interface FoundUser {
  readonly address: Address
  /** Which entry it is, for as long as there is that entry; missing when the source does not say. */
  readonly entryId?: string | undefined
}

/** `nobody`: there is no such user here. `busy`: it could not be found out now, for there is too much to do. */
export type Proof =
  | { readonly kind: 'right'; readonly user: FoundUser }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'busy' }

/** All functions reject with `SourceDown` when it cannot be told: that a user does not exist is said only by who knows. */
export interface UserSource {
  readonly name: Exclude<AccountSource, 'table'>
  /** The user whose mail comes under `address`: that one's, or by an alias. */
  find(address: Address): Promise<FoundUser | undefined>
  verify(address: Address, password: string): Promise<Proof>
  /** Whether its entries can be told from each other when one gets another's address; missing: it has no entries. */
  saysWhichEntry?(): Promise<boolean>
  close(): void
}

/** Try again later; the message says why. */
export class SourceDown extends Error {
  override readonly name: string = 'SourceDown'
}
