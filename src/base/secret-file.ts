/** A password or key that stands in the first line of a file, so that it is not in the configuration. */
import { readFile } from 'node:fs/promises'

/** Rejects, naming the file, when it cannot be read or its first line is empty. */
export async function readSecret(file: string): Promise<string> {
  const [secret = ''] = (await readFile(file, 'utf8')).split(/\r?\n/, 1)
  if (secret === '') throw new Error(`${file} has no password in its first line`)
  return secret
}
