/** OpenPGP certificates (RFC 9580 §10.1): read and verified once, asked about any time later (`state.ts`). */
import { hash } from 'node:crypto'
import type { Result } from '../../../base/result.ts'
import { attempt } from '../../malformed.ts'
import { type KeyPacket, readPublicKeyPacket } from '../keys/key-packet.ts'
import { PACKET } from '../packets/packet.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { weaknessOfKey } from '../signatures/verify.ts'
import { type Component, type OpenpgpCertificate, type UserId, isTakenBack } from './certificate.ts'
import { SelfSignatures } from './self-signatures.ts'
import { summarise } from './summary.ts'
import { type CertificateStructure, type Signed, readStructure } from './structure.ts'
import { userIdAddress, userIdText } from './user-id.ts'

const CACHE_ENTRIES_MAX = 1000
const CACHE_ENTRY_MAX_BYTES = 32 * 2 ** 10 // larger ones are read each time, so that the cache stays small

/** By SHA-256 of the encoding, in order of last use. */
const cache = new Map<string, OpenpgpCertificate>()

/** Reads one binary transferable public key; the bytes are copied. The same bytes give the same object for a while. */
export function readOpenpgpCertificate(encoded: Uint8Array): Result<OpenpgpCertificate> {
  const digest = hash('sha256', encoded)
  const known = cache.get(digest)
  if (known !== undefined) {
    cache.delete(digest)
    cache.set(digest, known)
    return { ok: true, value: known }
  }
  const read = attempt(() => readCertificate(new Uint8Array(encoded)))
  if (read.ok && encoded.length <= CACHE_ENTRY_MAX_BYTES) {
    cache.set(digest, read.value)
    for (const oldest of cache.keys()) {
      if (cache.size <= CACHE_ENTRIES_MAX) break
      cache.delete(oldest)
    }
  }
  return read
}

const CERTIFICATIONS = [
  SIGNATURE_TYPE.CERTIFICATION,
  SIGNATURE_TYPE.PERSONA_CERTIFICATION,
  SIGNATURE_TYPE.CASUAL_CERTIFICATION,
  SIGNATURE_TYPE.POSITIVE_CERTIFICATION,
]

function readCertificate(encoded: Uint8Array): OpenpgpCertificate {
  const structure = readStructure(encoded)
  const primary = readPublicKeyPacket(structure.primary.body)
  const signatures = new SelfSignatures(primary)
  const subkeys = readableSubkeys(structure, primary)
  // Revocations first: what is spent on them cannot be used up by bindings that somebody forged.
  const keyRevocations = signatures.revocations(SIGNATURE_TYPE.KEY_REVOCATION, structure.primary.signatures, {
    primary,
  })
  const revoked = subkeys.map(({ packet: subkey, signed }) =>
    signatures.revocations(SIGNATURE_TYPE.SUBKEY_REVOCATION, signed.signatures, { primary, subkey }),
  )
  const directBindings = signatures.bindings([SIGNATURE_TYPE.DIRECT_KEY], structure.primary.signatures, { primary })
  const userIds = structure.users
    .filter(({ type }) => type === PACKET.USER_ID)
    .map((user) => readUserId(user, signatures, primary))
    .filter(({ certifications, revocations }) => certifications.length > 0 || revocations.length > 0)
  const certified = userIds.filter((userId) => !isTakenBack(userId)).flatMap(({ certifications }) => certifications)
  const primaryComponent = {
    packet: primary,
    primary: true,
    bindings: [...directBindings, ...certified].toSorted((a, b) => b.createdMs - a.createdMs),
    revocations: keyRevocations,
    ...weakness(primary, primary),
  }
  const components = subkeys.map(({ packet, signed }, at): Component => ({
    packet,
    primary: false,
    bindings: signatures.bindings([SIGNATURE_TYPE.SUBKEY_BINDING], signed.signatures, { primary, subkey: packet }),
    revocations: revoked[at] ?? [],
    ...weakness(packet, primary),
  }))
  const facts = {
    version: primary.version,
    components: [
      primaryComponent,
      ...components.filter(({ bindings, revocations }) => bindings.length > 0 || revocations.length > 0),
    ],
    userIds,
    directBindings,
  }
  return {
    standard: 'openpgp',
    fingerprint: primary.fingerprint,
    encoded,
    // The same numbers under another date have another fingerprint.
    keyFingerprint: hash('sha256', primary.body.subarray(5)),
    algorithm: primary.algorithmName,
    notBeforeMs: primary.createdMs,
    ...facts,
    ...summarise(facts),
  }
}

/** Subkeys that can be read, each once; the others stay in the encoding. */
function readableSubkeys(
  { subkeys }: CertificateStructure,
  primary: KeyPacket,
): readonly { readonly packet: KeyPacket; readonly signed: Signed }[] {
  return subkeys.flatMap((signed) => {
    const packet = attempt(() => readPublicKeyPacket(signed.body))
    // a subkey is of the version of its primary key (RFC 9580 §10.1.5)
    return packet.ok && packet.value.version === primary.version ? [{ packet: packet.value, signed }] : []
  })
}

function readUserId(user: Signed, signatures: SelfSignatures, primary: KeyPacket): UserId {
  const thing = { primary, user }
  const revocations = signatures.revocations(SIGNATURE_TYPE.CERTIFICATION_REVOCATION, user.signatures, thing)
  const address = userIdAddress(user.body)
  return {
    body: user.body,
    text: userIdText(user.body),
    ...(address === undefined ? {} : { address }),
    certifications: signatures.bindings(CERTIFICATIONS, user.signatures, thing),
    revocations,
  }
}

function weakness(packet: KeyPacket, primary: KeyPacket): { readonly weak?: string } {
  const weak = weaknessOfKey(packet) ?? weaknessOfKey(primary)
  return weak === undefined ? {} : { weak }
}
