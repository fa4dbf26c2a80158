/** What the owner's programs can do, and like best: preferences and features (RFC 9580 §5.2.3.14 to §5.2.3.17, §5.2.3.32). */
import { lastOf } from '../signatures/signature-packet.ts'
import { SUBPACKET } from '../signatures/subpackets.ts'
import { type UserId, isTakenBack } from './certificate.ts'
import type { Binding } from './self-signatures.ts'
import { type Facts, bindingAt } from './state.ts'

/** By their numbers, best first; empty where nothing is said. */
export interface Preferences {
  readonly ciphers: readonly number[]
  /** Each a cipher with an AEAD mode. */
  readonly aead: readonly (readonly [cipher: number, mode: number])[]
  readonly hashes: readonly number[]
  readonly compression: readonly number[]
  /** Bits of `FEATURE`. */
  readonly features: number
}

/** First octet of the features subpacket (RFC 9580 §5.2.3.32); bit 0x02 is of GnuPG's own packet. */
export const FEATURE = { SEIPD1: 0x01, GNUPG_AEAD: 0x02, SEIPD2: 0x08 } as const

/** From the user id that the owner calls the primary one, else from the key itself; in version 6 the other way round. */
export function preferencesAt(certificate: Facts, atMs: number): Preferences {
  const userId = primaryUserId(certificate)
  const ofUserId = userId === undefined ? undefined : bindingAt(userId.certifications, atMs)
  const ofKey = bindingAt(certificate.directBindings, atMs)
  const places = (certificate.version === 6 ? [ofKey, ofUserId] : [ofUserId, ofKey]).filter(
    (each) => each !== undefined,
  )
  const octets = (type: number): readonly number[] => [...(bodyIn(places, type) ?? [])]
  return {
    ciphers: octets(SUBPACKET.PREFERRED_CIPHERS),
    aead: pairs(octets(SUBPACKET.PREFERRED_AEAD)),
    hashes: octets(SUBPACKET.PREFERRED_HASHES),
    compression: octets(SUBPACKET.PREFERRED_COMPRESSION),
    features: octets(SUBPACKET.FEATURES)[0] ?? 0,
  }
}

/** The one that is marked so, the newest where several are; else the newest; never one that is revoked, if others are there. */
export function primaryUserId({ userIds }: Pick<Facts, 'userIds'>): UserId | undefined {
  const standing = userIds.filter((userId) => !isTakenBack(userId))
  const newest = (standing.length === 0 ? userIds : standing).toSorted((a, b) => certifiedMs(b) - certifiedMs(a))
  return newest.find(({ certifications: [last] }) => last !== undefined && isMarkedPrimary(last)) ?? newest[0]
}

const certifiedMs = ({ certifications: [newest] }: UserId): number => newest?.createdMs ?? 0

const isMarkedPrimary = ({ signature }: Binding): boolean =>
  (lastOf(signature.hashed, SUBPACKET.PRIMARY_USER_ID)?.body[0] ?? 0) !== 0

function bodyIn(bindings: readonly Binding[], type: number): Uint8Array | undefined {
  for (const { signature } of bindings) {
    const found = lastOf(signature.hashed, type)
    if (found !== undefined) return found.body
  }
  return undefined
}

function pairs(octets: readonly number[]): readonly (readonly [number, number])[] {
  const found: (readonly [number, number])[] = []
  for (let at = 0; at + 1 < octets.length; at += 2) found.push([octets[at] as number, octets[at + 1] as number])
  return found
}
