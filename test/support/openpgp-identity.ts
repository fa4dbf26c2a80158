/** Key pairs with OpenPGP certificates for tests. */
import assert from 'node:assert/strict'
import { parseAddress } from '../../src/message/address.ts'
import { type CertificateProfile, makeCertificate } from '../../src/protection/openpgp/certificate/make.ts'
import type { KeyPacket } from '../../src/protection/openpgp/keys/key-packet.ts'
import { type OpenpgpKey, signingKeyOf } from '../../src/protection/openpgp/message/own-keys.ts'
import { encryptionKeyOf } from '../../src/protection/openpgp/message/protect.ts'
import type { SigningKey } from '../../src/protection/openpgp/message/write-message.ts'
import type { ComponentKey } from '../../src/protection/standard.ts'

export interface OpenpgpIdentity extends OpenpgpKey {
  readonly subkeys: readonly ComponentKey[]
}

/** Long before the mails of the tests were signed. */
export const CREATED_MS = Date.UTC(2026, 0, 1)

export function openpgpIdentity(
  address: string,
  profile: CertificateProfile = 'v4',
  times: { readonly createdMs?: number; readonly expiresMs?: number } = {},
): OpenpgpIdentity {
  const parsed = parseAddress(address)
  assert(parsed !== undefined)
  const made = makeCertificate({ profile, address: parsed, createdMs: CREATED_MS, ...times })
  const [key] = made.subkeys[0]?.handles ?? []
  assert(key !== undefined)
  return { ...made, chain: [], key }
}

/** For messages that are made by hand. */
export function partsOf(
  own: OpenpgpIdentity,
  atMs: number,
): { readonly signing: SigningKey; readonly encryption: KeyPacket } {
  const signing = signingKeyOf(own, atMs)
  const encryption = encryptionKeyOf(own.certificate, atMs)
  assert(signing !== undefined && encryption !== undefined)
  return { signing, encryption }
}
