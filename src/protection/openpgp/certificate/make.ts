/** New certificates for our users (RFC 9580 §10.1). */
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import type { Address } from '../../../message/address.ts'
import type { ComponentKey } from '../../standard.ts'
import { publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import { type KeyPacket, newKeyPacket, uint32 } from '../keys/key-packet.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { type SignaturePlan, certify, certifyBody } from '../signatures/make.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { SUBPACKET, type Subpacket } from '../signatures/subpackets.ts'
import type { OpenpgpCertificate } from './certificate.ts'
import { FEATURE } from './preferences.ts'
import { readOpenpgpCertificate } from './read.ts'
import { KEY_FLAG } from './self-signatures.ts'

interface Profile {
  readonly version: 4 | 6
  /** By their numbers; the primary key signs only what is about the certificate. */
  readonly primary: number
  readonly signing: number
  readonly encryption: number
}

/** `v4`: what every program reads. `v6`: RFC 9580. `v6-pq`: with post-quantum algorithms too (RFC 9980). */
export const PROFILES = {
  v4: { version: 4, primary: 22, signing: 22, encryption: 18 },
  v6: { version: 6, primary: 27, signing: 27, encryption: 25 },
  'v6-pq': { version: 6, primary: 30, signing: 30, encryption: 35 },
} as const satisfies Readonly<Record<string, Profile>>

export type CertificateProfile = keyof typeof PROFILES

export interface CertificatePlan {
  readonly profile: CertificateProfile
  readonly address: Address
  readonly createdMs: number
  /** Never, where nothing is said. */
  readonly expiresMs?: number
}

export interface MadeCertificate {
  readonly certificate: OpenpgpCertificate
  /** The primary key first. */
  readonly subkeys: readonly ComponentKey[]
}

interface Pair {
  readonly packet: KeyPacket
  readonly handles: readonly KeyObject[]
}

/** A primary key, a subkey that signs, a subkey to encrypt to, and the address as user id. */
export function makeCertificate({ profile, address, createdMs, expiresMs }: CertificatePlan): MadeCertificate {
  const { version, primary: algorithm, signing, encryption } = PROFILES[profile]
  const primary = makePair(version, algorithm, createdMs)
  const subkeys = [makePair(version, signing, createdMs), makePair(version, encryption, createdMs)] as const
  const plan = { ...primary, atMs: createdMs }
  const validity = expiresMs === undefined ? [] : [keyExpires(primary.packet, expiresMs)]
  const ofKey = [octets(SUBPACKET.KEY_FLAGS, KEY_FLAG.CERTIFY), ...validity, ...PREFERENCES]
  const user = { type: PACKET.USER_ID, body: utf8(`<${address}>`) }
  const isPrimaryId = octets(SUBPACKET.PRIMARY_USER_ID, 1)
  const encoded = concatBytes([
    writePacket(PACKET.PUBLIC_KEY, primary.packet.body),
    // in version 6 all that is about the key as a whole stands in one place (RFC 9580 §10.1.1)
    ...(version === 6
      ? [certify({ ...plan, type: SIGNATURE_TYPE.DIRECT_KEY, subpackets: ofKey }, { primary: primary.packet })]
      : []),
    writePacket(user.type, user.body),
    certify(
      {
        ...plan,
        type: SIGNATURE_TYPE.POSITIVE_CERTIFICATION,
        subpackets: version === 6 ? [isPrimaryId] : [...ofKey, isPrimaryId],
      },
      { primary: primary.packet, user },
    ),
    ...subkeys.flatMap((subkey) => bindSubkey(plan, subkey, expiresMs)),
  ])
  const read = readOpenpgpCertificate(encoded)
  if (!read.ok) throw new Error(`a certificate that we made cannot be read: ${read.error}`)
  return {
    certificate: read.value,
    subkeys: [primary, ...subkeys].map(({ packet, handles }) => ({ fingerprint: packet.fingerprint, handles })),
  }
}

function bindSubkey(plan: Omit<SignaturePlan, 'type'>, subkey: Pair, expiresMs: number | undefined): Uint8Array[] {
  const thing = { primary: plan.packet, subkey: subkey.packet }
  const signs = publicKeyAlgorithm(subkey.packet.algorithm)?.signs === true
  const validity = expiresMs === undefined ? [] : [keyExpires(subkey.packet, expiresMs)]
  const backSignature = { ...subkey, type: SIGNATURE_TYPE.PRIMARY_KEY_BINDING, atMs: plan.atMs }
  const subpackets = [
    octets(SUBPACKET.KEY_FLAGS, signs ? KEY_FLAG.SIGN : KEY_FLAG.ENCRYPT),
    ...validity,
    ...(signs ? [octets(SUBPACKET.EMBEDDED_SIGNATURE, ...certifyBody(backSignature, thing))] : []),
  ]
  return [
    writePacket(PACKET.PUBLIC_SUBKEY, subkey.packet.body),
    certify({ ...plan, type: SIGNATURE_TYPE.SUBKEY_BINDING, subpackets }, thing),
  ]
}

/** What our gateway reads, best first: AES-256 and AES-128, with OCB where the sender can; SHA-2; nothing compressed. */
const PREFERENCES: readonly Subpacket[] = [
  octets(SUBPACKET.PREFERRED_CIPHERS, 9, 8, 7),
  octets(SUBPACKET.PREFERRED_AEAD, 9, 2, 7, 2),
  octets(SUBPACKET.PREFERRED_HASHES, 10, 9, 8),
  octets(SUBPACKET.PREFERRED_COMPRESSION, 0),
  octets(SUBPACKET.FEATURES, FEATURE.SEIPD1 | FEATURE.SEIPD2),
  octets(SUBPACKET.KEY_SERVER_PREFERENCES, 0x80), // only the owner may change it
]

function octets(type: number, ...body: readonly number[]): Subpacket {
  return { type, critical: type === SUBPACKET.KEY_FLAGS, body: Uint8Array.from(body) }
}

/** Seconds after the key's beginning. Critical: whoever passed over it would use the key for ever. */
export const keyExpires = ({ createdMs }: KeyPacket, expiresMs: number): Subpacket => ({
  type: SUBPACKET.KEY_EXPIRATION_TIME,
  critical: true,
  body: uint32(Math.max(1, Math.floor((expiresMs - createdMs) / 1000))),
})

function makePair(version: 4 | 6, algorithm: number, createdMs: number): Pair {
  const pairs = keyTypes(algorithm).map((type) => generate(type))
  const publicKeys = pairs.map(({ publicKey }) => publicKey)
  return {
    packet: newKeyPacket({ version, algorithm, createdMs, publicKeys }),
    handles: pairs.map(({ privateKey }) => privateKey),
  }
}

/** One overload for each kind, of which there are too many to list. */
const generate = generateKeyPairSync as (type: string) => Record<'publicKey' | 'privateKey', KeyObject>

function keyTypes(algorithm: number): readonly string[] {
  const layout = publicKeyAlgorithm(algorithm)?.layout
  if (layout?.kind === 'native') return layout.parts.map(({ type }) => type)
  return layout?.kind === 'ecdh' ? ['x25519'] : ['ed25519']
}
