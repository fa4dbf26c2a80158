/** A user proves who they are ("login" in docs/glossary.md): name and password, for every protocol alike. */
import { parseAddress } from '../message/address.ts'
import type { SignIn, Users } from './user-sources/users.ts'

/** The name is the user's address. Suspended, removed and absent users cannot sign in. */
export const signIn = (deps: { readonly users: Users }, name: string, password: string): Promise<SignIn> =>
  deps.users.signIn(parseAddress(name.trim()), password)
