/** String-to-Key specifiers (RFC 9580 §3.7): how a password becomes a key. */
import { Buffer } from 'node:buffer'
import { argon2Sync, createHash } from 'node:crypto'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { type HashRow, hashById } from '../algorithms/hashes.ts'
import type { Cursor } from '../packets/cursor.ts'

export type S2k =
  | { readonly kind: 'simple'; readonly hash: HashRow }
  | { readonly kind: 'salted'; readonly hash: HashRow; readonly salt: Uint8Array }
  /** `count` is the octet that stands for how many octets are hashed. */
  | { readonly kind: 'iterated'; readonly hash: HashRow; readonly salt: Uint8Array; readonly count: number }
  /** `memory` is the power of two of KiB. */
  | {
      readonly kind: 'argon2'
      readonly salt: Uint8Array
      readonly passes: number
      readonly lanes: number
      readonly memory: number
    }

const TYPE = { simple: 0, salted: 1, iterated: 3, argon2: 4 } as const
const SALT_BYTES = 8
const ARGON2_SALT_BYTES = 16
/** Two GiB, which the first choice of RFC 9106 §4 needs. */
const ARGON2_MEMORY_MAX = 21
/** KiB written in all passes: some ten seconds. */
const ARGON2_WORK_MAX_KIB = 2 ** 22
const HASHED_AT_ONCE_BYTES = 2 ** 16

/** `undefined` for kinds and hashes that are not ours, of which nobody can say how long they are. Throws Malformed. */
export function readS2k(cursor: Cursor): S2k | undefined {
  const type = cursor.u8()
  if (type === TYPE.argon2) {
    const salt = cursor.take(ARGON2_SALT_BYTES)
    return { kind: 'argon2', salt, passes: cursor.u8(), lanes: cursor.u8(), memory: cursor.u8() }
  }
  const hash = hashById(cursor.u8())
  if (hash === undefined) return undefined
  switch (type) {
    case TYPE.simple:
      return { kind: 'simple', hash }
    case TYPE.salted:
      return { kind: 'salted', hash, salt: cursor.take(SALT_BYTES) }
    case TYPE.iterated:
      return { kind: 'iterated', hash, salt: cursor.take(SALT_BYTES), count: cursor.u8() }
    default:
      return undefined
  }
}

export function writeS2k(s2k: S2k): Uint8Array {
  if (s2k.kind === 'argon2') {
    const { salt, passes, lanes, memory } = s2k
    return concatBytes([Uint8Array.of(TYPE.argon2), salt, Uint8Array.of(passes, lanes, memory)])
  }
  const head = Uint8Array.of(TYPE[s2k.kind], s2k.hash.id)
  if (s2k.kind === 'simple') return head
  return concatBytes([head, s2k.salt, ...(s2k.kind === 'iterated' ? [Uint8Array.of(s2k.count)] : [])])
}

/** The key of a password. Throws Malformed when it would cost more than we spend. */
export function deriveFromPassword(s2k: S2k, password: string, keyBytes: number): Uint8Array {
  if (s2k.kind === 'argon2') return deriveArgon2(s2k, password, keyBytes)
  const salt = s2k.kind === 'simple' ? new Uint8Array() : s2k.salt
  const hashed = concatBytes([salt, utf8(password)])
  const octets = s2k.kind === 'iterated' ? Math.max(hashedOctets(s2k.count), hashed.length) : hashed.length
  const blocks: Uint8Array[] = []
  for (let zeros = 0; zeros * s2k.hash.lengthBytes < keyBytes; zeros++)
    blocks.push(digestOf(s2k.hash, zeros, hashed, octets))
  return concatBytes(blocks).subarray(0, keyBytes)
}

/** RFC 9580 §3.7.1.3. */
const hashedOctets = (count: number): number => (16 + (count & 15)) * 2 ** ((count >> 4) + 6)

/** Of as many zeros, then `octets` octets of `hashed`, again and again. */
function digestOf({ name }: HashRow, zeros: number, hashed: Uint8Array, octets: number): Uint8Array {
  const hash = createHash(name).update(new Uint8Array(zeros))
  if (hashed.length === 0) return hash.digest()
  const repeated = Buffer.alloc(Math.ceil(HASHED_AT_ONCE_BYTES / hashed.length) * hashed.length, hashed)
  for (let left = octets; left > 0; left -= repeated.length) hash.update(repeated.subarray(0, left))
  return hash.digest()
}

function deriveArgon2(
  { salt, passes, lanes, memory }: Extract<S2k, { kind: 'argon2' }>,
  password: string,
  keyBytes: number,
): Uint8Array {
  const memoryKib = 2 ** memory
  const isSane = passes > 0 && lanes > 0 && memory <= ARGON2_MEMORY_MAX && memoryKib >= 8 * lanes
  if (!isSane || passes * memoryKib > ARGON2_WORK_MAX_KIB)
    throw new Malformed('the password would take more work than we spend on one')
  const parameters = { parallelism: lanes, tagLength: keyBytes, memory: memoryKib, passes }
  return argon2Sync('argon2id', { message: utf8(password), nonce: salt, ...parameters })
}
