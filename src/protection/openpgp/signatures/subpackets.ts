/** Signature subpackets (RFC 9580 §5.2.3.7): read from an area, written into one. */
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { Cursor } from '../packets/cursor.ts'
import { writeLength } from '../packets/packet-header.ts'

/** Types that we understand, or may pass over in good conscience even when they are critical (RFC 9580 §5.2.3.7). */
export const SUBPACKET = {
  CREATION_TIME: 2,
  EXPIRATION_TIME: 3,
  EXPORTABLE: 4,
  TRUST: 5,
  REGULAR_EXPRESSION: 6,
  REVOCABLE: 7,
  KEY_EXPIRATION_TIME: 9,
  PREFERRED_CIPHERS: 11,
  REVOCATION_KEY: 12,
  ISSUER_KEY_ID: 16,
  NOTATION: 20,
  PREFERRED_HASHES: 21,
  PREFERRED_COMPRESSION: 22,
  KEY_SERVER_PREFERENCES: 23,
  PREFERRED_KEY_SERVER: 24,
  PRIMARY_USER_ID: 25,
  POLICY_URI: 26,
  KEY_FLAGS: 27,
  SIGNERS_USER_ID: 28,
  REVOCATION_REASON: 29,
  FEATURES: 30,
  SIGNATURE_TARGET: 31,
  EMBEDDED_SIGNATURE: 32,
  ISSUER_FINGERPRINT: 33,
  INTENDED_RECIPIENT: 35,
  PREFERRED_AEAD: 39,
} as const

const KNOWN: ReadonlySet<number> = new Set(Object.values(SUBPACKET))

export interface Subpacket {
  readonly type: number
  readonly critical: boolean
  readonly body: Uint8Array
}

/** All subpackets of one area, in their order. Throws Malformed. */
export function readSubpackets(area: Uint8Array): readonly Subpacket[] {
  const cursor = new Cursor(area)
  const found: Subpacket[] = []
  while (cursor.left > 0) {
    const length = readSubpacketLength(cursor)
    if (length === 0) throw new Malformed('a subpacket without a type')
    const type = cursor.u8()
    found.push({ type: type & 0x7f, critical: (type & 0x80) !== 0, body: cursor.take(length - 1) })
  }
  return found
}

/** Like the length of a packet, without the partial ones: 224 to 254 begin a length of two octets too. */
function readSubpacketLength(cursor: Cursor): number {
  const first = cursor.u8()
  if (first < 192) return first
  return first === 255 ? cursor.u32() : (first - 192) * 2 ** 8 + cursor.u8() + 192
}

export function writeSubpackets(subpackets: readonly Subpacket[]): Uint8Array {
  return concatBytes(
    subpackets.flatMap(({ type, critical, body }) => [
      Uint8Array.of(...writeLength(body.length + 1), critical ? type | 0x80 : type),
      body,
    ]),
  )
}

/** What is critical and not understood: then the signature does not count (RFC 9580 §5.2.3.7). */
export function unknownCritical(subpackets: readonly Subpacket[]): string | undefined {
  for (const { type, critical } of subpackets) {
    if (!critical) continue
    // Notations bind their reader to a meaning, and none of theirs is known here.
    if (type === SUBPACKET.NOTATION) return 'a critical notation that is not known'
    if (!KNOWN.has(type)) return `a critical subpacket of type ${type} that is not known`
  }
  return undefined
}
