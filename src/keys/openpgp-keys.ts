/** OpenPGP certificates of our own users, who vouch for themselves: made, renewed before they run out, revoked. */
import type { Result } from '../base/result.ts'
import type { Address } from '../message/address.ts'
import { isOpenpgpCertificate } from '../protection/openpgp/certificate/certificate.ts'
import { makeRevocation, renewCertificate, revokeCertificate } from '../protection/openpgp/certificate/change.ts'
import { type CertificateProfile, makeCertificate } from '../protection/openpgp/certificate/make.ts'
import type { Certificate, OwnKey, SecretKeys } from '../protection/standard.ts'

export type OpenpgpKeys = CertificateProfile | 'off'

const DAY_MS = 24 * 60 * 60_000

export interface MadeOpenpgpKey extends SecretKeys {
  readonly certificate: Certificate
  /** To be kept for the day when the certificate must not be used any more. */
  readonly revocation: Uint8Array
}

export function makeOpenpgpKey(order: {
  readonly profile: CertificateProfile
  readonly address: Address
  readonly validityDays: number
  readonly nowMs: number
}): MadeOpenpgpKey {
  const { profile, address, validityDays, nowMs } = order
  const made = makeCertificate({ profile, address, createdMs: nowMs, expiresMs: nowMs + validityDays * DAY_MS })
  const { certificate, subkeys } = made
  const [primary] = subkeys
  const [key] = primary?.handles ?? []
  if (key === undefined) throw new TypeError('a certificate without a primary key')
  // `unspecified`: whoever publishes it one day may not know the reason, and readers then believe nothing signed with it
  const revocation = makeRevocation(certificate, subkeys, { reason: 'unspecified', atMs: nowMs })
  if (!revocation.ok) throw new TypeError(revocation.error)
  return { certificate, key, subkeys, revocation: revocation.value }
}

/** The same certificate for `validityDays` from now. An error when the private half of its primary key is not here. */
export function renewedOpenpgpKey(
  { certificate, subkeys = [] }: OwnKey,
  { validityDays, nowMs }: { readonly validityDays: number; readonly nowMs: number },
): Result<Certificate> {
  return renewCertificate(needOpenpgp(certificate), subkeys, {
    atMs: nowMs,
    expiresMs: nowMs + validityDays * DAY_MS,
  })
}

/** The certificate revoked: with what was made for it, or with the private key. */
export function revokedOpenpgpKey(
  { certificate, subkeys = [] }: OwnKey,
  { revocation, nowMs }: { readonly revocation: Uint8Array | undefined; readonly nowMs: number },
): Result<Certificate> {
  const own = needOpenpgp(certificate)
  if (revocation !== undefined) return revokeCertificate(own, revocation)
  const made = makeRevocation(own, subkeys, { reason: 'unspecified', atMs: nowMs })
  return made.ok ? revokeCertificate(own, made.value) : made
}

function needOpenpgp(certificate: Certificate) {
  if (!isOpenpgpCertificate(certificate)) throw new TypeError('not an OpenPGP certificate')
  return certificate
}
