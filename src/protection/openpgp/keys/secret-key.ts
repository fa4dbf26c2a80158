/** Secret-key packets (RFC 9580 §5.5.3): open, or under a password. */
import { type KeyObject, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { concatBytes, equalBytes, latin1, utf8 } from '../../../base/bytes.ts'
import { need } from '../../malformed.ts'
import { type AeadInput, type AeadRow, aeadById, openAead, runsAead, sealAead } from '../algorithms/aeads.ts'
import { type CipherRow, cipherById, decryptCfb, encryptCfb } from '../algorithms/ciphers.ts'
import { hashById } from '../algorithms/hashes.ts'
import { Cursor } from '../packets/cursor.ts'
import type { Packet } from '../packets/packet.ts'
import { type KeyPacket, readPublicPart } from './key-packet.ts'
import { type S2k, deriveFromPassword, readS2k, writeS2k } from './s2k.ts'
import { readSecretMaterial, writeSecretMaterial } from './secret-material.ts'

export interface SecretKeyPacket {
  readonly packet: KeyPacket
  /**
   * `locked`: the password is missing or wrong, or its protection is not one of ours. `absent`: the secret half is somewhere
   * else, such as on a card, and only a note of GnuPG's stands here.
   */
  readonly state: 'open' | 'locked' | 'absent'
  /** The private keys of `packet`, when open. */
  readonly handles: readonly KeyObject[]
}

/** How the secret part is protected: the octet in front of it. Any other value is a cipher, its key the password's MD5. */
const USAGE = { OPEN: 0, AEAD: 253, SHA1: 254, CHECKSUM: 255 } as const
const MD5 = 1
const SHA256 = 8
const AES256 = 9
const OCB = 2
const SHA1_BYTES = 20
const CHECKSUM_BYTES = 2
/** Type of GnuPG's own specifier, behind which no secret key stands. */
const GNU_S2K = 101
const GNU_DUMMY = Uint8Array.of(USAGE.CHECKSUM, 0, GNU_S2K, 0, ...utf8('GNU'), 1)

/** Reads a secret-key or secret-subkey packet. Throws Malformed. */
export function readSecretKeyPacket({ type, body }: Packet, password?: string): SecretKeyPacket {
  const { packet, rest } = readPublicPart(body)
  const cursor = new Cursor(rest)
  const usage = cursor.u8()
  if (usage === USAGE.OPEN) {
    const material = packet.version === 6 ? cursor.rest() : withoutChecksum(cursor.rest())
    return open(packet, need(material, 'the checksum of the secret key is wrong'))
  }
  const protection = readProtection(usage, packet, cursor)
  if (protection === 'absent') return { packet, state: 'absent', handles: [] }
  const locked: SecretKeyPacket = { packet, state: 'locked', handles: [] }
  if (protection === undefined || password === undefined) return locked
  const material = unprotect(protection, type, packet, password)
  return material === undefined ? locked : open(packet, material)
}

const open = (packet: KeyPacket, material: Uint8Array): SecretKeyPacket => ({
  packet,
  state: 'open',
  handles: readSecretMaterial(packet, new Cursor(material)),
})

interface Protection {
  readonly usage: number
  readonly cipher: CipherRow
  readonly aead?: AeadRow
  readonly s2k: S2k
  /** Or the nonce. */
  readonly iv: Uint8Array
  readonly sealed: Uint8Array
}

/** `undefined` where a part of it is not one of ours. */
function readProtection(usage: number, { version }: KeyPacket, cursor: Cursor): Protection | 'absent' | undefined {
  if (version === 6) cursor.u8() // length of the next fields, each of which says its own
  const hasSpecifier = usage >= USAGE.AEAD
  const cipher = cipherById(hasSpecifier ? cursor.u8() : usage)
  const aead = usage === USAGE.AEAD ? aeadById(cursor.u8()) : undefined
  if (version === 6 && usage !== USAGE.CHECKSUM && hasSpecifier) cursor.u8() // length of the next field
  const ahead = cursor.rest()
  if (hasSpecifier && ahead[0] === GNU_S2K && latin1(ahead.subarray(2, 5)) === 'GNU') return 'absent'
  const more = new Cursor(ahead)
  const s2k = hasSpecifier ? readS2k(more) : { kind: 'simple' as const, hash: row(hashById(MD5)) }
  if (cipher === undefined || s2k === undefined || (usage === USAGE.AEAD && (aead === undefined || !runsAead(cipher))))
    return undefined
  const iv = more.take(aead?.nonceBytes ?? cipher.blockBytes)
  return { usage, cipher, s2k, iv, sealed: more.rest(), ...(aead === undefined ? {} : { aead }) }
}

/** `undefined` when it is not the password, or somebody has changed the bytes. */
function unprotect(protection: Protection, type: number, packet: KeyPacket, password: string): Uint8Array | undefined {
  const { usage, cipher, aead, s2k, iv, sealed } = protection
  const key = deriveFromPassword(s2k, password, cipher.keyBytes)
  if (aead !== undefined) return openAead(aeadInput({ cipher, aead, key, nonce: iv }, type, packet), sealed)
  const opened = decryptCfb(cipher, key, iv).update(sealed)
  if (usage !== USAGE.SHA1) return withoutChecksum(opened)
  const material = opened.subarray(0, -SHA1_BYTES)
  return equalBytes(sha1(material), opened.subarray(-SHA1_BYTES)) ? material : undefined
}

interface AeadKey {
  readonly cipher: CipherRow
  readonly aead: AeadRow
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

/** The public key is bound to the secret one (RFC 9580 §3.7.2.1). */
function aeadInput({ cipher, aead, key, nonce }: AeadKey, type: number, { version, body }: KeyPacket): AeadInput {
  const tag = 0xc0 | type
  const info = Uint8Array.of(tag, version, cipher.id, aead.id)
  const derived = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), info, cipher.keyBytes))
  return { cipher, aead, key: derived, nonce, associatedData: concatBytes([Uint8Array.of(tag), body]) }
}

const sha1 = (bytes: Uint8Array): Uint8Array => createHash('sha1').update(bytes).digest()

function checksum(bytes: Uint8Array): Uint8Array {
  const sum = bytes.reduce((total, byte) => (total + byte) % 2 ** 16, 0)
  return Uint8Array.of(sum >>> 8, sum & 0xff)
}

function withoutChecksum(bytes: Uint8Array): Uint8Array | undefined {
  const material = bytes.subarray(0, -CHECKSUM_BYTES)
  return equalBytes(checksum(material), bytes.subarray(-CHECKSUM_BYTES)) ? material : undefined
}

/**
 * The body of a secret-key or secret-subkey packet (`type`). Under a password: of version 4 as GnuPG 2.2 reads it, of
 * version 6 with Argon2 and OCB. Without handles: a note that the secret half is somewhere else (version 4 only).
 */
export function writeSecretKeyPacket(
  type: number,
  packet: KeyPacket,
  handles: readonly KeyObject[] | undefined,
  password?: string,
): Uint8Array {
  if (handles === undefined) return concatBytes([packet.body, GNU_DUMMY])
  const material = writeSecretMaterial(packet, handles)
  if (password === undefined) {
    const end = packet.version === 6 ? [] : [checksum(material)]
    return concatBytes([packet.body, Uint8Array.of(USAGE.OPEN), material, ...end])
  }
  const cipher = row(cipherById(AES256))
  return concatBytes([packet.body, ...(packet.version === 6 ? sealed6() : sealed4())])

  function sealed4(): Uint8Array[] {
    const s2k: S2k = { kind: 'iterated', hash: row(hashById(SHA256)), salt: randomBytes(8), count: ITERATED_COUNT }
    const iv = randomBytes(cipher.blockBytes)
    const key = deriveFromPassword(s2k, password ?? '', cipher.keyBytes)
    const ciphertext = encryptCfb(cipher, key, iv).update(concatBytes([material, sha1(material)]))
    return [Uint8Array.of(USAGE.SHA1, cipher.id), writeS2k(s2k), iv, ciphertext]
  }

  function sealed6(): Uint8Array[] {
    const s2k: S2k = { kind: 'argon2', salt: randomBytes(16), ...ARGON2 }
    const aead = row(aeadById(OCB))
    const nonce = randomBytes(aead.nonceBytes)
    const key = deriveFromPassword(s2k, password ?? '', cipher.keyBytes)
    const specifier = writeS2k(s2k)
    const parameters = [Uint8Array.of(cipher.id, aead.id, specifier.length), specifier, nonce]
    const length = parameters.reduce((sum, { length }) => sum + length, 0)
    const ciphertext = sealAead(aeadInput({ cipher, aead, key, nonce }, type, packet), material)
    return [Uint8Array.of(USAGE.AEAD, length), ...parameters, ciphertext]
  }
}

/** Octets hashed, about 65 million: as much as the octet can say (RFC 9580 §3.7.1.3). */
const ITERATED_COUNT = 0xff
/** 64 MiB, the second choice of RFC 9106 §4. */
const ARGON2 = { passes: 3, lanes: 4, memory: 16 } as const

function row<T>(found: T | undefined): T {
  if (found === undefined) throw new TypeError('an algorithm of ours is missing in its table')
  return found
}
