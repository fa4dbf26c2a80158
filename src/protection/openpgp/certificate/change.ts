/** What an owner says of a certificate later: a longer expiry, or that it is not to be used any more. */
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { type Result, fail } from '../../../base/result.ts'
import type { ComponentKey } from '../../standard.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../packets/packet.ts'
import { attempt } from '../../malformed.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { type SignaturePlan, certify } from '../signatures/make.ts'
import type { CertifiedThing } from '../signatures/signature-hash.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { SUBPACKET, type Subpacket } from '../signatures/subpackets.ts'
import { type OpenpgpCertificate, isTakenBack } from './certificate.ts'
import { keyExpires } from './make.ts'
import { mergeCertificates } from './merge.ts'
import { readOpenpgpCertificate } from './read.ts'
import type { Binding } from './self-signatures.ts'

/**
 * The same certificate with another end, for its primary key and all its subkeys that are not revoked. Everything else is
 * said again as it was said last. An error when the primary key is not among `subkeys`.
 */
export function renewCertificate(
  certificate: OpenpgpCertificate,
  subkeys: readonly ComponentKey[],
  times: { readonly atMs: number; readonly expiresMs: number },
): Result<OpenpgpCertificate> {
  const owner = ownerOf(certificate, subkeys)
  if (owner === undefined) return noPrimaryKey
  const { packet: primary } = owner
  const again = (
    binding: Binding | undefined,
    key: KeyPacket,
    thing: Omit<CertifiedThing, 'primary'>,
  ): Uint8Array[] => {
    if (binding === undefined) return []
    const { type } = binding.signature
    const subpackets = [...kept(binding), keyExpires(key, times.expiresMs)]
    const atMs = Math.max(times.atMs, binding.createdMs + 1000) // of two from one second nobody knows the newer
    return [certify({ ...owner, type, subpackets, atMs }, { primary, ...thing })]
  }
  const users = certificate.userIds
    .filter((userId) => !isTakenBack(userId))
    .flatMap(({ body, certifications: [newest] }) => {
      const user = { type: PACKET.USER_ID, body }
      return [writePacket(user.type, body), ...again(newest, primary, { user })]
    })
  const bound = certificate.components
    .filter(({ primary: isPrimary, revocations }) => !isPrimary && revocations.length === 0)
    .flatMap(({ packet, bindings: [newest] }) => [
      writePacket(PACKET.PUBLIC_SUBKEY, packet.body),
      ...again(newest, packet, { subkey: packet }),
    ])
  return withNews(certificate, [...again(certificate.directBindings[0], primary, {}), ...users, ...bound])
}

/** What is said anew with each signature, or stands at its end. */
const RENEWED: ReadonlySet<number> = new Set([
  SUBPACKET.CREATION_TIME,
  SUBPACKET.EXPIRATION_TIME,
  SUBPACKET.KEY_EXPIRATION_TIME,
  SUBPACKET.ISSUER_KEY_ID,
  SUBPACKET.ISSUER_FINGERPRINT,
])

/** The subkey's own signature among the hints goes along: without it the subkey could not sign any more. */
function kept({ signature: { hashed, unhashed } }: Binding): readonly Subpacket[] {
  const embedded = unhashed.filter(({ type }) => type === SUBPACKET.EMBEDDED_SIGNATURE)
  return [...hashed.filter(({ type }) => !RENEWED.has(type)), ...embedded]
}

/** Numbers of RFC 9580 §5.2.3.31. */
export const REVOCATION_REASON = { unspecified: 0, superseded: 1, compromised: 2, retired: 3 } as const

export interface RevocationPlan {
  readonly reason: keyof typeof REVOCATION_REASON
  /** For people to read. */
  readonly text?: string
  readonly atMs: number
}

/** A revocation certificate: one signature packet, to be kept until it is needed. An error as in `renewCertificate`. */
export function makeRevocation(
  certificate: OpenpgpCertificate,
  subkeys: readonly ComponentKey[],
  { reason, text = '', atMs }: RevocationPlan,
): Result<Uint8Array> {
  const owner = ownerOf(certificate, subkeys)
  if (owner === undefined) return noPrimaryKey
  const body = concatBytes([Uint8Array.of(REVOCATION_REASON[reason]), utf8(text)])
  const subpackets = [{ type: SUBPACKET.REVOCATION_REASON, critical: false, body }]
  const plan = { ...owner, type: SIGNATURE_TYPE.KEY_REVOCATION, subpackets, atMs }
  return { ok: true, value: certify(plan, { primary: owner.packet }) }
}

/** The certificate revoked by a revocation certificate, binary. An error when it is not one of this certificate. */
export function revokeCertificate(certificate: OpenpgpCertificate, revocation: Uint8Array): Result<OpenpgpCertificate> {
  const packets = attempt(() => readPackets(revocation))
  if (!packets.ok) return packets
  const revoked = withNews(
    certificate,
    packets.value.filter(isSignature).map(({ type, body }) => writePacket(type, body)),
  )
  if (!revoked.ok || countRevocations(revoked.value) > countRevocations(certificate)) return revoked
  return fail('this revokes another key, or nothing new')
}

const isSignature = ({ type }: Packet): boolean => type === PACKET.SIGNATURE

const countRevocations = ({ components: [primary] }: OpenpgpCertificate): number => primary?.revocations.length ?? 0

/** What follows the primary key, put to the rest of the certificate. */
function withNews(certificate: OpenpgpCertificate, news: readonly Uint8Array[]): Result<OpenpgpCertificate> {
  const [primary] = certificate.components
  if (primary === undefined) return noPrimaryKey
  const update = readOpenpgpCertificate(concatBytes([writePacket(PACKET.PUBLIC_KEY, primary.packet.body), ...news]))
  return update.ok ? mergeCertificates(certificate, update.value) : update
}

function ownerOf(
  { components: [primary] }: OpenpgpCertificate,
  subkeys: readonly ComponentKey[],
): Pick<SignaturePlan, 'packet' | 'handles'> | undefined {
  const own = subkeys.find(({ fingerprint }) => fingerprint === primary?.packet.fingerprint)
  return own === undefined || primary === undefined ? undefined : { packet: primary.packet, handles: own.handles }
}

const noPrimaryKey = fail('the primary key is not here')
