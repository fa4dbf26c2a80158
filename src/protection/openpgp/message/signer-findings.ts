/** The signers of a message: whose certificate it is, and whether the signature holds. Trust is decided elsewhere. */
import type { ByteRange } from '../../../base/byte-range.ts'
import { hex } from '../../../base/bytes.ts'
import { attempt, Malformed } from '../../malformed.ts'
import type { Certificate, KeyRing, SignerFinding } from '../../standard.ts'
import { unarmored } from '../armor.ts'
import { type Component, type OpenpgpCertificate, isOpenpgpCertificate } from '../certificate/certificate.ts'
import { maySign } from '../certificate/state.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET, readPackets } from '../packets/packet.ts'
import { type SignatureDigest, canonicalText, signatureHasher } from '../signatures/signature-hash.ts'
import { SIGNATURE_TYPE, type Signature, readSignature } from '../signatures/signature-packet.ts'
import { SUBPACKET } from '../signatures/subpackets.ts'
import { describeSignature, verifySignature } from '../signatures/verify.ts'
import { statedAbilities } from './abilities.ts'
import type { MessageSignature } from './grammar.ts'

const SIGNATURES_MAX = 16

/** The packets of a detached signature, in armor or without. Throws Malformed. */
export function readDetachedSignatures(armored: Uint8Array): MessageSignature[] {
  const packets = readPackets(unarmored(armored))
  const signatures = packets.filter(({ type }) => type === PACKET.SIGNATURE)
  const others = packets.filter(
    ({ type }) => type !== PACKET.SIGNATURE && type !== PACKET.MARKER && type !== PACKET.PADDING,
  )
  if (signatures.length === 0 || others.length > 0) throw new Malformed('it is not a detached signature')
  if (signatures.length > SIGNATURES_MAX) throw new Malformed('too many signatures')
  return signatures
}

/** What is signed, and what helps to find out by whom. */
export interface Signed {
  readonly content: ByteRange
  readonly ring: KeyRing
  /** Came with the message, in its header or beside it. */
  readonly carried: readonly Certificate[]
  /** Inside an encryption: fingerprint of the certificate whose key opened it. */
  readonly openedBy?: string
}

export function findSigners(signatures: readonly MessageSignature[], signed: Signed): SignerFinding[] {
  const read = signatures.map((one) => ({ one, signature: attempt(() => readDocumentSignature(one)) }))
  const digests = digestAll(
    read.flatMap(({ signature }) => (signature.ok ? [signature.value] : [])),
    signed.content,
  )
  return read.map(({ signature }): SignerFinding => {
    if (signature.ok) return findSigner(signature.value, digests.get(signature.value), signed)
    return { intact: false, changed: true, carried: signed.carried, algorithm: 'unknown', why: signature.error }
  })
}

/** A signature over a text or octets; one that is about something else is no proof of a content. Throws Malformed. */
function readDocumentSignature({ body, onePass }: MessageSignature): Signature {
  const signature = readSignature(body)
  if (signature.type !== SIGNATURE_TYPE.BINARY && signature.type !== SIGNATURE_TYPE.TEXT)
    throw new Malformed('the signature is not one of a message')
  if (onePass !== undefined && !announces(onePass, signature))
    throw new Malformed('the signature is not the one that was announced')
  return signature
}

/** RFC 9580 §5.4. The issuer is looked at too in version 6, where it is all that a reader has. */
function announces(onePass: Uint8Array, { version, type, hash, algorithm, salt }: Signature): boolean {
  const cursor = new Cursor(onePass)
  if (cursor.u8() !== (version === 6 ? 6 : 3)) return false
  if (cursor.u8() !== type || cursor.u8() !== hash || cursor.u8() !== algorithm) return false
  return version !== 6 || Buffer.compare(cursor.take(cursor.u8()), salt) === 0
}

/** All signatures over the same content take one pass over it. */
function digestAll(signatures: readonly Signature[], content: ByteRange): Map<Signature, SignatureDigest> {
  const hashers = signatures.flatMap((signature) => {
    const hasher = attempt(() => signatureHasher(signature))
    return hasher.ok ? [{ signature, hasher: hasher.value }] : []
  })
  const sinks = hashers.map(({ signature, hasher }) => {
    const octets = { write: (chunk: Uint8Array) => hasher.update(chunk), end: () => undefined }
    return signature.type === SIGNATURE_TYPE.TEXT ? canonicalText(octets) : octets
  })
  if (sinks.length > 0) for (const slice of content.slices()) for (const sink of sinks) sink.write(slice)
  for (const sink of sinks) sink.end()
  return new Map(hashers.map(({ signature, hasher }) => [signature, hasher.digest()]))
}

/** One of the keys of a certificate. */
interface Candidate {
  readonly certificate: OpenpgpCertificate
  readonly packet: KeyPacket
}

/** Keys that are tried for one signature: a key id of eight octets can be had by others too. */
const CANDIDATES_MAX = 4

function findSigner(signature: Signature, digest: SignatureDigest | undefined, signed: Signed): SignerFinding {
  const { carried } = signed
  const candidates = candidatesFor(signature, signed)
  const [first] = candidates
  const algorithm = describeSignature(signature, first?.packet)
  if (first === undefined)
    return { intact: false, carried, algorithm, why: "the signer's certificate is neither known nor sent" }
  const common = { carried, algorithm, ...timesOf(signature) }
  if (digest === undefined)
    return {
      ...common,
      certificate: first.certificate,
      intact: false,
      unsupported: true,
      why: 'unknown hash algorithm',
    }
  let failed: SignerFinding | undefined
  for (const [at, candidate] of candidates.entries()) {
    const { certificate, packet } = candidate
    const again = at === 0 ? digest : digestAll([signature], signed.content).get(signature)
    const checked = verifySignature(signature, again ?? digest, packet)
    const finding: SignerFinding = {
      ...common,
      certificate,
      signedBy: packet.fingerprint,
      ...verdictOn(signature, checked, signed),
    }
    if (finding.intact) return { ...finding, states: statedAbilities(certificate) }
    if (finding.weak === true) return finding
    failed ??= finding
  }
  return failed ?? { ...common, certificate: first.certificate, intact: false }
}

/** Those that 222 knows come first: it has all that any copy of them says. */
function candidatesFor({ issuerFingerprint, issuerKeyId }: Signature, { ring, carried }: Signed): Candidate[] {
  const certificates = [
    ...ring.known.map((known) => known.certificate),
    ...ring.decryptionKeys.map((own) => own.certificate),
    ...carried,
  ].filter(isOpenpgpCertificate)
  const seen = new Set<string>()
  return (
    certificates
      .flatMap((certificate) => certificate.components.map((component) => ({ certificate, component })))
      // anybody can put another's signing key under their own; it has not signed that it belongs there
      .toSorted((a, b) => Number(isForSigning(b.component)) - Number(isForSigning(a.component)))
      .map(({ certificate, component: { packet } }) => ({ certificate, packet }))
      .filter(({ packet: { fingerprint, keyId } }) =>
        issuerFingerprint === undefined ? hex(keyId) === issuerKeyId : fingerprint === issuerFingerprint,
      )
      .filter(({ packet: { fingerprint } }) => !seen.has(fingerprint) && seen.add(fingerprint))
      .slice(0, CANDIDATES_MAX)
  )
}

const isForSigning = (component: Component): boolean =>
  component.bindings.some((binding) => maySign(component, binding))

function timesOf({ createdMs, expiresMs }: Signature): Pick<SignerFinding, 'signingTimeMs' | 'expiresMs'> {
  return {
    ...(createdMs === undefined ? {} : { signingTimeMs: createdMs }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  }
}

type Verdict = Pick<SignerFinding, 'intact' | 'weak' | 'unsupported' | 'why'>

function verdictOn(signature: Signature, checked: ReturnType<typeof verifySignature>, signed: Signed): Verdict {
  if (!checked.ok && checked.error.kind !== 'weak')
    return { intact: false, ...(checked.error.kind === 'unsupported' && { unsupported: true }), why: checked.error.why }
  if (signature.createdMs === undefined) return { intact: false, why: 'the signature does not say when it was made' }
  if (signature.notUnderstood !== undefined) return { intact: false, unsupported: true, why: signature.notUnderstood }
  if (!isMeantForUs(signature, signed)) return { intact: false, why: 'it was signed for somebody else' }
  if (checked.ok) return { intact: true }
  return signed.ring.allowWeak === true ? { intact: true } : { intact: false, weak: true, why: checked.error.why }
}

/**
 * Who is named as an intended recipient (RFC 9580 §5.2.3.36) is the only one to whom the signature speaks: what was decrypted and
 * encrypted anew for somebody else was not meant for them.
 */
function isMeantForUs({ hashed }: Signature, { ring, openedBy }: Signed): boolean {
  const named = hashed
    .filter(({ type }) => type === SUBPACKET.INTENDED_RECIPIENT)
    .map(({ body }) => hex(body.subarray(1)))
  if (named.length === 0 || openedBy === undefined) return true
  return ring.decryptionKeys.some(({ certificate }) => named.includes(certificate.fingerprint))
}
