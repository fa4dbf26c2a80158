/** With what we sign in at a smarthost: read when it is needed, so that a changed password needs no restart. */
import { readSecret } from '../base/secret-file.ts'
import type { Credentials } from './connection.ts'

/** Rejects, naming the file, when it cannot be read or holds no password. */
export async function readCredentials(
  row: { readonly user: string; readonly passwordFile: string } | undefined,
): Promise<Credentials | undefined> {
  if (row === undefined) return undefined
  return { user: row.user, password: await readSecret(row.passwordFile) }
}
