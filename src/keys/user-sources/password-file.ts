/** A file of users, one a line: `address:hash`, and perhaps `:alias,alias`. Blank lines and those that begin with # are none. */
import { type Result, fail, ok } from '../../base/result.ts'
import { type Address, addressKey, parseAddress } from '../../message/address.ts'
import { isPasswordHash } from '../password.ts'

/** A million users with a hash and an alias each. */
export const PASSWORD_FILE_MAX_BYTES = 2 ** 28

export interface FileUser {
  readonly address: Address
  /** PHC string, as keys/password.ts reads it. */
  readonly hash: string
}

/** Of what other programs write in front of the same hash. */
const SCHEME = /^\{ARGON2ID\}/i

/**
 * By `addressKey`, aliases too. One line that is wrong makes the whole file wrong, for what it leaves out would be users
 * whose mail is refused; the error names the line. So does a file without a user: it is about to be written.
 */
export function parsePasswordFile(text: string): Result<ReadonlyMap<string, FileUser>> {
  const users = new Map<string, FileUser>()
  for (const [index, line] of text.split('\n').entries()) {
    const why = addLine(users, line.trim())
    if (why !== undefined) return fail(`line ${index + 1}: ${why}`)
  }
  return users.size === 0 ? fail('there is no user in it') : ok(users)
}

/** Why the line is wrong. */
function addLine(users: Map<string, FileUser>, line: string): string | undefined {
  if (line === '' || line.startsWith('#')) return undefined
  const [name = '', written = '', aliases = '', ...more] = line.split(':')
  const address = parseAddress(name.trim())
  if (address === undefined) return 'begins with no e-mail address'
  if (more.length > 0) return 'has more than address, hash and aliases'
  const hash = written.trim().replace(SCHEME, '')
  if (!isPasswordHash(hash)) return 'has no Argon2id hash; write one that begins with $argon2id$v=19$'
  const names = [
    address,
    ...aliases.split(',').flatMap((alias) => (alias.trim() === '' ? [] : [parseAddress(alias.trim())])),
  ]
  for (const each of names) {
    if (each === undefined) return 'has an alias that is no e-mail address'
    if (users.has(addressKey(each))) return `has ${each}, which stands in the file already`
    users.set(addressKey(each), { address, hash })
  }
  return undefined
}
