/**
 * Opens one layer of S/MIME (RFC 8551): what its form means, and what is wrong with it. How its bytes are held, in memory or on
 * the disk, is another matter: `Holding`.
 */
import type { Defect, Part } from '../../message/part.ts'
import type { Result } from '../../base/result.ts'
import { signedParts } from '../signed-parts.ts'
import type { KeyRing, Opened, OwnKey, SignerFinding } from '../standard.ts'
import { type SmimeCertificate, isSmimeCertificate } from './x509/certificate.ts'
import type { Opener } from './cms/content-key.ts'
import type { OpenedEnvelope } from '../opened-envelope.ts'
import type { SignedContent } from './cms/signed-content.ts'
import type { SignedDataFrame } from './cms/signed-data.ts'
import { CERTIFICATES_ONLY, type SmimeForm, isSignaturePart, smimeFormOf } from './mime-forms.ts'
import { findSigners } from './signer-findings.ts'

/** Reads the entities of a message, however they are held; judges nothing. */
export interface Holding<P> {
  /** Header, and the beginning of the body at least. */
  preview(part: P): Part
  children(part: P): { readonly children: readonly P[]; readonly defects: readonly Defect[] }
  /** The whole entity, its header included. */
  asContent(part: P): SignedContent
  /**
   * With CRLF, as it was signed (RFC 8551 §3.1.1), when a program encrypted the signed entity with its own line ends;
   * `undefined` when it has no others.
   */
  canonical(part: P): P | undefined
  /** The SignedData in the body; `inside` is missing when it is detached. */
  signedData(part: P): Result<{ readonly frame: SignedDataFrame; readonly inside: Inside<P> | undefined }>
  /** The EnvelopedData or AuthEnvelopedData in the body, opened. */
  envelope(part: P, openers: readonly Opener[]): OpenedEnvelope<P>
  /** The content of the CompressedData in the body. */
  compressedData(part: P): Result<P>
}

/** A content, as the signature sees it and as the entity that it is. */
export interface Inside<P> {
  readonly content: SignedContent
  readonly entity: P
}

/** Hostile input yields `broken` and why; nothing is thrown. */
export function openLayer<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = smimeFormOf(held.preview(part))
  switch (form) {
    case 'multipart/signed':
      return openMultipartSigned(held, part, ring)
    case 'signed-data':
      return openOpaque(held, part, ring)
    case 'enveloped-data':
    case 'auth-enveloped-data':
      return openEncrypted(held, part, form, ring)
    case 'compressed-data':
      return openCompressed(held, part)
    case undefined:
      return { kind: 'broken', layer: 'signed', form: 'unknown', why: 'not an S/MIME entity' }
  }
}

/** RFC 1847 §2.1: exactly two parts, the second is the signature over the first, its header fields included. */
function openMultipartSigned<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'multipart/signed'
  const broken = (why: string): Opened<P> => ({ kind: 'broken', layer: 'signed', form, why })
  const parts = signedParts(held.children(part))
  if (!parts.ok) return broken(parts.error)
  const { content, signature } = parts.value
  if (!isSignaturePart(held.preview(signature))) return broken('the second part of multipart/signed is not a signature')
  const signedData = held.signedData(signature)
  if (!signedData.ok) return broken(signedData.error)
  const { frame } = signedData.value
  const signers = findSigners(frame, held.asContent(content), ring)
  const asSigned = signers.some(holds) ? undefined : held.canonical(content)
  if (asSigned === undefined) return { kind: 'signed', form, inner: content, signers }
  const again = findSigners(frame, held.asContent(asSigned), ring)
  return again.some(holds)
    ? { kind: 'signed', form, inner: asSigned, signers: again }
    : { kind: 'signed', form, inner: content, signers }
}

const holds = ({ intact, weak }: SignerFinding): boolean => intact || weak === true

function openOpaque<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'signed-data'
  const signedData = held.signedData(part)
  if (!signedData.ok) return { kind: 'broken', layer: 'signed', form, why: signedData.error }
  const { frame, inside } = signedData.value
  if (inside === undefined && frame.signerInfos.length === 0) return { kind: 'not-a-layer', form: CERTIFICATES_ONLY }
  if (inside === undefined) return { kind: 'broken', layer: 'signed', form, why: 'the signed content is missing' }
  return { kind: 'signed', form, inner: inside.entity, signers: findSigners(frame, inside.content, ring) }
}

function openEncrypted<P>(held: Holding<P>, part: P, form: SmimeForm, ring: KeyRing): Opened<P> {
  const opened = held.envelope(part, [...ring.decryptionKeys.filter(isSmimeKey), ...(ring.secrets ?? [])])
  switch (opened.kind) {
    case 'decrypted': {
      const { content, ...rest } = opened
      return { ...rest, form, inner: content }
    }
    case 'no-key':
      return { kind: 'no-key', form, recipients: opened.recipients }
    case 'broken':
      return { kind: 'broken', layer: 'encrypted', form, why: opened.why }
  }
}

function openCompressed<P>(held: Holding<P>, part: P): Opened<P> {
  const form = 'compressed-data'
  const content = held.compressedData(part)
  return content.ok
    ? { kind: 'decompressed', form, inner: content.value, algorithm: 'zlib' }
    : { kind: 'broken', layer: 'compressed', form, why: content.error }
}

export const isSmimeKey = (key: OwnKey): key is OwnKey & { readonly certificate: SmimeCertificate } =>
  isSmimeCertificate(key.certificate)
