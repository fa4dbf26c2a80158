import assert from 'node:assert/strict'
import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { type Address, parseAddress } from '../message/address.ts'
import { type SmimeCertificate, parseCertificate } from '../protection/smime/x509/certificate.ts'
import type { KeyKind } from '../protection/key-kinds.ts'
import { EXTENSION, KEY_USAGE } from '../protection/smime/x509/extensions.ts'
import { validatePath } from '../protection/smime/x509/path-validation.ts'
import {
  type Authority,
  createAuthority,
  createTlsCertificate,
  generateKey,
  issueMailCertificate,
} from './certificate-authority.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const DAY_MS = 24 * 60 * 60_000
let authority: Authority
let anchor: SmimeCertificate

before(async () => {
  authority = await createAuthority({ domain: 'biglobe.ne.jp', nowMs: NOW_MS })
  anchor = parse(authority.certificate)
})

test('an authority may certify, and nothing below it may', () => {
  assert.equal(anchor.algorithm, 'rsa-3072')
  assert.equal(anchor.subject, 'CN=Mail certification authority,DC=biglobe,DC=ne,DC=jp')
  assert.ok(anchor.isAuthority && anchor.selfIssued && !anchor.canSign && !anchor.canEncrypt)
  const read = new X509Certificate(authority.certificate)
  assert.ok(read.ca && read.checkPrivateKey(authority.key) && read.verify(createPublicKey(authority.key)))
})

test('what is no domain makes no authority', async () => {
  await assert.rejects(createAuthority({ domain: 'not a domain', nowMs: NOW_MS }), TypeError)
})

describe('a user certificate', () => {
  const longLocal = 'l'.repeat(60)
  const cases: readonly [address: string, algorithm: 'rsa-2048' | 'ec-p256', subject: string, why: string][] = [
    ['t-azuma@biglobe.ne.jp', 'rsa-2048', 'CN=t-azuma@biglobe.ne.jp', 'RSA'],
    ['t-azuma@biglobe.ne.jp', 'ec-p256', 'CN=t-azuma@biglobe.ne.jp', 'P-256'],
    ['鈴木@biglobe.ne.jp', 'ec-p256', 'CN=鈴木@biglobe.ne.jp', 'an address beyond ASCII'],
    ['"a b"@biglobe.ne.jp', 'ec-p256', String.raw`CN=\"a b\"@biglobe.ne.jp`, 'a quoted local part'],
    [`${longLocal}@biglobe.ne.jp`, 'ec-p256', '', 'an address too long for a commonName'],
  ]
  for (const [text, algorithm, subject, why] of cases)
    test(why, async () => {
      const address = addressOf(text)
      const { publicKey } = await generateKey(algorithm)
      const order = { address, publicKey, nowMs: NOW_MS, validityDays: 730 }
      const certificate = parse(await issueMailCertificate(authority, order))
      assert.deepEqual(certificate.addresses, [address])
      assert.equal(certificate.subject, subject)
      assert.equal(certificate.algorithm, algorithm)
      assert.ok(certificate.canSign && certificate.canEncrypt && !certificate.isAuthority)
      assert.equal(certificate.notAfterMs, NOW_MS + 730 * DAY_MS)
      const san = certificate.extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)
      assert.equal(san?.critical, subject === '', 'critical where the subject is empty (RFC 5280 §4.2.1.6)')
      const found = validatePath({ certificate, untrusted: [], anchors: [anchor], atMs: NOW_MS, purpose: 'email' })
      assert.deepEqual(found, { trusted: true, path: [certificate.fingerprint, anchor.fingerprint] })
    })

  test('never outlives its authority, and no serial number comes twice', async () => {
    const { publicKey } = await generateKey('ec-p256')
    const order = { address: addressOf('a@biglobe.ne.jp'), publicKey, nowMs: NOW_MS, validityDays: 100 * 365 }
    const [one, two] = [await issueMailCertificate(authority, order), await issueMailCertificate(authority, order)].map(
      parse,
    )
    assert.equal(one?.notAfterMs, anchor.notAfterMs)
    assert.notDeepEqual(one?.serial, two?.serial)
    assert.equal(one?.serial.length, 18)
  })

  const kinds: readonly [kind: KeyKind, uses: number, why: string][] = [
    ['rsa-4096', KEY_USAGE.digitalSignature | KEY_USAGE.keyEncipherment, 'RSA does both'],
    ['ec-p384', KEY_USAGE.digitalSignature | KEY_USAGE.keyAgreement, 'EC does both'],
    ['ec-p521', KEY_USAGE.digitalSignature | KEY_USAGE.keyAgreement, 'the largest curve too'],
    ['ed25519', KEY_USAGE.digitalSignature, 'signs (RFC 8410 §5)'],
    ['x25519', KEY_USAGE.keyAgreement, 'decrypts (RFC 8410 §5)'],
    ['ed448', KEY_USAGE.digitalSignature, 'signs'],
    ['x448', KEY_USAGE.keyAgreement, 'decrypts'],
    ['ml-dsa-65', KEY_USAGE.digitalSignature, 'signs (RFC 9881)'],
    ['ml-dsa-87', KEY_USAGE.digitalSignature, 'signs'],
    ['ml-kem-768', KEY_USAGE.keyEncipherment, 'decrypts (RFC 9935)'],
    ['ml-kem-1024', KEY_USAGE.keyEncipherment, 'decrypts'],
  ]
  for (const [kind, uses, why] of kinds)
    test(`says what the key is for: ${kind} ${why}`, async () => {
      const { publicKey } = await generateKey(kind)
      const order = { address: addressOf('a@biglobe.ne.jp'), publicKey, nowMs: NOW_MS, validityDays: 730 }
      const certificate = parse(await issueMailCertificate(authority, order))
      assert.equal(certificate.algorithm, kind)
      assert.equal(certificate.keyUsage, uses)
      assert.equal(certificate.canSign, (uses & KEY_USAGE.digitalSignature) !== 0)
      assert.equal(certificate.canEncrypt, (uses & ~KEY_USAGE.digitalSignature) !== 0)
    })

  test('there is none for a key that can do nothing in mail', async () => {
    const { publicKey } = generateKeyPairSync('dh' as 'ed25519', { group: 'modp14' } as never)
    const order = { address: addressOf('a@biglobe.ne.jp'), publicKey, nowMs: NOW_MS, validityDays: 1 }
    await assert.rejects(issueMailCertificate(authority, order), /no mail certificate for a key of type dh/)
  })
})

describe('a TLS certificate', () => {
  const hosts = ['mail.biglobe.ne.jp', 'メール.example', '127.0.0.1', '::1', '2001:db8::5:0:1']
  test('names its hosts', async () => {
    const { certificatePem, keyPem } = await createTlsCertificate({ hosts, nowMs: NOW_MS })
    const read = new X509Certificate(certificatePem)
    assert.ok(read.checkPrivateKey(createPrivateKey(keyPem)) && read.verify(read.publicKey) && !read.ca)
    assert.equal(read.checkHost('mail.biglobe.ne.jp'), 'mail.biglobe.ne.jp')
    assert.equal(read.checkHost('xn--8ckr7c.example') ?? read.checkHost('other.example'), undefined)
    for (const address of hosts.slice(2)) assert.equal(read.checkIP(address), address)
    assert.equal(read.checkIP('127.0.0.2'), undefined)
  })
  test('needs a host', async () => {
    await assert.rejects(createTlsCertificate({ hosts: [], nowMs: NOW_MS }), TypeError)
    await assert.rejects(createTlsCertificate({ hosts: ['not a host'], nowMs: NOW_MS }), TypeError)
  })
})

function parse(der: Uint8Array): SmimeCertificate {
  const parsed = parseCertificate(der)
  assert.ok(parsed.ok)
  return parsed.value
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  assert.ok(address !== undefined)
  return address
}
