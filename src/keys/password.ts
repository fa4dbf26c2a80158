/** Passwords: Argon2id (RFC 9106) in the PHC string format, few at once, and as slow for a user that does not exist. */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Buffer } from 'node:buffer'
import { utf8 } from '../base/bytes.ts'
import { Turns } from '../base/turns.ts'
import { RightPasswords } from './right-passwords.ts'

/** Memory, passes and lanes of new hashes. A hash carries its own, so these can be raised at any time. */
export const ARGON2_MEMORY_KIB = 19_456
export const ARGON2_PASSES = 2
export const ARGON2_LANES = 1
/** Longer than any passphrase; a hash of a megabyte would be work for nothing. */
export const PASSWORD_MAX_BYTES = 1024
/** At once: each takes a thread of the pool and ARGON2_MEMORY_KIB. */
const RUNNING_MAX = 2
/** More than these are told to come back. */
const WAITING_MAX = 200
const SALT_BYTES = 16
const TAG_BYTES = 32
/** What a hash of ours or of another system may ask for: a stolen-in row must not take all memory. */
const MEMORY_MAX_KIB = 2 ** 21
const PASSES_MAX = 20
const LANES_MAX = 16

/** `busy`: too many at once; answer "try again" rather than "wrong". */
export type PasswordVerdict = 'right' | 'wrong' | 'busy'

interface Parameters {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

const NEW_HASHES: Parameters = { memoryKib: ARGON2_MEMORY_KIB, passes: ARGON2_PASSES, lanes: ARGON2_LANES }
const derive = promisify(argon2)

/** Serves the whole process; each has its own limit of what runs at once. */
export class Passwords {
  readonly #right = new RightPasswords()
  readonly #turns = new Turns({ runningMax: RUNNING_MAX, waitingMax: WAITING_MAX })

  /**
   * `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Throws when the password is empty or too long: ask `acceptablePassword` before;
   * and when too many wait.
   */
  async hash(password: string): Promise<string> {
    if (!acceptablePassword(password)) throw new Error('Empty or overlong password')
    const salt = randomBytes(SALT_BYTES)
    const tag = await this.#turns.run(() => tagOf(password, salt, NEW_HASHES, TAG_BYTES), tooMany)
    const { memoryKib, passes, lanes } = NEW_HASHES
    return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(tag)}`
  }

  /**
   * `hash` is `undefined` for an unknown user: the same work is done, and the answer is "wrong". Only "right" comes quickly,
   * when it was the answer a moment ago: whoever hears it knew the password.
   */
  async verify(password: string, hash: string | undefined): Promise<PasswordVerdict> {
    if (hash !== undefined && this.#right.has(prepared(password), hash)) return 'right'
    try {
      return await this.#turns.run(() => this.#compare(password, hash), tooMany)
    } catch (error) {
      if (error instanceof TooMany) return 'busy'
      throw error
    }
  }

  async #compare(password: string, hash: string | undefined): Promise<PasswordVerdict> {
    const known = hash === undefined ? undefined : parseHash(hash)
    const { salt, tag, parameters } = known ?? NOBODY
    const given = acceptablePassword(password) ? password : ''
    const found = await tagOf(given, salt, parameters, tag.length)
    const equal = timingSafeEqual(found, tag)
    if (!equal || hash === undefined || known === undefined || given === '') return 'wrong'
    this.#right.add(prepared(given), hash)
    return 'right'
  }
}

class TooMany extends Error {}
const tooMany = (): TooMany => new TooMany('Too many passwords at once, try again later')

export function acceptablePassword(password: string): boolean {
  const sizeBytes = prepared(password).length
  return sizeBytes > 0 && sizeBytes <= PASSWORD_MAX_BYTES
}

/** Of a kind that `verify` can check. */
export const isPasswordHash = (text: string): boolean => parseHash(text) !== undefined

/** True when the hash was made with other parameters than new ones are: hash again at the next sign-in. */
export function needsNewHash(hash: string): boolean {
  const parsed = parseHash(hash)
  if (parsed === undefined) return true
  const { memoryKib, passes, lanes } = parsed.parameters
  return memoryKib !== ARGON2_MEMORY_KIB || passes !== ARGON2_PASSES || lanes !== ARGON2_LANES
}

interface ParsedHash {
  readonly parameters: Parameters
  readonly salt: Uint8Array
  readonly tag: Uint8Array
}

const NOBODY: ParsedHash = { parameters: NEW_HASHES, salt: new Uint8Array(SALT_BYTES), tag: new Uint8Array(TAG_BYTES) }
const PHC = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

function parseHash(text: string): ParsedHash | undefined {
  const match = PHC.exec(text)
  if (match === null) return undefined
  const [, memory, passes, lanes, salt = '', tag = ''] = match
  const parameters = { memoryKib: Number(memory), passes: Number(passes), lanes: Number(lanes) }
  const tooMuch =
    parameters.memoryKib > MEMORY_MAX_KIB || parameters.passes > PASSES_MAX || parameters.lanes > LANES_MAX
  const tooLittle = parameters.passes < 1 || parameters.lanes < 1 || parameters.memoryKib < 8 * parameters.lanes
  if (tooMuch || tooLittle) return undefined
  return { parameters, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') }
}

function tagOf(password: string, salt: Uint8Array, parameters: Parameters, tagBytes: number): Promise<Uint8Array> {
  return derive('argon2id', {
    message: prepared(password),
    nonce: salt,
    parallelism: parameters.lanes,
    tagLength: tagBytes,
    memory: parameters.memoryKib,
    passes: parameters.passes,
  })
}

/** OpaqueString (RFC 8265 §4.2): any blank is a space, and NFC, so that a password is the same from every keyboard. */
function prepared(password: string): Uint8Array {
  return utf8(password.replace(/\p{Zs}/gu, ' ').normalize('NFC'))
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
