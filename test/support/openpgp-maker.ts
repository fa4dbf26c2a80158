/** OpenPGP keys, certificates and messages of every shape for tests, right ones and wrong ones, packet by packet. */
import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import { type KeyPacket, newKeyPacket, uint32 } from '../../src/protection/openpgp/keys/key-packet.ts'
import { PACKET, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { certify, certifyBody } from '../../src/protection/openpgp/signatures/make.ts'
import type { CertifiedThing } from '../../src/protection/openpgp/signatures/signature-hash.ts'
import { SIGNATURE_TYPE } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { SUBPACKET, type Subpacket } from '../../src/protection/openpgp/signatures/subpackets.ts'

/** When all keys are made, unless an order says otherwise. */
export const MADE_MS = Date.UTC(2026, 0, 1)

export interface Pair {
  readonly packet: KeyPacket
  readonly handles: readonly KeyObject[]
}

const ALGORITHMS = { ed25519: 27, x25519: 25 } as const

export function makePair(
  kind: keyof typeof ALGORITHMS,
  { createdMs = MADE_MS, version = 4 }: { readonly createdMs?: number; readonly version?: 4 | 6 } = {},
): Pair {
  const { publicKey, privateKey } = kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')
  const packet = newKeyPacket({ version, algorithm: ALGORITHMS[kind], createdMs, publicKeys: [publicKey] })
  return { packet, handles: [privateKey] }
}

/** By whom, when, and what it says besides. */
export interface Signing {
  readonly by: Pair
  readonly atMs?: number
  readonly subpackets?: readonly Subpacket[]
}

const sign = (type: number, { by, atMs = MADE_MS, subpackets = [] }: Signing, thing: CertifiedThing): Uint8Array =>
  certify({ type, ...by, atMs, subpackets }, thing)

export const subpacket = (type: number, ...octets: readonly number[]): Subpacket => ({
  type,
  critical: false,
  body: Uint8Array.from(octets),
})

export const flags = (bits: number): Subpacket => subpacket(SUBPACKET.KEY_FLAGS, bits)
export const endsAfter = (seconds: number): Subpacket => subpacket(SUBPACKET.KEY_EXPIRATION_TIME, ...uint32(seconds))
export const reason = (code: number): Subpacket => subpacket(SUBPACKET.REVOCATION_REASON, code)

export const keyOf = ({ packet }: Pair): Uint8Array => writePacket(PACKET.PUBLIC_KEY, packet.body)
export const subkeyOf = ({ packet }: Pair): Uint8Array => writePacket(PACKET.PUBLIC_SUBKEY, packet.body)
export const userIdOf = (text: string): Uint8Array => writePacket(PACKET.USER_ID, utf8(text))

/** A signature that `text` names the owner of `of`. */
export const certifying = (of: Pair, text: string, signing: Signing): Uint8Array =>
  sign(SIGNATURE_TYPE.POSITIVE_CERTIFICATION, signing, {
    primary: of.packet,
    user: { type: PACKET.USER_ID, body: utf8(text) },
  })

export const binding = (of: Pair, subkey: Pair, signing: Signing): Uint8Array =>
  sign(SIGNATURE_TYPE.SUBKEY_BINDING, signing, { primary: of.packet, subkey: subkey.packet })

/** What a signing subkey says: it belongs to `to`. For the binding to carry. */
export function backSignature(subkey: Pair, to: Pair, atMs = MADE_MS): Subpacket {
  const plan = { type: SIGNATURE_TYPE.PRIMARY_KEY_BINDING, ...subkey, atMs }
  const body = certifyBody(plan, { primary: to.packet, subkey: subkey.packet })
  return { type: SUBPACKET.EMBEDDED_SIGNATURE, critical: false, body }
}

export const revoking = (of: Pair, signing: Signing): Uint8Array =>
  sign(SIGNATURE_TYPE.KEY_REVOCATION, signing, { primary: of.packet })

export const CERTIFY_AND_SIGN = 0x03
export const SIGN_ONLY = 0x02
export const ENCRYPT_ONLY = 0x0c

/** A person as the gateway makes them: a key that certifies, one that signs, and one to encrypt to. */
export interface Person {
  readonly primary: Pair
  readonly signing: Pair
  readonly encrypting: Pair
  readonly userId: string
  /** The packets in their order. */
  readonly packets: readonly Uint8Array[]
  readonly certificate: OpenpgpCertificate
}

export function makePerson(userId: string, createdMs = MADE_MS): Person {
  const primary = makePair('ed25519', { createdMs })
  const signing = makePair('ed25519', { createdMs })
  const encrypting = makePair('x25519', { createdMs })
  const by = { by: primary, atMs: createdMs }
  const packets = [
    keyOf(primary),
    userIdOf(userId),
    certifying(primary, userId, { ...by, subpackets: [flags(CERTIFY_AND_SIGN)] }),
    subkeyOf(signing),
    binding(primary, signing, { ...by, subpackets: [flags(SIGN_ONLY), backSignature(signing, primary, createdMs)] }),
    subkeyOf(encrypting),
    binding(primary, encrypting, { ...by, subpackets: [flags(ENCRYPT_ONLY)] }),
  ]
  return { primary, signing, encrypting, userId, packets, certificate: certificateOf(packets) }
}

export function certificateOf(packets: readonly Uint8Array[]): OpenpgpCertificate {
  const read = readOpenpgpCertificate(concatBytes(packets))
  assert.ok(read.ok, read.ok ? '' : read.error)
  return read.value
}
