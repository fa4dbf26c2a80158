/** Somebody beside our own table who knows users and their passwords: a directory, a file. */
import type { Address } from '../../message/address.ts'
import type { AccountSource } from '../../store/accounts.ts'

/** `nobody`: there is no such user here. `busy`: it could not be found out now, for there is too much to do. */
export type Proof =
  | { readonly kind: 'right'; readonly address: Address }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'busy' }

/** Both functions reject with `SourceDown` when it cannot be told: that a user does not exist is said only by who knows. */
export interface UserSource {
  readonly name: Exclude<AccountSource, 'table'>
  /** The address of the user whose mail comes under `address`: that one, or of an alias the user's own. */
  find(address: Address): Promise<Address | undefined>
  verify(address: Address, password: string): Promise<Proof>
  close(): void
}

/** Try again later; the message says why. */
export class SourceDown extends Error {
  override readonly name = 'SourceDown'
}
