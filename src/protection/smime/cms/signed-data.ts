/** SignedData (RFC 5652 §5): read, and checked signature by signature. What it says about trust is nothing at all. */
import { concatBytes, equalBytes } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { joinedOctets, toDer } from '../asn1/ber-reader.ts'
import { type BerReader, type OnSlice, type Reading, readWhole } from '../asn1/ber-stream.ts'
import { Asn1Error, type Node } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { type AlgorithmId, type Digest, digestOf, readAlgorithm } from '../algorithms.ts'
import { type SmimeCertificate, parseCertificate } from '../x509/certificate.ts'
import type { StatedAbilities } from '../../standard.ts'
import { type SignatureInput, checkSignature, describeSignature, fitsKey, isPure } from '../check-signature.ts'
import {
  type SignedFacts,
  isSignedAttributes,
  misplacedAttribute,
  namesCertificate,
  readAttributes,
  readSignedFacts,
} from './attributes.ts'
import {
  CMS_ELEMENT_MAX_BYTES,
  CONTENT_TYPE,
  enterContentInfo,
  leaveContentInfo,
  oidOf,
  parseElement,
  readElement,
} from './content-info.ts'
import { type EntityId, isNamedBy, readEntityId } from './entity-id.ts'
import { type SignedContent, digestOfContent, wholeContent } from './signed-content.ts'
import type { SignatureProblem } from '../../weakness.ts'

/** Each signer costs a hash over the whole content; S/MIME mails have one or two. */
export const SIGNERS_MAX = 16
/** Certificates that are kept; further ones are read over. */
export const CERTIFICATES_MAX = 100
/** Revocation lists that are kept, and their size; further and larger ones are read over. */
export const CRLS_MAX = 32
export const CRL_MAX_BYTES = 4 * 2 ** 20
export const OCSP_RESPONSES_MAX = 32
const ID_RI_OCSP_RESPONSE = '1.3.6.1.5.5.7.16.2'
/** Certificates and revocation lists that are read over, of each; ten million tiny ones cost a minute. */
export const READ_OVER_MAX = 10_000

/** SignerInfo (RFC 5652 §5.3). */
export interface SignerInfo {
  readonly id: EntityId
  readonly digestAlgorithm: AlgorithmId
  /** SignedAttributes as `[0]`, as received. */
  readonly signedAttributes?: Node
  /** UnsignedAttributes as `[1]`: said by anybody. */
  readonly unsignedAttributes?: Node
  readonly algorithm: AlgorithmId
  readonly signature: Uint8Array
}

export interface SignedDataFrame {
  /** eContentType; `CONTENT_TYPE.data` in mail. */
  readonly contentType: string
  /** Whether the content is inside, or elsewhere (the first part of multipart/signed). */
  readonly detached: boolean
  /** DER, as received and not looked into. */
  readonly certificates: readonly Uint8Array[]
  /** DER CRLs, as received and not looked into. */
  readonly crls: readonly Uint8Array[]
  /** DER OCSPResponses (RFC 5940), as received and not looked into. */
  readonly ocspResponses: readonly Uint8Array[]
  readonly signerInfos: readonly SignerInfo[]
}

export interface SignedData extends SignedDataFrame {
  /** Missing when detached. A view on the input where it came in one piece. */
  readonly content?: Uint8Array
}

/** Reads a whole SignedData in its ContentInfo, in BER or DER. */
export function readSignedData(bytes: Uint8Array): Result<SignedData> {
  const slices: Uint8Array[] = []
  const frame = readWhole(bytes, (reader) => readSignedDataFrame(reader, (slice) => slices.push(slice)))
  if (!frame.ok) return frame
  return ok(frame.value.detached ? frame.value : { ...frame.value, content: concatBytes(slices) })
}

/** Reads a SignedData as it comes; its content is handed on in slices. */
export function* readSignedDataFrame(reader: BerReader, onContent: OnSlice): Reading<SignedDataFrame> {
  if ((yield* enterContentInfo(reader)) !== CONTENT_TYPE.signedData) throw new Asn1Error('not a SignedData')
  yield* reader.enter(TAG.SEQUENCE, 'SignedData')
  yield* readVersion(reader)
  yield* reader.skip() // digestAlgorithms: each SignerInfo names its own
  yield* reader.enter(TAG.SEQUENCE, 'encapContentInfo')
  const contentType = oidOf(yield* readElement(reader))
  const detached = (yield* reader.peek()) === undefined
  if (!detached) {
    yield* reader.enter(contextConstructed(0), 'eContent')
    yield* reader.octets(onContent, 'eContent')
    yield* reader.leave()
  }
  yield* reader.leave()
  const certificates = yield* readCertificates(reader)
  const revocation = yield* readRevocation(reader)
  const signerInfos = yield* readSignerInfos(reader)
  yield* reader.leave()
  yield* leaveContentInfo(reader)
  return { contentType, detached, certificates, ...revocation, signerInfos }
}

/**
 * The certificate a signer names: the one whose hash is signed, else the first whose key can have made the signature, for
 * one authority may have given one number twice.
 */
export function findSigner(
  signerInfo: SignerInfo,
  certificates: readonly SmimeCertificate[],
): SmimeCertificate | undefined {
  const candidates = certificates.filter((certificate) => isNamedBy(signerInfo.id, certificate))
  if (candidates.length < 2) return candidates[0]
  const facts = readFacts(signerInfo)
  const named = facts.ok ? facts.value?.certificateHash : undefined
  const isNamed = (each: SmimeCertificate): boolean =>
    named === undefined ? fitsKey(signerInfo.algorithm, each.publicKey) : namesCertificate(named, each) === true
  return candidates.find(isNamed) ?? candidates[0]
}

/**
 * What is wrong with the certificates around a signature that names its own by hash (RFC 5035 §4), in one sentence:
 * the one it names is here, but the signer's identifier is of another (`found` or nobody); or the one that was sent
 * along was exchanged or changed. Whether 222 knows the right one does not matter: somebody has changed the message.
 */
export function certificateTampering(
  signedData: SignedDataFrame,
  signerInfo: SignerInfo,
  found: SmimeCertificate | undefined,
  known: readonly SmimeCertificate[],
): string | undefined {
  const facts = readFacts(signerInfo)
  const named = facts.ok ? facts.value?.certificateHash : undefined
  if (named?.digest === undefined) return undefined
  const isNamed = (encoded: Uint8Array): boolean => namesCertificate(named, { encoded }) === true
  const sent = signedData.certificates.find(isNamed)
  const readable = sent !== undefined && parseCertificate(sent).ok // one with a key of a new kind contradicts nothing
  if (found === undefined && (readable || known.some(({ encoded }) => isNamed(encoded))))
    return "the signer's identifier is not that of the certificate that the signature names"
  if (sent === undefined && signedData.certificates.some(isForPeople))
    return 'none of the certificates in the message is the one that the signature names'
  return undefined
}

/** Some send their authorities' certificates only. */
function isForPeople(encoded: Uint8Array): boolean {
  const parsed = parseCertificate(encoded)
  return !parsed.ok || !parsed.value.isAuthority
}

export interface SignerCheck {
  /** The signature was made by this certificate's key and covers this content and the signed attributes. */
  readonly intact: boolean
  /** Such as `rsa-sha256`; the OID when unknown. */
  readonly algorithm: string
  /** What the signer says about the time; not proven by anybody. Only there when intact. */
  readonly signingTimeMs?: number
  /** What the signed attributes say that the signer's program can do. Only there when intact. */
  readonly states?: StatedAbilities
  /** One sentence, when not intact. */
  readonly why?: string
  /** Whether something was changed (`wrong`), or the signature could not be judged or is too weak to prove anything. */
  readonly problem?: SignatureProblem['kind']
}

/** Checks one signature of a SignedData over its content, inside or detached (RFC 5652 §5.4–5.6). Never throws. */
export function verifySigner(
  signedData: SignedDataFrame,
  signerInfo: SignerInfo,
  content: SignedContent,
  certificate: SmimeCertificate,
  options: { readonly allowWeak: boolean },
): SignerCheck {
  const algorithm = describeSignature(signerInfo.algorithm, digestOf(signerInfo.digestAlgorithm))
  const checked = checkSigner(signedData, signerInfo, content, certificate, options.allowWeak)
  if (!checked.ok) return { intact: false, algorithm, why: checked.error.why, problem: checked.error.kind }
  const { signingTimeMs, states } = checked.value ?? {}
  const said = { ...(signingTimeMs !== undefined && { signingTimeMs }), ...(states !== undefined && { states }) }
  return { intact: true, algorithm, ...said }
}

const wrong = (why: string): { ok: false; error: SignatureProblem } => fail({ kind: 'wrong', why })

function checkSigner(
  signedData: SignedDataFrame,
  signerInfo: SignerInfo,
  content: SignedContent,
  certificate: SmimeCertificate,
  allowWeak: boolean,
): Result<SignedFacts | undefined, SignatureProblem> {
  const { algorithm, signature } = signerInfo
  const base = { algorithm, signature, key: certificate.publicKey, allowWeak }
  const facts = readFacts(signerInfo)
  if (!facts.ok) return wrong(facts.error)
  const misplaced = misplacedAttribute(signerInfo.unsignedAttributes)
  if (misplaced !== undefined) return wrong(`attribute ${misplaced} is not signed`)
  if (signerInfo.signedAttributes === undefined || facts.value === undefined) {
    if (signedData.contentType !== CONTENT_TYPE.data) return wrong('signed attributes are missing') // RFC 5652 §5.3
    const plain = checkPlain(base, signerInfo, content)
    return plain.ok ? ok(undefined) : plain
  }
  const digest = usableDigest(signerInfo, allowWeak)
  if (!digest.ok) return digest
  const problem = contradiction(facts.value, signedData, content, digest.value, certificate)
  if (problem !== undefined) return fail(problem)
  const covered = checkAttributes({ ...base, digest: digest.value }, signerInfo.signedAttributes)
  return covered.ok ? ok(facts.value) : covered
}

/** Without signed attributes; then what takes the message whole does not look at the digest (RFC 9882 §3.3). */
function checkPlain(
  base: Omit<SignatureInput, 'message'>,
  signerInfo: SignerInfo,
  content: SignedContent,
): Result<string, SignatureProblem> {
  const message = wholeContent(content)
  if (message === undefined) return fail({ kind: 'unsupported', why: 'too large to be signed without attributes' })
  if (isSignedAttributes(message)) return wrong('the content is the signed attributes of another message')
  if (isPure(signerInfo.algorithm)) return checkSignature({ ...base, message })
  const digest = usableDigest(signerInfo, base.allowWeak === true)
  return digest.ok ? checkSignature({ ...base, digest: digest.value, message }) : digest
}

function usableDigest({ digestAlgorithm }: SignerInfo, allowWeak: boolean): Result<Digest, SignatureProblem> {
  const digest = digestOf(digestAlgorithm)
  if (digest === undefined) return fail({ kind: 'unsupported', why: `unknown digest algorithm ${digestAlgorithm.oid}` })
  if (digest.weak !== undefined && !allowWeak) return fail({ kind: 'weak', why: `${digest.name} is too weak` })
  return ok(digest)
}

type Facts = Result<SignedFacts | undefined>

const factsOf = new WeakMap<SignerInfo, Facts>()

/** Asked for when the signer is looked for, and when the signature is checked; read once. */
function readFacts(signerInfo: SignerInfo): Facts {
  const known = factsOf.get(signerInfo)
  if (known !== undefined) return known
  const { signedAttributes } = signerInfo
  const attributes = signedAttributes === undefined ? undefined : readAttributes(signedAttributes)
  const facts = attributes?.ok === true ? readSignedFacts(attributes.value) : (attributes ?? ok(undefined))
  factsOf.set(signerInfo, facts)
  return facts
}

/** What the signed attributes say against the message or the certificate in hand. */
function contradiction(
  facts: SignedFacts,
  signedData: SignedDataFrame,
  content: SignedContent,
  digest: Digest,
  certificate: SmimeCertificate,
): SignatureProblem | undefined {
  if (facts.contentType !== signedData.contentType)
    return { kind: 'wrong', why: 'the signed content-type is not that of the content' }
  if (facts.certificateHash !== undefined) {
    const named = namesCertificate(facts.certificateHash, certificate)
    if (named === undefined)
      return { kind: 'unsupported', why: 'the signing certificate is named by an unknown digest' }
    if (!named) return { kind: 'wrong', why: 'the signature names another certificate' }
  }
  if (!equalBytes(digestOfContent(content, digest), facts.messageDigest))
    return { kind: 'wrong', why: 'the content was changed after it was signed' }
  return undefined
}

/**
 * The signature covers the attributes as DER SET OF (RFC 5652 §5.4). They are taken as received; when that fails, as DER,
 * for senders that signed DER but sent BER, or the other way about. Both say the same, so both are as good.
 */
function checkAttributes(
  base: Omit<SignatureInput, 'message'>,
  signedAttributes: Node,
): Result<string, SignatureProblem> {
  const received = Uint8Array.from(signedAttributes.raw)
  received[0] = TAG.SET
  const first = checkSignature({ ...base, message: received })
  if (first.ok || first.error.kind !== 'wrong') return first
  const message = toDer({ ...signedAttributes, tag: TAG.SET })
  return equalBytes(message, received) ? first : checkSignature({ ...base, message })
}

function* readVersion(reader: BerReader): Reading<void> {
  if ((yield* readElement(reader)).tag !== TAG.INTEGER) throw new Asn1Error('version is missing')
}

function* readCertificates(reader: BerReader): Reading<Uint8Array[]> {
  const certificates: Uint8Array[] = []
  if ((yield* reader.peek())?.tag !== contextConstructed(0)) return certificates
  yield* reader.enter(contextConstructed(0), 'certificates')
  let readOver = 0
  for (let next = yield* reader.peek(); next !== undefined; next = yield* reader.peek()) {
    if (readOver === READ_OVER_MAX) throw new Asn1Error('too many certificates')
    // The other choices of CertificateChoices (RFC 5652 §10.2.2) are context-tagged, and obsolete or attribute certificates.
    if (next.tag === TAG.SEQUENCE && certificates.length < CERTIFICATES_MAX)
      certificates.push(yield* reader.element(CMS_ELEMENT_MAX_BYTES))
    else {
      readOver++
      yield* reader.skip()
    }
  }
  yield* reader.leave()
  return certificates
}

/** RevocationInfoChoices (RFC 5652 §10.2.1); other formats than CRLs and OCSP responses are read over. */
function* readRevocation(reader: BerReader): Reading<Pick<SignedDataFrame, 'crls' | 'ocspResponses'>> {
  const crls: Uint8Array[] = []
  const ocspResponses: Uint8Array[] = []
  if ((yield* reader.peek())?.tag !== contextConstructed(1)) return { crls, ocspResponses }
  yield* reader.enter(contextConstructed(1), 'crls')
  let readOver = 0
  for (let next = yield* reader.peek(); next !== undefined; next = yield* reader.peek()) {
    if (readOver === READ_OVER_MAX) throw new Asn1Error('too many revocation lists')
    const fits = next.lengthBytes !== undefined && next.headerBytes + next.lengthBytes <= CRL_MAX_BYTES
    if (next.tag === TAG.SEQUENCE && fits && crls.length < CRLS_MAX) crls.push(yield* reader.element(CRL_MAX_BYTES))
    else if (next.tag === contextConstructed(1) && fits && ocspResponses.length < OCSP_RESPONSES_MAX) {
      const response = readOtherRevocation(parseElement(yield* reader.element(CRL_MAX_BYTES)))
      if (response === undefined) readOver++
      else ocspResponses.push(response)
    } else {
      readOver++
      yield* reader.skip()
    }
  }
  yield* reader.leave()
  return { crls, ocspResponses }
}

/** OtherRevocationInfoFormat: an OCSPResponse under id-ri-ocsp-response (RFC 5940). */
function readOtherRevocation({ children: [format, info] }: Node): Uint8Array | undefined {
  if (format?.tag !== TAG.OID || info === undefined) throw new Asn1Error('revocation information is malformed')
  return oidOf(format) === ID_RI_OCSP_RESPONSE ? info.raw : undefined
}

function* readSignerInfos(reader: BerReader): Reading<SignerInfo[]> {
  const signerInfos: SignerInfo[] = []
  yield* reader.enter(TAG.SET, 'signerInfos')
  while ((yield* reader.peek()) !== undefined) {
    if (signerInfos.length === SIGNERS_MAX) throw new Asn1Error('too many signers')
    signerInfos.push(readSignerInfo(parseElement(yield* reader.element(CMS_ELEMENT_MAX_BYTES))))
  }
  yield* reader.leave()
  return signerInfos
}

function readSignerInfo(node: Node): SignerInfo {
  const [version, sid, digestAlgorithm, ...rest] = node.children
  const signedAttributes = rest[0]?.tag === contextConstructed(0) ? rest.shift() : undefined
  const [signatureAlgorithm, signatureNode, unsigned, more] = rest
  const id = readEntityId(sid)
  const signature = signatureNode === undefined ? undefined : joinedOctets(signatureNode)
  const unsignedFits = unsigned === undefined || unsigned.tag === contextConstructed(1)
  if (node.tag !== TAG.SEQUENCE || version?.tag !== TAG.INTEGER || id === undefined || signature === undefined)
    throw new Asn1Error('SignerInfo is malformed')
  if (!unsignedFits || more !== undefined) throw new Asn1Error('SignerInfo is malformed')
  return {
    id,
    digestAlgorithm: algorithmOf(digestAlgorithm),
    algorithm: algorithmOf(signatureAlgorithm),
    signature,
    ...(signedAttributes === undefined ? {} : { signedAttributes }),
    ...(unsigned === undefined ? {} : { unsignedAttributes: unsigned }),
  }
}

function algorithmOf(node: Node | undefined): AlgorithmId {
  const algorithm = node === undefined ? fail('AlgorithmIdentifier is missing') : readAlgorithm(node)
  if (!algorithm.ok) throw new Asn1Error(algorithm.error)
  return algorithm.value
}
