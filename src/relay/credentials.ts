/** With what we sign in at a smarthost: read when it is needed, so that a changed password needs no restart. */
import { readFile } from 'node:fs/promises'
import type { Credentials } from './connection.ts'

/** Rejects, naming the file, when it cannot be read or holds no password. */
export async function readCredentials(
  row: { readonly user: string; readonly passwordFile: string } | undefined,
): Promise<Credentials | undefined> {
  if (row === undefined) return undefined
  const [password = ''] = (await readFile(row.passwordFile, 'utf8')).split(/\r?\n/, 1)
  if (password === '') throw new Error(`${row.passwordFile} has no password in its first line`)
  return { user: row.user, password }
}
