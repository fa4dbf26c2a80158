/** OCSP (RFC 6960): requests are written and responses are read here; what a response is worth, ocsp-status.ts says. */
import { hash } from 'node:crypto'
import { equalBytes } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import { type DigestName, digestByName, readDigestAlgorithm } from '../algorithms.ts'
import { type Node, readSmallInteger } from '../asn1/der-reader.ts'
import { NULL, contextTagged, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { type Extension, type SmimeCertificate, parseCertificate, readExtensions, readInstant } from './certificate.ts'
import { Malformed, attempt, need } from '../../malformed.ts'
import { derNode, expectTag, oidOf } from '../asn1/der-fields.ts'
import { nameKey, readName } from './name.ts'
import { writeExtension } from './write-certificate.ts'

export const OCSP_RESPONSE_MAX_BYTES = 256 * 2 ** 10
/** Answers looked at in one response, and certificates of responders. */
const ANSWERS_MAX = 100
const RESPONDER_CERTIFICATES_MAX = 8

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1'
const NONCE = '1.3.6.1.5.5.7.48.1.2'
/** Octets of the nonces we send; responders understand 32 (RFC 9654). */
export const NONCE_BYTES = 32

export interface OcspResponse {
  /** ResponseData as it stood: what the responder signed. */
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  /** ResponderID: a comparable name, or the SHA-1 of the key. */
  readonly responder: { readonly name: string } | { readonly keyHash: Uint8Array }
  readonly answers: readonly OcspAnswer[]
  /** Certificates that came along, for a responder that the authority has delegated to. */
  readonly certificates: readonly SmimeCertificate[]
  readonly nonce?: Uint8Array
  /** False when a critical extension is not understood. */
  readonly usable: boolean
}

/** SingleResponse (RFC 6960 §4.2.1). */
export interface OcspAnswer {
  readonly about: CertId
  readonly status: 'good' | 'revoked' | 'unknown'
  readonly revokedMs?: number
  /** CRLReason; 0 when absent. */
  readonly reason: number
  readonly thisUpdateMs: number
  readonly nextUpdateMs?: number
  readonly usable: boolean
}

/** CertID: names a certificate by its issuer's name, its issuer's key and its serial number. */
interface CertId {
  readonly digest: DigestName
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  /** The whole INTEGER. */
  readonly serial: Uint8Array
}

/**
 * A request about one certificate, unsigned (RFC 6960 §4.1.1). The digest of CertID is SHA-1, which every responder
 * understands; it protects nothing, for the answer is signed and compared with the question.
 */
export function writeOcspRequest(
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
  nonce: Uint8Array,
): Uint8Array {
  const digest = digestByName('sha1')
  const certId = sequence(
    sequence(oid(digest.oid), NULL), // as all others write it: some responders compare bytes
    octetString(hash(digest.name, certificate.issuer, 'buffer')),
    octetString(hash(digest.name, keyBits(issuer), 'buffer')),
    certificate.serial,
  )
  const extensions = sequence(writeExtension(NONCE, false, octetString(nonce)))
  return sequence(sequence(sequence(sequence(certId)), contextTagged(2, extensions)))
}

/** By the array that was given: a response that is kept is parsed once. */
const cache = new WeakMap<Uint8Array, Result<OcspResponse>>()

/** Reads a DER OCSPResponse. The error says which of the unsigned refusals (RFC 6960 §2.3) it is, or what is malformed. */
export function parseOcspResponse(der: Uint8Array): Result<OcspResponse> {
  const known = cache.get(der)
  if (known !== undefined) return known
  const parsed = attempt(() => readOcspResponse(der))
  cache.set(der, parsed)
  return parsed
}

/** The answer about this certificate; both names and keys must be those of its issuer. */
export function answerAbout(
  response: OcspResponse,
  certificate: SmimeCertificate,
  issuer: SmimeCertificate,
): OcspAnswer | undefined {
  return response.answers.find(
    ({ about }) =>
      equalBytes(about.serial, certificate.serial) &&
      equalBytes(about.issuerNameHash, hash(about.digest, certificate.issuer, 'buffer')) &&
      equalBytes(about.issuerKeyHash, hash(about.digest, keyBits(issuer), 'buffer')),
  )
}

/** Whether the response names this certificate as its responder. */
export function isResponder(response: OcspResponse, candidate: SmimeCertificate): boolean {
  const { responder } = response
  if ('name' in responder) return responder.name === candidate.subjectKey
  return equalBytes(responder.keyHash, hash('sha1', keyBits(candidate), 'buffer'))
}

/**
 * False when it repeats another nonce: then it answers somebody else. One without any is judged by its times alone, since
 * most responders sign their answers in advance.
 */
export const isAnswerTo = ({ nonce }: OcspResponse, asked: Uint8Array): boolean =>
  nonce === undefined || equalBytes(nonce, asked)

/** Content of the BIT STRING subjectPublicKey, without its count of unused bits. */
function keyBits({ spki }: SmimeCertificate): Uint8Array {
  const key = derNode(spki, TAG.SEQUENCE, 'subjectPublicKeyInfo').children[1]
  return expectTag(key, TAG.BIT_STRING, 'subjectPublicKey').content.subarray(1)
}

/** The one element inside `[number] EXPLICIT`. */
function explicit(node: Node | undefined, number: number, tag: number, what: string): Node {
  return expectTag(expectTag(node, contextConstructed(number), what).children[0], tag, what)
}

/** OCSPResponseStatus (RFC 6960 §4.2.1), as people read it. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'calls the request malformed',
  2: 'has an internal error',
  3: 'says "try later"',
  5: 'wants a signed request',
  6: 'does not answer for this certificate',
}

function readOcspResponse(der: Uint8Array): OcspResponse {
  if (der.length > OCSP_RESPONSE_MAX_BYTES) throw new Malformed('OCSP response is too large')
  const [statusNode, bytesNode] = derNode(der, TAG.SEQUENCE, 'OCSP response').children
  const status = readSmallInteger(expectTag(statusNode, TAG.ENUMERATED, 'OCSP status').content)
  if (status !== 0) throw new Malformed(`the OCSP responder ${REFUSALS[status ?? -1] ?? 'refuses'}`)
  const bytes = explicit(bytesNode, 0, TAG.SEQUENCE, 'OCSP response')
  if (oidOf(bytes.children[0], 'OCSP response type') !== BASIC_RESPONSE)
    throw new Malformed('OCSP response of an unknown type')
  const { content } = expectTag(bytes.children[1], TAG.OCTET_STRING, 'OCSP response')
  return readBasicResponse(derNode(content, TAG.SEQUENCE, 'OCSP response'))
}

function readBasicResponse({ children }: Node): OcspResponse {
  const tbs = expectTag(children[0], TAG.SEQUENCE, 'OCSP response data')
  const algorithm = expectTag(children[1], TAG.SEQUENCE, 'OCSP signature algorithm')
  const signature = expectTag(children[2], TAG.BIT_STRING, 'OCSP signature')
  if (signature.content[0] !== 0) throw new Malformed('OCSP signature is malformed')
  const certificates = children[3] === undefined ? [] : readCertificates(children[3])
  const fields = [...tbs.children]
  if (fields[0]?.tag === contextConstructed(0)) fields.shift() // version 1 is the only one
  const [responder, producedAt, answers, extensionsNode] = fields
  readInstant(producedAt)
  const extensions =
    extensionsNode === undefined ? [] : readExtensions(explicit(extensionsNode, 1, TAG.SEQUENCE, 'OCSP extensions'))
  const nonce = extensions.find(({ oid }) => oid === NONCE)
  return {
    tbs: tbs.raw,
    signatureAlgorithm: algorithm.raw,
    signature: signature.content.subarray(1),
    responder: readResponder(responder),
    answers: expectTag(answers, TAG.SEQUENCE, 'OCSP answers').children.slice(0, ANSWERS_MAX).map(readAnswer),
    certificates,
    ...(nonce === undefined ? {} : { nonce: derNode(nonce.value, TAG.OCTET_STRING, 'OCSP nonce').content }),
    usable: extensions.every(isUnderstood),
  }
}

const isUnderstood = ({ critical, oid }: Extension): boolean => !critical || oid === NONCE

/** Those that cannot be read cannot have signed anything. */
function readCertificates(node: Node): readonly SmimeCertificate[] {
  const { children } = explicit(node, 0, TAG.SEQUENCE, 'OCSP certificates')
  return children.slice(0, RESPONDER_CERTIFICATES_MAX).flatMap(({ raw }) => {
    const parsed = parseCertificate(raw)
    return parsed.ok ? [parsed.value] : []
  })
}

function readResponder(node: Node | undefined): OcspResponse['responder'] {
  if (node?.tag === contextConstructed(1))
    return { name: nameKey(readName(explicit(node, 1, TAG.SEQUENCE, 'responder'))) }
  return { keyHash: explicit(node, 2, TAG.OCTET_STRING, 'responder').content }
}

function readAnswer(node: Node): OcspAnswer {
  const [id, status, thisUpdate, ...rest] = expectTag(node, TAG.SEQUENCE, 'OCSP answer').children
  const nextUpdate = rest[0]?.tag === contextConstructed(0) ? rest.shift()?.children[0] : undefined
  const extensionsNode = rest[0]?.tag === contextConstructed(1) ? rest.shift()?.children[0] : undefined
  if (rest.length > 0) throw new Malformed('OCSP answer is malformed')
  const extensions =
    extensionsNode === undefined ? [] : readExtensions(expectTag(extensionsNode, TAG.SEQUENCE, 'OCSP extensions'))
  return {
    about: readCertId(expectTag(id, TAG.SEQUENCE, 'CertID')),
    ...readStatus(need(status, 'OCSP answer is malformed')),
    thisUpdateMs: readInstant(thisUpdate),
    ...(nextUpdate === undefined ? {} : { nextUpdateMs: readInstant(nextUpdate) }),
    usable: extensions.every(({ critical }) => !critical),
  }
}

function readCertId({ children }: Node): CertId {
  const [algorithm, nameHash, keyHash, serial] = children
  const digest = algorithm === undefined ? undefined : readDigestAlgorithm(algorithm)
  return {
    digest: need(digest, 'CertID with an unknown digest').name,
    issuerNameHash: expectTag(nameHash, TAG.OCTET_STRING, 'CertID').content,
    issuerKeyHash: expectTag(keyHash, TAG.OCTET_STRING, 'CertID').content,
    serial: expectTag(serial, TAG.INTEGER, 'CertID').raw,
  }
}

function readStatus(node: Node): Pick<OcspAnswer, 'status' | 'revokedMs' | 'reason'> {
  switch (node.tag) {
    case context(0):
      return { status: 'good', reason: 0 }
    case context(2):
      return { status: 'unknown', reason: 0 }
    case contextConstructed(1): {
      const [time, reasonNode] = node.children
      const reason =
        reasonNode === undefined ? 0 : readSmallInteger(explicit(reasonNode, 0, TAG.ENUMERATED, 'reason').content)
      return { status: 'revoked', revokedMs: readInstant(time), reason: need(reason, 'reason is malformed') }
    }
    default: // tags are numbers: the CHOICE ends here
      throw new Malformed('OCSP status is malformed')
  }
}
