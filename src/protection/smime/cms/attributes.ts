/** Attributes of CMS (RFC 5652 §5.3 and §11, RFC 5035, RFC 8551 §2.5): read from a signature, and written into one. */
import { hash } from 'node:crypto'
import { equalBytes, hex } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { joinedOctets, parseBer } from '../asn1/ber-reader.ts'
import { type Node, readOid, readTimeMs } from '../asn1/der-reader.ts'
import { contextTagged, octetString, oid, sequence, setOf, time } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import { type Digest, digestByName, hashOf, readDigestAlgorithm } from '../algorithms.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import type { StatedAbilities } from '../../standard.ts'
import { SMIME_CAPABILITIES, capabilitiesDer, readCapabilities } from './capabilities.ts'
import { CMS_ELEMENT_MAX_BYTES, CONTENT_TYPE } from './content-info.ts'

export const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  smimeCapabilities: SMIME_CAPABILITIES,
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const

/** By type: the values. No type occurs twice. */
export type Attributes = ReadonlyMap<string, readonly Node[]>

/** SET OF Attribute, however it is tagged. A type that occurs twice is an error: which of the two would count? */
export function readAttributes(set: Node): Result<Attributes> {
  const attributes = new Map<string, readonly Node[]>()
  for (const attribute of set.children) {
    const [type, values, more] = attribute.children
    const name = type?.tag === TAG.OID ? readOid(type.content) : undefined
    if (attribute.tag !== TAG.SEQUENCE || name === undefined || values?.tag !== TAG.SET || more !== undefined)
      return fail('malformed signed attribute')
    if (attributes.has(name)) return fail(`signed attribute ${name} occurs twice`)
    attributes.set(name, values.children)
  }
  return ok(attributes)
}

/** Attributes that MUST NOT be unsigned (RFC 5652 §11.1–11.3). */
const SIGNED_ONLY: readonly string[] = [ATTRIBUTE.contentType, ATTRIBUTE.messageDigest, ATTRIBUTE.signingTime]

/** Type of the first unsigned attribute that had to be signed. */
export function misplacedAttribute(unsigned: Node | undefined): string | undefined {
  const types = unsigned?.children.map(({ children: [type] }) =>
    type === undefined ? '' : (readOid(type.content) ?? ''),
  )
  return types?.find((type) => SIGNED_ONLY.includes(type))
}

/** What the attributes that every S/MIME signature may carry say. */
export interface SignedFacts {
  readonly contentType: string
  readonly messageDigest: Uint8Array
  readonly signingTimeMs?: number
  readonly certificateHash?: CertificateHash
  /** What SMIMECapabilities say; missing when they are missing or malformed, which spoils no signature. */
  readonly states?: StatedAbilities
}

/** Binds the signature to one certificate, so that another one with the same key cannot take its place (RFC 5035). */
export interface CertificateHash {
  /** Missing when the digest is not one we know. */
  readonly digest: Digest | undefined
  readonly hash: Uint8Array
}

/** Attributes that must have exactly one value (RFC 5652 §11.1–11.3, RFC 5035 §3, RFC 8551 §2.5). */
export function readSignedFacts(attributes: Attributes): Result<SignedFacts> {
  for (const type of Object.values(ATTRIBUTE)) {
    const values = attributes.get(type)
    if (values !== undefined && values.length !== 1)
      return fail(`signed attribute ${type} has ${values.length} values where one is allowed`)
  }
  const single = (type: string): Node | undefined => attributes.get(type)?.[0]
  const typeNode = single(ATTRIBUTE.contentType)
  const digestNode = single(ATTRIBUTE.messageDigest)
  const timeNode = single(ATTRIBUTE.signingTime)
  const contentType = typeNode?.tag === TAG.OID ? readOid(typeNode.content) : undefined
  if (contentType === undefined) return fail('signed attribute content-type is malformed or missing')
  const messageDigest = digestNode === undefined ? undefined : joinedOctets(digestNode)
  if (messageDigest === undefined) return fail('signed attribute message-digest is malformed or missing')
  const signingTimeMs = timeNode === undefined ? undefined : readTime(timeNode)
  if (timeNode !== undefined && signingTimeMs === undefined) return fail('signed attribute signing-time is malformed')
  const ess = readCertificateHash(single(ATTRIBUTE.signingCertificateV2), single(ATTRIBUTE.signingCertificate))
  if (!ess.ok) return ess
  const capabilities = single(ATTRIBUTE.smimeCapabilities)
  const states = capabilities === undefined ? undefined : readCapabilities(capabilities)
  return ok({
    contentType,
    messageDigest,
    ...(signingTimeMs === undefined ? {} : { signingTimeMs }),
    ...(ess.value === undefined ? {} : { certificateHash: ess.value }),
    ...(states === undefined ? {} : { states }),
  })
}

/**
 * Whether these octets are what a signature with signed attributes covers. Somebody has then taken the attributes off a
 * message and put them in the place of its content (draft-ietf-lamps-cms-euf-cma-signeddata).
 */
export function isSignedAttributes(content: Uint8Array): boolean {
  if (content[0] !== TAG.SET || content.length > CMS_ELEMENT_MAX_BYTES) return false
  const parsed = parseBer(content)
  const attributes = parsed.ok ? readAttributes(parsed.value) : parsed
  return attributes.ok && attributes.value.has(ATTRIBUTE.messageDigest)
}

const readTime = (node: Node): number | undefined =>
  node.tag === TAG.UTC_TIME || node.tag === TAG.GENERALIZED_TIME ? readTimeMs(node.content) : undefined

/** The first ESSCertIDv2, else the first ESSCertID (SHA-1): it names the signer's certificate (RFC 5035 §4, §6). */
function readCertificateHash(v2: Node | undefined, v1: Node | undefined): Result<CertificateHash | undefined> {
  const attribute = v2 ?? v1
  if (attribute === undefined) return ok(undefined)
  const fields = attribute.children[0]?.children[0]?.children ?? []
  const algorithm = v2 !== undefined && fields[0]?.tag === TAG.SEQUENCE ? fields[0] : undefined
  const hash = fields[algorithm === undefined ? 0 : 1]
  if (hash?.tag !== TAG.OCTET_STRING) return fail('signed attribute signing-certificate is malformed')
  if (algorithm !== undefined) return ok({ digest: readDigestAlgorithm(algorithm), hash: hash.content })
  return ok({ digest: digestByName(v2 === undefined ? 'sha1' : 'sha256'), hash: hash.content })
}

/** Whether the hash is that of this certificate; `undefined` when its digest is unknown. */
export function namesCertificate(
  named: CertificateHash,
  { encoded, fingerprint }: Pick<SmimeCertificate, 'encoded'> & Partial<Pick<SmimeCertificate, 'fingerprint'>>,
): boolean | undefined {
  if (named.digest === undefined) return undefined
  if (named.digest.name === 'sha256' && fingerprint !== undefined) return hex(named.hash) === fingerprint
  return equalBytes(hashOf(named.digest, encoded), named.hash)
}

const attribute = (type: string, value: Uint8Array): Uint8Array => sequence(oid(type), setOf([value]))

const CAPABILITIES = attribute(ATTRIBUTE.smimeCapabilities, capabilitiesDer())
const CONTENT_TYPE_DATA = attribute(ATTRIBUTE.contentType, oid(CONTENT_TYPE.data))

/** The attributes of a signature by this certificate that do not depend on the message. */
export function fixedAttributes(certificate: SmimeCertificate): readonly Uint8Array[] {
  return [CONTENT_TYPE_DATA, CAPABILITIES, attribute(ATTRIBUTE.signingCertificateV2, signingCertificateV2(certificate))]
}

/** The signed attributes of one message as DER SET OF: these are the octets that are signed (RFC 5652 §5.4). */
export function signedAttributesDer(
  fixed: readonly Uint8Array[],
  messageDigest: Uint8Array,
  signingTimeMs: number,
): Uint8Array {
  return setOf([
    ...fixed,
    attribute(ATTRIBUTE.messageDigest, octetString(messageDigest)),
    attribute(ATTRIBUTE.signingTime, time(signingTimeMs)),
  ])
}

/** SigningCertificateV2 with SHA-256, which is its default and therefore not written (RFC 5035 §3, §4). */
function signingCertificateV2(certificate: SmimeCertificate): Uint8Array {
  const certificateHash = octetString(hash('sha256', certificate.encoded, 'buffer'))
  const issuer = sequence(contextTagged(4, certificate.issuer)) // GeneralNames with one directoryName
  return sequence(sequence(sequence(certificateHash, sequence(issuer, certificate.serial))))
}
