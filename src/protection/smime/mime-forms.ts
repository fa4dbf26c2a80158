/**
 * How CMS is carried in MIME (RFC 8551 §3): which entities are ours, and the header fields of those we write.
 * The content decides what an entity is; `smime-type` and file names are hints that senders often get wrong.
 */
import { latin1 } from '../../base/bytes.ts'
import { contentTypeOf, dispositionOf } from '../../message/content-type.ts'
import { makeField } from '../../message/header-field.ts'
import { type HeaderField, type Part, bodyOf } from '../../message/part.ts'
import type { LayerKind } from '../standard.ts'

/** Enough base64 to see the content type of a CMS ContentInfo (RFC 5652 §3). */
const PEEK_CHARS = 400

/** DER of the content types that we read, as latin1. */
const CONTENT_TYPES: readonly (readonly [oid: string, form: SmimeForm])[] = [
  ['\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02', 'signed-data'], // 1.2.840.113549.1.7.2
  ['\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03', 'enveloped-data'], // 1.2.840.113549.1.7.3
  ['\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17', 'auth-enveloped-data'], // 1.2.840.113549.1.9.16.1.23
  ['\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09', 'compressed-data'], // 1.2.840.113549.1.9.16.1.9
]
/** Tag and length of ContentInfo, then its content type. */
const OUTLINE_BYTES = 40

const SIGNATURE_TYPES = new Set(['application/pkcs7-signature', 'application/x-pkcs7-signature'])
const MIME_TYPES = new Set(['application/pkcs7-mime', 'application/x-pkcs7-mime'])

/** A SignedData that nobody signed, for its certificates' sake (RFC 8551 §3.8). */
export const CERTIFICATES_ONLY = 'certs-only'

export type SmimeForm =
  'multipart/signed' | 'signed-data' | 'enveloped-data' | 'auth-enveloped-data' | 'compressed-data'

/**
 * Which form of S/MIME an entity is (RFC 8551 §3.10), or `undefined`. Certificates alone are not protection. A body that is
 * no CMS is what its label says, or nothing when only content counts.
 */
export function smimeFormOf(part: Part, by: 'label' | 'content' = 'label'): SmimeForm | undefined {
  const { type, parameters } = contentTypeOf(part)
  if (type === 'multipart/signed') return isSmimeProtocol(parameters) ? 'multipart/signed' : undefined
  if (MIME_TYPES.has(type)) {
    const smimeType = parameters.get('smime-type')?.toLowerCase() ?? ''
    if (smimeType === CERTIFICATES_ONLY) return undefined
    return peekForm(part) ?? (by === 'label' ? SMIME_TYPES.get(smimeType) : undefined)
  }
  if (type !== 'application/octet-stream') return undefined
  const name = dispositionOf(part).filename ?? parameters.get('name') ?? ''
  return /\.p7[mz]$/i.test(name) ? peekForm(part) : undefined
}

/** RFC 1847 §2.1 requires a protocol; who leaves it out still names the digest, which OpenPGP's begin with `pgp-`. */
function isSmimeProtocol(parameters: ReadonlyMap<string, string>): boolean {
  const protocol = parameters.get('protocol')?.toLowerCase()
  if (protocol !== undefined) return SIGNATURE_TYPES.has(protocol)
  return /^(sha|md5)/i.test(parameters.get('micalg') ?? '')
}

export function kindOfForm(form: SmimeForm): LayerKind {
  switch (form) {
    case 'multipart/signed':
    case 'signed-data':
      return 'signed'
    case 'enveloped-data':
    case 'auth-enveloped-data':
      return 'encrypted'
    case 'compressed-data':
      return 'compressed'
  }
}

export const isSignaturePart = (part: Part): boolean => {
  const { type, parameters } = contentTypeOf(part)
  if (SIGNATURE_TYPES.has(type)) return true
  const name = dispositionOf(part).filename ?? parameters.get('name') ?? ''
  return type === 'application/octet-stream' && name.toLowerCase().endsWith('.p7s')
}

function peekForm(part: Part): SmimeForm | undefined {
  const body = latin1(bodyOf(part).subarray(0, PEEK_CHARS))
  const head = body.charCodeAt(0) === 0x30 ? body : Buffer.from(body, 'base64').toString('latin1')
  const outline = head.slice(0, OUTLINE_BYTES)
  return CONTENT_TYPES.find(([oid]) => outline.includes(oid))?.[1]
}

const SMIME_TYPES: ReadonlyMap<string, SmimeForm> = new Map([
  ['signed-data', 'signed-data'],
  ['enveloped-data', 'enveloped-data'],
  ['authenveloped-data', 'auth-enveloped-data'],
  ['compressed-data', 'compressed-data'],
])

/** Header fields of an `application/pkcs7-mime` entity (RFC 8551 §3.2). */
export function pkcs7MimeFields(form: 'signed-data' | 'enveloped-data' | 'auth-enveloped-data'): HeaderField[] {
  const smimeType = form === 'auth-enveloped-data' ? 'authEnveloped-data' : form
  return [
    makeField('Content-Type', `application/pkcs7-mime; smime-type=${smimeType}; name="smime.p7m"`),
    makeField('Content-Transfer-Encoding', 'base64'),
    makeField('Content-Disposition', 'attachment; filename="smime.p7m"'),
  ]
}

/** The header field of a `multipart/signed` entity (RFC 8551 §3.5.3.2). */
export function multipartSignedFields(micalg: string, boundary: string): HeaderField[] {
  const word = micalg.includes(',') ? `"${micalg}"` : micalg
  const parameters = `protocol="application/pkcs7-signature"; micalg=${word}; boundary="${boundary}"`
  return [makeField('Content-Type', `multipart/signed; ${parameters}`)]
}

/** Header fields of the signature in `multipart/signed`. */
export function signatureFields(): HeaderField[] {
  return [
    makeField('Content-Type', 'application/pkcs7-signature; name="smime.p7s"'),
    makeField('Content-Transfer-Encoding', 'base64'),
    makeField('Content-Disposition', 'attachment; filename="smime.p7s"'),
  ]
}
