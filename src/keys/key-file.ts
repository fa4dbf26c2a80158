/** Key files as people have them, of whichever standard. */
import { type Result, fail } from '../base/result.ts'
import { STANDARDS } from '../protection/jobs.ts'
import type { KeyFile } from '../protection/standard.ts'

/**
 * Whatever certificates and private keys a file holds. A key that cannot be read is an error even beside certificates
 * that can. The password is for what is under one; with files that are under none it does no harm.
 */
export function readKeyFile(file: Uint8Array, password = ''): Result<KeyFile> {
  for (const standard of STANDARDS) {
    const read = standard.readKeyFile(file, password)
    if (read !== undefined) return read
  }
  return fail('It is no key or certificate file: neither PEM nor DER, nor one of OpenPGP')
}
