/** Writes SignedData (RFC 5652 §5): detached for multipart/signed, or with the content inside. */
import type { Hash, KeyObject } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import type { SigningChoice } from '../../standard.ts'
import { type Digest, hashOf, startHash } from '../algorithms.ts'
import { contextTagged, der, derHeader, integer, octetString, oid, sequence, setOf } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import { fixedAttributes, signedAttributesDer } from './attributes.ts'
import { PieceSink, WHOLE_MAX_BYTES, endOfContents, openTag } from './chunked-content.ts'
import { CONTENT_TYPE } from './content-info.ts'
import { issuerAndSerial } from './entity-id.ts'
import { type SigningPlan, planSignature } from './signing-plan.ts'

export interface CmsSigningKey {
  readonly certificate: SmimeCertificate
  /** Goes out with the signature, after the certificate itself. */
  readonly chain: readonly SmimeCertificate[]
  readonly key: KeyObject
}

export interface SignedDataOptions {
  /** One signature each; at least one. */
  readonly keys: readonly CmsSigningKey[]
  readonly detached: boolean
  readonly choice: SigningChoice
  readonly signingTimeMs: number
}

/** The `micalg` parameter of multipart/signed for signatures by these keys (RFC 8551 §3.5.3.2): one word a digest. */
export function micalgOf(keys: readonly Pick<CmsSigningKey, 'certificate'>[], choice: SigningChoice): string {
  return [...new Set(keys.map(({ certificate }) => planSignature(certificate.publicKey, choice).digest.micalg))].join()
}

/**
 * Takes the content and pushes the whole ContentInfo. Detached, or up to WHOLE_MAX_BYTES: DER, in one write when small,
 * at the end. Longer content streams through as BER while it comes.
 */
export function signedDataSink(options: SignedDataOptions, out: ByteSink): ByteSink {
  const signers = options.keys.map((key) => ({
    ...key,
    plan: planSignature(key.certificate.publicKey, options.choice),
  }))
  if (signers.length === 0) throw new TypeError('a SignedData needs a key')
  return options.detached
    ? new DetachedSink(signers, options.signingTimeMs, out)
    : new OpaqueSink(signers, options.signingTimeMs, out)
}

interface Signer extends CmsSigningKey {
  readonly plan: SigningPlan
}

type Digests = ReadonlyMap<Digest, Uint8Array>

class DetachedSink implements ByteSink {
  readonly #signers: readonly Signer[]
  readonly #signingTimeMs: number
  readonly #out: ByteSink
  readonly #digests: ContentDigests

  constructor(signers: readonly Signer[], signingTimeMs: number, out: ByteSink) {
    this.#signers = signers
    this.#signingTimeMs = signingTimeMs
    this.#out = out
    this.#digests = new ContentDigests(signers)
  }

  write(chunk: Uint8Array): void {
    this.#digests.update(chunk)
  }

  end(): void {
    const tail = trailer(this.#signers, this.#digests.finish(), this.#signingTimeMs)
    this.#out.write(
      contentInfo(sequence(VERSION, digestAlgorithms(this.#signers), sequence(oid(CONTENT_TYPE.data)), tail)),
    )
    this.#out.end()
  }
}

class OpaqueSink implements ByteSink {
  readonly #signers: readonly Signer[]
  readonly #signingTimeMs: number
  readonly #out: ByteSink
  readonly #digests: ContentDigests
  #held: Uint8Array[] = []
  #heldBytes = 0
  #pieces: PieceSink | undefined

  constructor(signers: readonly Signer[], signingTimeMs: number, out: ByteSink) {
    this.#signers = signers
    this.#signingTimeMs = signingTimeMs
    this.#out = out
    this.#digests = new ContentDigests(signers)
  }

  write(chunk: Uint8Array): void {
    this.#digests.update(chunk)
    if (this.#pieces !== undefined) {
      this.#pieces.write(chunk)
      return
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > WHOLE_MAX_BYTES) this.#pieces = this.#stream()
  }

  end(): void {
    const tail = trailer(this.#signers, this.#digests.finish(), this.#signingTimeMs)
    if (this.#pieces === undefined) this.#writeWhole(tail)
    else {
      this.#pieces.finish()
      this.#out.write(endOfContents(3)) // eContent, its [0], encapContentInfo
      this.#out.write(tail)
      this.#out.write(endOfContents(3)) // SignedData, its [0], ContentInfo
    }
    this.#out.end()
  }

  #stream(): PieceSink {
    const outer = [openTag(TAG.SEQUENCE), SIGNED_DATA_OID, openTag(contextConstructed(0)), openTag(TAG.SEQUENCE)]
    const inner = [openTag(TAG.SEQUENCE), DATA_OID, openTag(contextConstructed(0)), openTag(TAG.OCTET_STRING)]
    this.#out.write(concatBytes([...outer, VERSION, digestAlgorithms(this.#signers), ...inner]))
    const pieces = new PieceSink(this.#out)
    for (const chunk of this.#held) pieces.write(chunk)
    this.#held = []
    return pieces
  }

  /** Headers are written from the inside out, so that the content is copied once at most. */
  #writeWhole(tail: Uint8Array): void {
    const octets = derHeader(TAG.OCTET_STRING, this.#heldBytes)
    const explicit = derHeader(contextConstructed(0), octets.length + this.#heldBytes)
    const encapLength = DATA_OID.length + explicit.length + octets.length + this.#heldBytes
    const encap = derHeader(TAG.SEQUENCE, encapLength)
    const start = [VERSION, digestAlgorithms(this.#signers), encap, DATA_OID, explicit, octets]
    const signedDataLength = sum(start) + this.#heldBytes + tail.length
    const signedData = derHeader(TAG.SEQUENCE, signedDataLength)
    const content = derHeader(contextConstructed(0), signedData.length + signedDataLength)
    const whole = derHeader(
      TAG.SEQUENCE,
      SIGNED_DATA_OID.length + content.length + signedData.length + signedDataLength,
    )
    this.#out.write(concatBytes([whole, SIGNED_DATA_OID, content, signedData, ...start, ...this.#held, tail]))
  }
}

/** Hashes what comes, once per digest; a content that came in one piece in one call. */
class ContentDigests {
  readonly #digests: readonly Digest[]
  #first: Uint8Array | undefined
  #hashes: readonly Hash[] | undefined

  constructor(signers: readonly Signer[]) {
    this.#digests = [...new Set(signers.map((signer) => signer.plan.digest))]
  }

  update(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk
    else {
      const first = this.#first
      this.#hashes ??= this.#digests.map((digest) => startHash(digest).update(first))
      for (const running of this.#hashes) running.update(chunk)
    }
  }

  finish(): Digests {
    const whole = this.#first ?? new Uint8Array()
    return new Map(this.#digests.map((digest, i) => [digest, this.#hashes?.[i]?.digest() ?? hashOf(digest, whole)]))
  }
}

const VERSION = integer(1)
const SIGNED_DATA_OID = oid(CONTENT_TYPE.signedData)
const DATA_OID = oid(CONTENT_TYPE.data)

const contentInfo = (signedData: Uint8Array): Uint8Array => sequence(SIGNED_DATA_OID, contextTagged(0, signedData))
const sum = (pieces: readonly Uint8Array[]): number => pieces.reduce((total, piece) => total + piece.length, 0)

const digestAlgorithms = (signers: readonly Signer[]): Uint8Array =>
  setOf([...new Map(signers.map(({ plan }) => [plan.digest, plan.digestAlgorithm])).values()])

/** Certificates and SignerInfos: all that follows the content. */
function trailer(signers: readonly Signer[], digests: Digests, signingTimeMs: number): Uint8Array {
  const infos = setOf(signers.map((signer) => signerInfo(signer, digests, signingTimeMs)))
  return concatBytes([certificateSet(signers), infos])
}

/** CertificateSet as `[0]`, sorted as DER wants it (RFC 5652 §10.2.3). */
function certificateSet(signers: readonly Signer[]): Uint8Array {
  const byFingerprint = new Map(
    signers
      .flatMap(({ certificate, chain }) => [certificate, ...chain])
      .map((certificate) => [certificate.fingerprint, certificate.encoded]),
  )
  return der(contextConstructed(0), ...[...byFingerprint.values()].sort(Buffer.compare))
}

function signerInfo(signer: Signer, digests: Digests, signingTimeMs: number): Uint8Array {
  const { plan, certificate, key } = signer
  const { id, attributes } = fixedPieces(certificate)
  const digest = digests.get(plan.digest)
  if (digest === undefined) throw new Error('a digest was not computed')
  const signed = signedAttributesDer(attributes, digest, signingTimeMs)
  const signature = plan.sign(signed, key)
  const tagged = Uint8Array.from(signed)
  tagged[0] = contextConstructed(0)
  return sequence(VERSION, id, plan.digestAlgorithm, tagged, plan.algorithm, octetString(signature))
}

interface FixedPieces {
  readonly id: Uint8Array
  readonly attributes: readonly Uint8Array[]
}

const fixedPiecesOf = new WeakMap<SmimeCertificate, FixedPieces>()

/** What is the same in every signature by this certificate. */
function fixedPieces(certificate: SmimeCertificate): FixedPieces {
  const known = fixedPiecesOf.get(certificate)
  if (known !== undefined) return known
  const pieces = { id: issuerAndSerial(certificate), attributes: fixedAttributes(certificate) }
  fixedPiecesOf.set(certificate, pieces)
  return pieces
}
