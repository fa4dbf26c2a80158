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

/** DER of the OIDs 1.2.840.113549.1.7.2 (signed), 1.7.3 (enveloped), 1.9.16.1.23 (authEnveloped), as latin1. */
const SIGNED_DATA = '\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02'
const ENVELOPED_DATA = '\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03'
const AUTH_ENVELOPED_DATA = '\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17'

const SIGNATURE_TYPES = new Set(['application/pkcs7-signature', 'application/x-pkcs7-signature'])
const MIME_TYPES = new Set(['application/pkcs7-mime', 'application/x-pkcs7-mime'])

/** A SignedData that nobody signed, for its certificates' sake (RFC 8551 §3.8). */
const CERTIFICATES_ONLY = 'certs-only'

export type SmimeForm = 'multipart/signed' | 'signed-data' | 'enveloped-data' | 'auth-enveloped-data'

/**
 * Which form of S/MIME an entity is (RFC 8551 §3.10), or `undefined`. Certificates alone are not protection. A body that is
 * no CMS is what its label says, or nothing when only content counts.
 */
export function smimeFormOf(part: Part, by: 'label' | 'content' = 'label'): SmimeForm | undefined {
  const { type, parameters } = contentTypeOf(part)
  if (type === 'multipart/signed')
    return SIGNATURE_TYPES.has((parameters.get('protocol') ?? '').toLowerCase()) ? 'multipart/signed' : undefined
  if (MIME_TYPES.has(type)) {
    const smimeType = parameters.get('smime-type')?.toLowerCase() ?? ''
    if (smimeType === CERTIFICATES_ONLY) return undefined
    return peekForm(part) ?? (by === 'label' ? SMIME_TYPES.get(smimeType) : undefined)
  }
  if (type !== 'application/octet-stream') return undefined
  const name = dispositionOf(part).filename ?? parameters.get('name') ?? ''
  return name.toLowerCase().endsWith('.p7m') ? peekForm(part) : undefined
}

export const kindOfForm = (form: SmimeForm): LayerKind =>
  form === 'multipart/signed' || form === 'signed-data' ? 'signed' : 'encrypted'

export const isSignaturePart = (part: Part): boolean => {
  const { type, parameters } = contentTypeOf(part)
  if (SIGNATURE_TYPES.has(type)) return true
  const name = dispositionOf(part).filename ?? parameters.get('name') ?? ''
  return type === 'application/octet-stream' && name.toLowerCase().endsWith('.p7s')
}

function peekForm(part: Part): SmimeForm | undefined {
  const body = latin1(bodyOf(part).subarray(0, PEEK_CHARS))
  const head = body.charCodeAt(0) === 0x30 ? body : Buffer.from(body, 'base64').toString('latin1')
  if (head.slice(0, 40).includes(SIGNED_DATA)) return 'signed-data'
  if (head.slice(0, 40).includes(ENVELOPED_DATA)) return 'enveloped-data'
  return head.slice(0, 40).includes(AUTH_ENVELOPED_DATA) ? 'auth-enveloped-data' : undefined
}

const SMIME_TYPES: ReadonlyMap<string, SmimeForm> = new Map([
  ['signed-data', 'signed-data'],
  ['enveloped-data', 'enveloped-data'],
  ['authenveloped-data', 'auth-enveloped-data'],
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
  const parameters = `protocol="application/pkcs7-signature"; micalg=${micalg}; boundary="${boundary}"`
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
