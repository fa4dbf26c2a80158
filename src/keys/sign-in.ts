/** A user proves who they are ("login" in docs/glossary.md): name and password, for every protocol alike. */
import { type Address, parseAddress } from '../message/address.ts'
import { type Account, findAccount } from '../store/accounts.ts'
import type { Store } from '../store/database.ts'
import type { Passwords } from './password.ts'

/** `busy`: it could not be found out now; try again. An unknown name and a wrong password look the same. */
export type SignIn = Account | 'wrong' | 'busy'

/** The name is the user's address. Suspended and removed users cannot sign in. */
export async function signIn(
  deps: { readonly store: Store; readonly passwords: Passwords },
  name: string,
  password: string,
): Promise<SignIn> {
  const address: Address | undefined = parseAddress(name.trim())
  const account = address === undefined ? undefined : await findAccount(deps.store.db, address)
  const active = account?.status === 'active' ? account : undefined
  const verdict = await deps.passwords.verify(password, active?.passwordHash)
  if (verdict === 'busy') return 'busy'
  return verdict === 'right' && active !== undefined ? active : 'wrong'
}
