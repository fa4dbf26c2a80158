/** OCSP responses: no throw, little time, and none that was changed makes anybody good or revoked. */
import assert from 'node:assert/strict'
import { NULL } from '../src/protection/smime/asn1/der-writer.ts'
import { EXTENSION, OCSP_SIGNING } from '../src/protection/smime/x509/extensions.ts'
import { parseOcspResponse } from '../src/protection/smime/x509/ocsp.ts'
import { validatePath } from '../src/protection/smime/x509/path-validation.ts'
import { extendedKeyUsage, writeExtension } from '../src/protection/smime/x509/write-certificate.ts'
import { makeOcspRefusal, makeOcspResponse } from '../test/support/ocsp-maker.ts'
import { NOW_MS, makeAuthority, makeCertificate } from '../test/support/x509-maker.ts'

const CPU_MAX_US = 2_000_000

const root = makeAuthority({ name: 'root' })
const user = makeCertificate({ name: 'user', issuer: root, serial: 7 })
const responder = makeCertificate({
  name: 'responder',
  issuer: root,
  serial: 8,
  extensions: [extendedKeyUsage([OCSP_SIGNING]), writeExtension(EXTENSION.ocspNoCheck, false, NULL)],
})
const asked = { about: user, issuer: root }
const SEEDS = [
  makeOcspResponse(asked),
  makeOcspResponse({ ...asked, revoked: { atMs: NOW_MS, reason: 1 }, digest: 'sha256', byKey: true }),
  makeOcspResponse({ ...asked, signer: responder, certificates: [responder], nonce: new Uint8Array(32) }),
  makeOcspRefusal(3),
]
/** What is signed; what is around it may be written in several ways. */
const genuine = new Set(SEEDS.flatMap((seed) => signedPart(seed) ?? []))

export function target(bytes: Uint8Array): void {
  const before = process.cpuUsage()
  const found = validatePath({
    certificate: user.certificate,
    untrusted: [],
    anchors: [root.certificate],
    atMs: NOW_MS,
    ocspResponses: [new Uint8Array(bytes)],
    revocation: 'require',
    purpose: 'email',
  })
  const isKnown = found.trusted || found.verdict === 'revoked'
  if (isKnown) assert.ok(genuine.has(signedPart(bytes) ?? ''), 'a changed response counts')
  assert.ok(process.cpuUsage(before).user < CPU_MAX_US, 'takes too long')
}

function signedPart(bytes: Uint8Array): string | undefined {
  const parsed = parseOcspResponse(new Uint8Array(bytes))
  return parsed.ok ? Buffer.from(parsed.value.tbs).toString('hex') : undefined
}

export function seeds(): Uint8Array[] {
  return SEEDS
}
