/** S/MIME (RFC 8551) as a ProtectionStandard: MIME forms outside, our CMS inside, path validation for trust. */
import { randomBytes } from 'node:crypto'
import { type ByteSink, Collector } from '../../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1 } from '../../base/bytes.ts'
import { decodeBody } from '../../message/decode.ts'
import { base64LineSink, encodeBase64Lines } from '../../message/encode.ts'
import { writeFields } from '../../message/header-field.ts'
import { childrenOf } from '../../message/mime-tree.ts'
import { parsePart } from '../../message/parse.ts'
import type { Part } from '../../message/part.ts'
import type {
  CameWith,
  Certificate,
  EncryptionChoice,
  KeyRing,
  Opened,
  OwnKey,
  ProtectedSink,
  ProtectionStandard,
  SignerFinding,
  SigningChoice,
  TrustFinding,
} from '../standard.ts'
import { type SmimeCertificate, parseCertificate } from './certificate.ts'
import { readCompressedData } from './cms/compressed-data.ts'
import { openEnvelope } from './cms/open-envelope.ts'
import { canEnvelopTo, envelopSink, envelopeFormOf } from './cms/envelop.ts'
import { readSignedData } from './cms/signed-data.ts'
import { micalgOf, signedDataSink } from './cms/sign.ts'
import {
  CERTIFICATES_ONLY,
  type SmimeForm,
  isSignaturePart,
  kindOfForm,
  multipartSignedFields,
  pkcs7MimeFields,
  signatureFields,
  smimeFormOf,
} from './mime-forms.ts'
import { validatePath } from './path-validation.ts'
import { findSigners } from './signer-findings.ts'

export const smime: ProtectionStandard = {
  name: 'smime',
  readCertificate: parseCertificate,
  recognise(part, by = 'label') {
    const form = smimeFormOf(part, by)
    return form === undefined ? undefined : kindOfForm(form)
  },
  open,
  judge,
  canEncryptTo: (certificate) => isSmimeCertificate(certificate) && canEnvelopTo(certificate),
  sign,
  encrypt,
}

function open(part: Part, ring: KeyRing): Opened {
  const form = smimeFormOf(part)
  switch (form) {
    case 'multipart/signed':
      return openMultipartSigned(part, ring)
    case 'signed-data':
      return openOpaque(part, ring)
    case 'enveloped-data':
    case 'auth-enveloped-data':
      return openEncrypted(part, form, ring)
    case 'compressed-data':
      return openCompressed(part)
    case undefined:
      return { kind: 'broken', layer: 'signed', form: 'unknown', why: 'not an S/MIME entity' }
  }
}

/** RFC 1847 §2.1: exactly two parts, the second is the signature over the first, its header fields included. */
function openMultipartSigned(part: Part, ring: KeyRing): Opened {
  const form = 'multipart/signed'
  const broken = (why: string): Opened => ({ kind: 'broken', layer: 'signed', form, why })
  const { children, defects } = childrenOf(part)
  const [content, signature, ...more] = children
  if (content === undefined || signature === undefined || more.length > 0)
    return broken(`multipart/signed has ${children.length} parts where it must have two`)
  if (defects.includes('boundary-not-closed')) return broken('multipart/signed is not closed')
  if (!isSignaturePart(signature)) return broken('the second part of multipart/signed is not a signature')
  const signedData = readSignedData(decodeBody(signature).bytes)
  if (!signedData.ok) return broken(signedData.error)
  const signers = findSigners(signedData.value, content.raw, ring)
  const asSigned = signers.some(holds) ? undefined : canonicalText(content.raw)
  if (asSigned === undefined) return { kind: 'signed', form, inner: content, signers }
  const again = findSigners(signedData.value, asSigned, ring)
  return again.some(holds)
    ? { kind: 'signed', form, inner: parsePart(asSigned), signers: again }
    : { kind: 'signed', form, inner: content, signers }
}

const holds = ({ intact, weak }: SignerFinding): boolean => intact || weak === true

/** With CRLF, as it was signed (RFC 8551 §3.1.1), when a program encrypted the signed entity with its own line ends. */
function canonicalText(text: Uint8Array): Uint8Array | undefined {
  const canonical = latin1(text).replaceAll(/(?<!\r)\n/g, '\r\n')
  return canonical.length === text.length ? undefined : fromLatin1(canonical)
}

function openOpaque(part: Part, ring: KeyRing): Opened {
  const form = 'signed-data'
  const signedData = readSignedData(decodeBody(part).bytes)
  if (!signedData.ok) return { kind: 'broken', layer: 'signed', form, why: signedData.error }
  const { content, signerInfos } = signedData.value
  if (content === undefined && signerInfos.length === 0) return { kind: 'not-a-layer', form: CERTIFICATES_ONLY }
  if (content === undefined) return { kind: 'broken', layer: 'signed', form, why: 'the signed content is missing' }
  return { kind: 'signed', form, inner: parsePart(content), signers: findSigners(signedData.value, content, ring) }
}

function openEncrypted(part: Part, form: SmimeForm, ring: KeyRing): Opened {
  const keys = ring.decryptionKeys.filter(isSmimeKey)
  const opened = openEnvelope(decodeBody(part).bytes, keys)
  switch (opened.kind) {
    case 'decrypted':
      return { ...opened, form, inner: parsePart(opened.content) }
    case 'no-key':
      return { kind: 'no-key', form, recipients: opened.recipients }
    case 'broken':
      return { kind: 'broken', layer: 'encrypted', form, why: opened.why }
  }
}

function openCompressed(part: Part): Opened {
  const form = 'compressed-data'
  const content = readCompressedData(decodeBody(part).bytes)
  return content.ok
    ? { kind: 'decompressed', form, inner: parsePart(content.value), algorithm: 'zlib' }
    : { kind: 'broken', layer: 'compressed', form, why: content.error }
}

/** Trust is decided here and nowhere else: confirmed by name, or chained to an anchor (RFC 5280 §6). */
function judge(certificate: Certificate, came: CameWith, ring: KeyRing, atMs: number): TrustFinding {
  if (!isSmimeCertificate(certificate))
    return { trusted: false, verdict: 'untrusted', why: 'not an S/MIME certificate' }
  const sameKey = ring.known.filter((entry) => entry.certificate.keyFingerprint === certificate.keyFingerprint)
  if (sameKey.some(({ revokedMs }) => revokedMs !== undefined && revokedMs <= atMs))
    return { trusted: false, verdict: 'revoked', why: 'an administrator has revoked the certificate' }
  const known = sameKey.find((entry) => entry.certificate.fingerprint === certificate.fingerprint)
  if (known?.trust === 'own' || known?.trust === 'confirmed') return judgeTime(certificate, atMs)
  return validatePath({
    certificate,
    untrusted: [
      ...came.carried.filter(isSmimeCertificate),
      ...fetchedCertificates(ring),
      ...ring.known.map((entry) => entry.certificate).filter(isSmimeCertificate),
    ],
    anchors: ring.anchors.filter(isSmimeCertificate),
    atMs,
    crls: came.carriedCrls ?? [],
    fetchedCrls: ring.fetched?.crls ?? [],
    ocspResponses: [...(came.carriedOcspResponses ?? []), ...(ring.fetched?.ocspResponses ?? [])],
    revocation: ring.revocation ?? 'prefer',
    purpose: 'email',
    allowWeak: ring.allowWeak === true,
  })
}

function fetchedCertificates({ fetched }: KeyRing): readonly SmimeCertificate[] {
  return (fetched?.certificates ?? []).flatMap((encoded) => {
    const parsed = parseCertificate(encoded)
    return parsed.ok ? [parsed.value] : []
  })
}

function judgeTime(certificate: Certificate, atMs: number): TrustFinding {
  if (atMs < certificate.notBeforeMs)
    return { trusted: false, verdict: 'expired', why: 'the certificate is not valid yet' }
  if (atMs > certificate.notAfterMs) return { trusted: false, verdict: 'expired', why: 'the certificate has expired' }
  return { trusted: true, path: [certificate.fingerprint] }
}

function sign(key: OwnKey, choice: SigningChoice, signingTimeMs: number, out: ByteSink): ProtectedSink {
  if (!isSmimeKey(key)) throw new TypeError('an S/MIME signature needs an S/MIME key')
  const keys = [{ ...key, chain: key.chain.filter(isSmimeCertificate) }]
  if (choice.form === 'opaque') {
    const sink = signedDataSink({ keys, detached: false, choice, signingTimeMs }, base64LineSink(out))
    return { fields: pkcs7MimeFields('signed-data'), sink }
  }
  const boundary = `=_sealpost-${randomBytes(16).toString('hex')}`
  const signature = new Collector()
  const signer = signedDataSink({ keys, detached: true, choice, signingTimeMs }, signature)
  return {
    fields: multipartSignedFields(micalgOf(key.certificate, choice), boundary),
    sink: new DetachedSink(boundary, signer, signature, out),
  }
}

function encrypt(recipients: readonly Certificate[], choice: EncryptionChoice, out: ByteSink): ProtectedSink {
  const certificates = recipients.filter(isSmimeCertificate)
  if (certificates.length !== recipients.length || certificates.length === 0)
    throw new TypeError('S/MIME encryption needs an S/MIME certificate for every recipient')
  return {
    fields: pkcs7MimeFields(envelopeFormOf(choice)),
    sink: envelopSink({ recipients: certificates, choice }, base64LineSink(out)),
  }
}

/** Writes `multipart/signed`: the content passes through to the signer and to the output alike (RFC 8551 §3.5.3). */
class DetachedSink implements ByteSink {
  readonly #boundary: string
  readonly #signer: ByteSink
  readonly #signature: Collector
  readonly #out: ByteSink
  #begun = false

  constructor(boundary: string, signer: ByteSink, signature: Collector, out: ByteSink) {
    this.#boundary = boundary
    this.#signer = signer
    this.#signature = signature
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (!this.#begun) {
      this.#begun = true
      this.#out.write(fromLatin1(`--${this.#boundary}\r\n`))
    }
    this.#signer.write(chunk)
    this.#out.write(chunk)
  }

  end(): void {
    this.#signer.end()
    this.#out.write(fromLatin1(`\r\n--${this.#boundary}\r\n`))
    this.#out.write(writeFields(signatureFields()))
    this.#out.write(fromLatin1('\r\n'))
    this.#out.write(encodeBase64Lines(concatBytes(this.#signature.take())))
    this.#out.write(fromLatin1(`\r\n--${this.#boundary}--\r\n`))
    this.#out.end()
  }
}

const isSmimeCertificate = (certificate: Certificate): certificate is SmimeCertificate =>
  certificate.standard === 'smime'
const isSmimeKey = (key: OwnKey): key is OwnKey & { readonly certificate: SmimeCertificate } =>
  isSmimeCertificate(key.certificate)
