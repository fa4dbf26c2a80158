/** Signature packets of version 3, 4 and 6 (RFC 9580 §5.2): read once, judged elsewhere. */
import { concatBytes, hex } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { hashById } from '../algorithms/hashes.ts'
import { Cursor } from '../packets/cursor.ts'
import { uint32 } from '../keys/key-packet.ts'
import { SUBPACKET, type Subpacket, readSubpackets, unknownCritical } from './subpackets.ts'

/** What a signature is about (RFC 9580 §5.2.1). */
export const SIGNATURE_TYPE = {
  BINARY: 0x00,
  TEXT: 0x01,
  STANDALONE: 0x02,
  CERTIFICATION: 0x10,
  PERSONA_CERTIFICATION: 0x11,
  CASUAL_CERTIFICATION: 0x12,
  POSITIVE_CERTIFICATION: 0x13,
  SUBKEY_BINDING: 0x18,
  PRIMARY_KEY_BINDING: 0x19,
  DIRECT_KEY: 0x1f,
  KEY_REVOCATION: 0x20,
  SUBKEY_REVOCATION: 0x28,
  CERTIFICATION_REVOCATION: 0x30,
} as const

export interface Signature {
  /** 3, 4 or 6. */
  readonly version: number
  readonly type: number
  readonly algorithm: number
  readonly hash: number
  /** Missing where it was not signed along: then the signature does not count (RFC 9580 §5.2.3.11). */
  readonly createdMs?: number
  /** Since when it does not hold any more. */
  readonly expiresMs?: number
  /** What was signed along; empty in version 3. */
  readonly hashed: readonly Subpacket[]
  /** Hints only: anybody can change them. */
  readonly unhashed: readonly Subpacket[]
  /** Random octets in front of what is hashed; empty before version 6. */
  readonly salt: Uint8Array
  /** What is hashed behind the data (RFC 9580 §5.2.4). */
  readonly trailer: Uint8Array
  /** The first 16 bits of the digest. */
  readonly left16: number
  /** The algorithm's own part. */
  readonly values: Uint8Array
  readonly body: Uint8Array
  /** Lower-case hex, as far as the signature says who made it; of hints too, because a wrong one finds a key that does not fit. */
  readonly issuerFingerprint?: string
  readonly issuerKeyId?: string
  /** One sentence: it asks for something that is not understood, so it does not count. */
  readonly notUnderstood?: string
}

/** Reads the body of a signature packet. Throws Malformed, also for versions that we do not know. */
export function readSignature(body: Uint8Array): Signature {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  switch (version) {
    case 2: // written by PGP 2 and read like version 3
    case 3:
      return readVersion3(cursor, body)
    case 4:
    case 6:
      return readWithSubpackets(version, cursor, body)
    default:
      throw new Malformed(`a signature of version ${version} is not supported`)
  }
}

function readVersion3(cursor: Cursor, body: Uint8Array): Signature {
  if (cursor.u8() !== 5) throw new Malformed('the signature is malformed')
  const trailer = cursor.take(5)
  const [type] = trailer
  const issuerKeyId = hex(cursor.take(8))
  return {
    version: 3,
    type: type as number,
    createdMs: new Cursor(trailer.subarray(1)).u32() * 1000,
    issuerKeyId,
    algorithm: cursor.u8(),
    hash: cursor.u8(),
    hashed: [],
    unhashed: [],
    salt: new Uint8Array(),
    trailer,
    left16: cursor.u16(),
    values: cursor.rest(),
    body,
  }
}

function readWithSubpackets(version: 4 | 6, cursor: Cursor, body: Uint8Array): Signature {
  const [type, algorithm, hash] = [cursor.u8(), cursor.u8(), cursor.u8()]
  const areaLength = (): number => (version === 6 ? cursor.u32() : cursor.u16())
  const hashed = readSubpackets(cursor.take(areaLength()))
  const head = body.subarray(0, body.length - cursor.left)
  const unhashed = readSubpackets(cursor.take(areaLength()))
  const left16 = cursor.u16()
  const salt = version === 6 ? readSalt(cursor, hash) : new Uint8Array()
  return {
    version,
    type,
    algorithm,
    hash,
    hashed,
    unhashed,
    salt,
    trailer: trailerOf(version, head),
    left16,
    values: cursor.rest(),
    body,
    ...readTimes(hashed),
    ...readIssuer([...hashed, ...unhashed]),
    ...readCriticals(hashed),
  }
}

/** The fields from the version to the hashed area, and what says how long they are (RFC 9580 §5.2.4). */
export const trailerOf = (version: 4 | 6, head: Uint8Array): Uint8Array =>
  concatBytes([head, Uint8Array.of(version, 0xff), uint32(head.length)])

/** Its length is the hash's own, or the signature is malformed (RFC 9580 §5.2.3). */
function readSalt(cursor: Cursor, hash: number): Uint8Array {
  const salt = cursor.take(cursor.u8())
  const expected = hashById(hash)?.saltBytes
  if (expected !== undefined && expected !== salt.length) throw new Malformed('the salt has the wrong length')
  return salt
}

function readTimes(hashed: readonly Subpacket[]): Pick<Signature, 'createdMs' | 'expiresMs'> {
  const created = secondsIn(hashed, SUBPACKET.CREATION_TIME)
  if (created === undefined) return {}
  const lifetime = secondsIn(hashed, SUBPACKET.EXPIRATION_TIME) ?? 0
  const createdMs = created * 1000
  return lifetime === 0 ? { createdMs } : { createdMs, expiresMs: createdMs + lifetime * 1000 }
}

/** The number in the last subpacket of this type: where there are several, the last one counts (RFC 9580 §5.2.3.9). */
export function secondsIn(subpackets: readonly Subpacket[], type: number): number | undefined {
  const found = lastOf(subpackets, type)
  if (found === undefined) return undefined
  if (found.body.length !== 4) throw new Malformed('a time is malformed')
  return new Cursor(found.body).u32()
}

export const lastOf = (subpackets: readonly Subpacket[], type: number): Subpacket | undefined =>
  subpackets.findLast((subpacket) => subpacket.type === type)

function readIssuer(subpackets: readonly Subpacket[]): Pick<Signature, 'issuerFingerprint' | 'issuerKeyId'> {
  const fingerprint = subpackets.find(({ type, body }) => type === SUBPACKET.ISSUER_FINGERPRINT && body.length > 1)
  const keyId = subpackets.find(({ type, body }) => type === SUBPACKET.ISSUER_KEY_ID && body.length === 8)
  return {
    ...(fingerprint === undefined ? {} : { issuerFingerprint: hex(fingerprint.body.subarray(1)) }),
    ...(keyId === undefined ? {} : { issuerKeyId: hex(keyId.body) }),
  }
}

function readCriticals(hashed: readonly Subpacket[]): Pick<Signature, 'notUnderstood'> {
  const notUnderstood = unknownCritical(hashed)
  return notUnderstood === undefined ? {} : { notUnderstood }
}
