/** S/MIME (RFC 8551) as a ProtectionStandard: MIME forms outside, our CMS inside, path validation for trust. */
import { type ByteSink, Collector } from '../../base/byte-sink.ts'
import { concatBytes } from '../../base/bytes.ts'
import { ok } from '../../base/result.ts'
import { base64LineSink, encodeBase64Lines } from '../../message/encode.ts'
import { multipartSignedSink, signedBoundary } from '../multipart-signed.ts'
import type {
  CameWith,
  Certificate,
  EncryptionChoice,
  KeyRing,
  OwnKey,
  ProtectedSink,
  ProtectionStandard,
  SigningChoice,
  TrustFinding,
} from '../standard.ts'
import { CIPHERS_BEST_FIRST, KEY_TRANSPORTS, SIGNATURES } from '../strength.ts'
import { type SmimeCertificate, isSmimeCertificate, parseCertificate } from './x509/certificate.ts'
import { certificateAbilities } from './cms/capabilities.ts'
import { CIPHERS } from './cms/ciphers.ts'
import { canEnvelopTo, envelopSink, envelopeFormOf } from './cms/envelop.ts'
import { micalgOf, signedDataSink } from './cms/sign.ts'
import { isKeyFile, readKeyFile, sortKeyFile, writeKeyFile } from './key-files/key-file.ts'
import { kindOfForm, multipartSignedFields, pkcs7MimeFields, signatureFields, smimeFormOf } from './mime-forms.ts'
import { inMemory } from './in-memory.ts'
import { onDisk } from './on-disk.ts'
import { isSmimeKey, openLayer } from './open-layer.ts'
import { readSecret, writeSecret } from './secret-key.ts'
import { validatePath } from './x509/path-validation.ts'

export const smime: ProtectionStandard = {
  name: 'smime',
  abilities: {
    ciphers: CIPHERS_BEST_FIRST.filter((name) => CIPHERS.some((row) => row.name === name)),
    keyTransports: KEY_TRANSPORTS,
    signatures: SIGNATURES,
    outerSignature: true,
    headerProtection: true,
  },
  commonCipher: 'aes-256-cbc',
  readCertificate: parseCertificate,
  recognise(part, by = 'label') {
    const form = smimeFormOf(part, by)
    return form === undefined ? undefined : kindOfForm(form)
  },
  open: (part, ring) => openLayer(inMemory, part, ring),
  openLarge: (part, ring, openSpill) => openLayer(onDisk(openSpill), part, ring),
  judge,
  encryptionAlgorithm: (certificate, atMs) =>
    isSmimeCertificate(certificate) &&
    certificate.canEncrypt &&
    canEnvelopTo(certificate) &&
    isInTime(certificate, atMs)
      ? certificate.algorithm
      : undefined,
  canSignWith: (certificate, atMs) => certificate.canSign && isInTime(certificate, atMs),
  sameIssuer: (a, b) => isSmimeCertificate(a) && isSmimeCertificate(b) && a.issuerKey === b.issuerKey,
  abilitiesOf: (certificate) => (isSmimeCertificate(certificate) ? certificateAbilities(certificate) : undefined),
  sign,
  encrypt,
  readKeyFile(file, password) {
    const read = isKeyFile(file) ? readKeyFile(file, password) : undefined
    return read?.ok === true ? ok(sortKeyFile(read.value)) : read
  },
  writeKeyFile,
  isIssued: (certificate) => isSmimeCertificate(certificate) && !certificate.selfIssued,
  writeSecret,
  readSecret,
}

const isInTime = ({ notBeforeMs, notAfterMs }: Certificate, atMs: number): boolean =>
  notBeforeMs <= atMs && atMs <= notAfterMs

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
    strictIssuers: ring.strictIssuers === true,
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

function sign(own: readonly OwnKey[], choice: SigningChoice, signingTimeMs: number, out: ByteSink): ProtectedSink {
  const keys = own.filter(isSmimeKey).map((key) => ({ ...key, chain: key.chain.filter(isSmimeCertificate) }))
  if (keys.length !== own.length || keys.length === 0) throw new TypeError('an S/MIME signature needs S/MIME keys')
  if (choice.form === 'opaque') {
    const sink = signedDataSink({ keys, detached: false, choice, signingTimeMs }, base64LineSink(out))
    return { fields: pkcs7MimeFields('signed-data'), sink }
  }
  const boundary = signedBoundary()
  const signature = new Collector()
  const signer = signedDataSink({ keys, detached: true, choice, signingTimeMs }, signature)
  const body = (): Uint8Array => encodeBase64Lines(concatBytes(signature.take()))
  return {
    fields: multipartSignedFields(micalgOf(keys, choice), boundary),
    sink: multipartSignedSink({ boundary, signer, fields: signatureFields(), body }, out),
  }
}

function encrypt(
  recipients: readonly Certificate[],
  choice: EncryptionChoice,
  _atMs: number,
  out: ByteSink,
): ProtectedSink {
  const certificates = recipients.filter(isSmimeCertificate)
  if (certificates.length !== recipients.length || certificates.length === 0)
    throw new TypeError('S/MIME encryption needs an S/MIME certificate for every recipient')
  return {
    fields: pkcs7MimeFields(envelopeFormOf(choice)),
    sink: envelopSink({ recipients: certificates, choice }, base64LineSink(out)),
  }
}
