import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { NOW_MS, certificateDer, keyNamed, makeCertificate } from '../../../../test/support/x509-maker.ts'
import { integer, octetString, sequence } from '../asn1/der-writer.ts'
import { type SmimeCertificate, parseCertificate } from './certificate.ts'
import { EMAIL_PROTECTION, EXTENSION, KEY_USAGE } from './extensions.ts'
import { EMAIL_ADDRESS } from './name.ts'
import {
  COMMON_NAME,
  dnsName,
  extendedKeyUsage,
  keyUsage,
  mailboxName,
  subjectAltName,
  subjectKeyIdentifier,
  writeExtension,
  writeName,
} from './write-certificate.ts'

const { digitalSignature, nonRepudiation, keyEncipherment, keyAgreement, keyCertSign } = KEY_USAGE
const plain = certificateDer({ name: 'plain' })

function make(extensions: readonly Uint8Array[], key = keyNamed('x')): SmimeCertificate {
  return makeCertificate({ name: 'x', key, extensions }).certificate
}

describe('addresses of a certificate (RFC 8550 §3)', () => {
  const cases: readonly [
    names: readonly Uint8Array[],
    subject: string | undefined,
    addresses: string[],
    why: string,
  ][] = [
    [[mailboxName('a@b.example')], undefined, ['a@b.example'], 'rfc822Name'],
    [
      [mailboxName('a@b.example'), mailboxName('c@d.example')],
      undefined,
      ['a@b.example', 'c@d.example'],
      'two of them',
    ],
    [[mailboxName('a@B.Example')], undefined, ['a@b.example'], 'the domain in lower case'],
    [[mailboxName('鈴木@b.example')], undefined, ['鈴木@b.example'], 'SmtpUTF8Mailbox (RFC 9598 §3)'],
    [[], 'a@b.example', ['a@b.example'], "the subject's emailAddress when there is no SAN"],
    [[dnsName('b.example')], 'a@b.example', ['a@b.example'], 'a SAN without any mailbox'],
    [[mailboxName('a@b.example')], 'evil@b.example', ['a@b.example'], 'the subject does not count beside a SAN'],
    [[mailboxName('a@b.example\0.evil.example')], undefined, [], 'NUL'],
    [[mailboxName('a\0@b.example')], 'a@b.example', [], 'NUL, and no way round it by the subject'],
    [[mailboxName('a\n@b.example')], undefined, [], 'a control character'],
    [[mailboxName('a\u202e@b.example')], undefined, [], 'a character that turns the text round'],
    [[mailboxName('a@x@b.example')], undefined, [], 'two at signs'],
    [[mailboxName('b.example')], undefined, [], 'a domain alone'],
    [[mailboxName('@b.example')], undefined, [], 'no local part'],
    [[mailboxName('A <a@b.example>')], undefined, [], 'a display name'],
    [[mailboxName('a@b.example, c@d.example')], undefined, [], 'a list'],
  ]
  for (const [names, email, addresses, why] of cases)
    test(why, () => {
      const subject = writeName(email === undefined ? [[COMMON_NAME, 'x']] : [[EMAIL_ADDRESS, email]])
      const extensions = names.length === 0 ? [] : [subjectAltName(names, false)]
      assert.deepEqual(makeCertificate({ name: 'x', subject, extensions }).certificate.addresses, addresses)
    })
})

describe('what a key may do', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const ed = keyNamed('ed')
  const other = extendedKeyUsage(['1.3.6.1.5.5.7.3.1'])
  const mail = extendedKeyUsage(['1.3.6.1.5.5.7.3.1', EMAIL_PROTECTION])
  const any = extendedKeyUsage(['2.5.29.37.0'])
  const cases: readonly [typeof rsa, readonly Uint8Array[], sign: boolean, encrypt: boolean, why: string][] = [
    [rsa, [], true, true, 'RSA, nothing said'],
    [rsa, [keyUsage(digitalSignature)], true, false, 'RSA digitalSignature'],
    [rsa, [keyUsage(nonRepudiation)], true, false, 'RSA nonRepudiation'],
    [rsa, [keyUsage(keyEncipherment)], false, true, 'RSA keyEncipherment'],
    [rsa, [keyUsage(keyAgreement)], false, false, 'RSA keyAgreement: it cannot'],
    [rsa, [keyUsage(keyCertSign)], false, false, 'an authority'],
    [rsa, [mail], true, true, 'EKU emailProtection among others'],
    [rsa, [any], true, true, 'EKU any'],
    [rsa, [other], false, false, 'EKU for TLS only'],
    [ec, [], true, true, 'EC, nothing said'],
    [ec, [keyUsage(keyEncipherment)], false, false, 'EC keyEncipherment: it cannot'],
    [ec, [keyUsage(digitalSignature | keyAgreement), mail], true, true, 'EC for both'],
    [ed, [], true, false, 'Ed25519 never encrypts'],
  ]
  for (const [key, extensions, sign, encrypt, why] of cases)
    test(why, () => {
      const { canSign, canEncrypt } = make(extensions, key)
      assert.deepEqual({ canSign, canEncrypt }, { canSign: sign, canEncrypt: encrypt })
    })
  test('algorithms by name', () => {
    const p521 = generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).privateKey
    assert.deepEqual(
      [rsa, ec, ed, p521].map((key) => make([], key).algorithm),
      ['rsa-2048', 'ec-p256', 'ed25519', 'ec-p521'],
    )
  })
})

describe('certificates that are refused', () => {
  const ski = subjectKeyIdentifier(Uint8Array.of(1))
  const cases: readonly [der: Uint8Array, error: RegExp, why: string][] = [
    [new Uint8Array(), /unexpected end/, 'nothing'],
    [Buffer.concat([plain, Uint8Array.of(0)]), /after the end/, 'a byte too many'],
    [certificateDer({ name: 'x', extensions: [ski, ski] }), /twice/, 'an extension twice (RFC 5280 §4.2)'],
    [withExtension(EXTENSION.keyUsage, integer(1)), /keyUsage is malformed/, 'keyUsage of another type'],
    [withExtension(EXTENSION.basicConstraints, sequence(Uint8Array.of(1, 1, 1))), /BOOLEAN/, 'a TRUE that is not 0xff'],
    [withExtension(EXTENSION.extendedKeyUsage, sequence()), /empty/, 'an empty extKeyUsage'],
    [withExtension(EXTENSION.subjectAltName, octetString(Uint8Array.of())), /subjectAltName/, 'a broken SAN'],
    [replaced(plain, '06032b6570', '06032b6501'), /algorithms differ|public key/, 'an unknown algorithm'],
    [Buffer.concat([Uint8Array.of(0x30, 0x82, 0), plain.subarray(2)]), /not DER/, 'a length that is not minimal'],
    [explicitCurve(), /public key|not a named one/, 'explicit curve parameters (CVE-2020-0601)'],
    [certificateDer({ name: 'x'.repeat(300_000) }), /too large/, 'larger than the limit'],
  ]
  for (const [encoded, error, why] of cases)
    test(why, () => {
      const parsed = parseCertificate(encoded)
      assert.ok(!parsed.ok)
      assert.match(parsed.error, error)
    })
  test('every shortened certificate', () => {
    for (let length = 0; length < plain.length; length++) assert.ok(!parseCertificate(plain.subarray(0, length)).ok)
  })
})

test('what was parsed is kept, and does not change with the bytes it was read from', () => {
  const bytes = new Uint8Array(plain)
  const first = parseCertificate(bytes)
  bytes.fill(0)
  const again = parseCertificate(plain)
  assert.ok(first.ok && again.ok)
  assert.equal(first.value, again.value)
  assert.deepEqual(Buffer.from(again.value.encoded), Buffer.from(plain))
  assert.equal(again.value.subject, 'CN=plain')
  assert.ok(again.value.selfIssued && again.value.notBeforeMs < NOW_MS && !again.value.isAuthority)
})

function withExtension(oid: string, value: Uint8Array): Uint8Array {
  return certificateDer({ name: 'x', extensions: [writeExtension(oid, false, value)] })
}

function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString('hex')
  assert.ok(text.includes(from))
  return Buffer.from(text.replace(from, to), 'hex')
}

/** The named curve P-256 replaced by a SEQUENCE of the same length. */
function explicitCurve(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return replaced(certificateDer({ name: 'x', key: privateKey }), '06082a8648ce3d030107', '30080201010403000000')
}
