/** Certificates and CRLs: no throw, little time, and nothing that was changed is trusted. */
import assert from 'node:assert/strict'
import { type SmimeCertificate, parseCertificate } from '../src/protection/smime/x509/certificate.ts'
import { certificateAbilities } from '../src/protection/smime/cms/capabilities.ts'
import { parseCrl } from '../src/protection/smime/x509/crl.ts'
import { EMAIL_PROTECTION, EXTENSION, KEY_USAGE } from '../src/protection/smime/x509/extensions.ts'
import { searchPath } from '../src/protection/smime/x509/path-search.ts'
import { validatePath } from '../src/protection/smime/x509/path-validation.ts'
import { contextTagged, integer, oid, sequence } from '../src/protection/smime/asn1/der-writer.ts'
import {
  dnsName,
  extendedKeyUsage,
  keyUsage,
  mailboxName,
  subjectAltName,
  subjectKeyIdentifier,
  writeExtension,
} from '../src/protection/smime/x509/write-certificate.ts'
import { NOW_MS, makeAuthority, makeCertificate, makeCrl } from '../test/support/x509-maker.ts'

const CPU_MAX_US = 2_000_000

const policies = (...ids: string[]): Uint8Array =>
  writeExtension(EXTENSION.certificatePolicies, false, sequence(...ids.map((id) => sequence(oid(id)))))
const root = makeAuthority({ name: 'root', extensions: [subjectKeyIdentifier(Uint8Array.of(1, 2))] })
const sub = makeAuthority({
  name: 'sub',
  issuer: root,
  extensions: [
    keyUsage(KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign),
    policies('1.2.3', '2.5.29.32.0'),
    writeExtension(EXTENSION.policyMappings, true, sequence(sequence(oid('1.2.3'), oid('1.2.4')))),
    writeExtension(EXTENSION.policyConstraints, true, sequence(Uint8Array.of(0x80, 1, 0))),
    writeExtension(EXTENSION.nameConstraints, true, sequence(contextTagged(0, sequence(mailboxName('abc.example'))))),
  ],
})
const user = makeCertificate({
  name: 'user',
  issuer: sub,
  extensions: [
    extendedKeyUsage([EMAIL_PROTECTION]),
    policies('1.2.4'),
    subjectAltName([mailboxName('user@abc.example'), mailboxName('鈴木@abc.example'), dnsName('abc.example')], false),
  ],
})
const crl = makeCrl(sub, {
  revoked: [
    { serial: 5, atMs: NOW_MS, reason: 1 },
    { serial: 6, atMs: NOW_MS },
  ],
})
const delta = makeCrl(sub, { extensions: [writeExtension(EXTENSION.deltaCrlIndicator, true, integer(1))] })
const genuine = new Set([root, sub, user].map(({ certificate }) => certificate.fingerprint))

export function target(bytes: Uint8Array): void {
  const before = process.cpuUsage()
  const crls = [new Uint8Array(bytes)]
  parseCrl(bytes)
  judge(user.certificate, [sub.certificate], crls)
  const parsed = parseCertificate(bytes)
  if (parsed.ok) {
    certificateAbilities(parsed.value)
    check(parsed.value, bytes, crls)
  }
  assert.ok(process.cpuUsage(before).user < CPU_MAX_US, 'takes too long')
}

function check(certificate: SmimeCertificate, bytes: Uint8Array, crls: readonly Uint8Array[]): void {
  assert.deepEqual(Buffer.from(certificate.encoded), Buffer.from(bytes))
  for (const address of certificate.addresses) assert.match(address, /^[^\p{C}]+@[^\p{C}@]+$/u)
  assert.doesNotMatch(certificate.subject, /\p{C}/u)
  assert.equal(judge(certificate, [sub.certificate], []), genuine.has(certificate.fingerprint))
  judge(user.certificate, [certificate, sub.certificate], crls)
  // As an anchor it may say what it likes: all of its extensions are then worked through.
  for (const path of [certificate, user.certificate])
    searchPath({
      certificate: path,
      untrusted: [sub.certificate],
      anchors: [certificate],
      atMs: NOW_MS,
      allowWeak: true,
    })
}

function judge(
  certificate: SmimeCertificate,
  untrusted: readonly SmimeCertificate[],
  crls: readonly Uint8Array[],
): boolean {
  const anchors = [root.certificate]
  return validatePath({ certificate, untrusted, anchors, atMs: NOW_MS, crls, purpose: 'email' }).trusted
}

export function seeds(): Uint8Array[] {
  return [...[root, sub, user].map(({ certificate }) => certificate.encoded), crl, delta]
}
