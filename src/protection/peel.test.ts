/** Whole mails, layer by layer: several signers, layers beyond the limit, what lies below, who is said to have written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNERS, rebuild, signedAnew, stripped } from '../../test/support/mail-surgery.ts'
import { type Reader, protectedMail, receive } from '../../test/support/protected-mail.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes, latin1 } from '../base/bytes.ts'
import { writeFields } from '../message/header-field.ts'
import { LAYERS_MAX } from './peel.ts'
import { smime } from './smime/smime.ts'
import { parseDer } from './smime/asn1/der-reader.ts'
import { contextTagged, der, integer, oid, sequence } from './smime/asn1/der-writer.ts'
import { TAG } from './smime/asn1/tlv.ts'
import type { Layering } from './wrap.ts'

const alice = smimeIdentity('p256', 'alice@example.com')
const aliceNew = smimeIdentity('ml-dsa-65', 'alice@example.com')
const mallory = smimeIdentity('p256', 'mallory@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')
const knows = (...people: (typeof alice)[]): Reader => ({
  keys: [bob],
  known: people.map(({ certificate }) => ({ certificate, trust: 'confirmed' })),
})

/** RFC 5652 §11.4 and §11.2. */
const COUNTERSIGNATURE = '1.2.840.113549.1.9.6'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'

const headerFrom = (from: string, type = 'text/plain'): string =>
  `From: ${from}\r\nTo: bob@example.com\r\nContent-Type: ${type}\r\n`

const mailOf = (layering: Layering, more: Partial<Parameters<typeof protectedMail>[0]> = {}): Buffer =>
  protectedMail({
    layering,
    signer: alice,
    recipients: [bob],
    header: headerFrom('alice@example.com'),
    body: 'x\r\n',
    ...more,
  })

const CARRIES_NOBODY = (mail: Buffer): Buffer => rebuild(mail, (fields) => fields.with(3, der(0xa0)))

const signers: readonly [mail: Buffer, reader: Reader, verdict: string, why: string][] = [
  [mailOf('sign'), knows(alice), 'valid', 'one'],
  [signedAnew(mailOf('sign'), [alice, alice]), knows(alice), 'valid', 'one twice'],
  [signedAnew(mailOf('sign'), [mallory, alice]), knows(alice), 'valid', 'the author, and somebody else before her'],
  [signedAnew(mailOf('sign'), [alice, mallory]), knows(alice, mallory), 'valid', 'the author, and somebody known'],
  [signedAnew(mailOf('sign'), mallory), knows(alice, mallory), 'mismatch', 'only somebody else'],
  [signedAnew(mailOf('sign'), [mallory, bob]), knows(alice), 'mismatch', 'two others'],
  [signedAnew(mailOf('sign'), alice), knows(), 'untrusted', 'the author, with a key that nobody knows'],
  [CARRIES_NOBODY(mailOf('sign')), knows(), 'unknown-key', 'somebody, without a certificate'],
  [CARRIES_NOBODY(mailOf('sign')), knows(alice), 'valid', 'the author, without the certificate that is known here'],
  [CARRIES_NOBODY(signedAnew(mailOf('sign'), [mallory, alice])), knows(alice), 'valid', 'one of two can be named'],
  [rebuild(mailOf('sign'), (fields) => fields.with(4, der(TAG.SET))), knows(alice), 'invalid', 'nobody'],
  [withUnsigned(mailOf('sign'), COUNTERSIGNATURE), knows(alice), 'valid', 'countersigned by whoever'],
  [withUnsigned(mailOf('sign'), '1.2.3.4'), knows(alice), 'valid', 'an unsigned attribute that nobody knows'],
  [withUnsigned(mailOf('sign'), MESSAGE_DIGEST), knows(alice), 'invalid', 'what must be signed is not'],
  [brokenBeside(mailOf('sign')), knows(alice, mallory), 'invalid', 'one right, one wrong: somebody changed something'],
  [unknownBeside(signedAnew(mailOf('sign'), [alice, mallory])), knows(alice), 'valid', 'one right, one of a new kind'],
  [unknownBeside(signedAnew(mailOf('sign'), [mallory, bob])), knows(alice), 'invalid', 'one of a new kind, one other'],
  [unknownBeside(mailOf('sign')), knows(alice), 'invalid', 'one of a new kind'],
  [
    unknownBeside(brokenBeside(signedAnew(mailOf('sign'), [mallory, alice]))),
    knows(alice),
    'invalid',
    'one right, one wrong, one of a new kind',
  ],
  [
    signedAnew(mailOf('sign'), [alice, aliceNew]),
    knows(alice),
    'valid',
    'an old key and a new one, of which one is known',
  ],
  [signedAnew(mailOf('sign'), [alice, aliceNew]), knows(aliceNew), 'valid', 'the same, where the other is known'],
  [signedAnew(mailOf('sign'), [alice, aliceNew]), knows(), 'untrusted', 'the same, where neither is known'],
]

/** The SignerInfo with an unsigned attribute of this type (RFC 5652 §5.3); what it says is nonsense. */
function withUnsigned(mail: Buffer, type: string): Buffer {
  return rebuild(mail, (fields) => {
    const set = parseDer(fields[SIGNERS] ?? assert.fail('no signers'))
    assert(set.ok)
    const [signerInfo] = set.value.children
    assert(signerInfo !== undefined)
    const attribute = sequence(oid(type), der(TAG.SET, integer(1)))
    const changed = sequence(...signerInfo.children.map(({ raw }) => raw), contextTagged(1, attribute))
    return fields.with(SIGNERS, der(TAG.SET, changed))
  })
}

/** The right SignerInfo, and after it one whose signature does not hold. */
function brokenBeside(mail: Buffer): Buffer {
  const other = mailOf('sign', { body: 'other\r\n' })
  let wrong: Uint8Array = new Uint8Array()
  rebuild(other, (fields) => {
    wrong = (fields[4] ?? new Uint8Array()).slice(2)
    if ((fields[4]?.[1] ?? 0) > 0x80) wrong = (fields[4] ?? new Uint8Array()).slice(2 + ((fields[4]?.[1] ?? 0) & 0x7f))
    return fields
  })
  return rebuild(mail, (fields) => {
    const set = fields[4] ?? new Uint8Array()
    const header = 2 + ((set[1] ?? 0) > 0x80 ? (set[1] ?? 0) & 0x7f : 0)
    return fields.with(4, der(TAG.SET, set.slice(header), wrong))
  })
}

/** The signature that is not by Alice's P-256 key, or the only one, is now said to be by an algorithm that nobody knows. */
function unknownBeside(mail: Buffer): Buffer {
  const ecdsa = oid('1.2.840.10045.4.3.2')
  return rebuild(mail, (fields) => {
    const set = Buffer.from(fields[4] ?? [])
    const mallorys = set.indexOf(mallory.certificate.serial)
    set.set(oid('1.2.840.10045.4.3.9'), set.indexOf(ecdsa, Math.max(0, mallorys)))
    return fields.with(4, set)
  })
}

for (const [mail, reader, verdict, why] of signers)
  test(`signers: ${why}`, () => {
    const { summary, message } = receive(mail, reader).report
    assert.equal(summary.signature, verdict, summary.reason ?? '')
    assert.equal(message === undefined, verdict === 'invalid' || verdict === 'mismatch')
  })

/** Signed over and over again; without header protection, so that each layer is the payload of the next. */
function signedTimes(times: number): Buffer {
  let type = 'text/plain'
  let body = 'x\r\n'
  for (let i = 0; i < times; i++) {
    const mail = mailOf('sign', { header: headerFrom('alice@example.com', type), body, headerProtection: false })
    const text = mail.toString('latin1')
    const at = text.indexOf('Content-Type: ')
    const end = text.indexOf('\r\n\r\n', at)
    type = text.slice(at + 14, end)
    body = text.slice(end + 4)
  }
  return Buffer.from(`${headerFrom('alice@example.com', type)}\r\n${body}`, 'latin1')
}

test('layers up to the limit are opened; what lies deeper stays closed, and is not called valid', () => {
  const whole = receive(signedTimes(LAYERS_MAX), knows(alice))
  assert.equal(whole.outcome, 'valid')
  assert.equal(whole.report.layers.length, LAYERS_MAX)
  const deeper = receive(signedTimes(LAYERS_MAX + 1), knows(alice))
  assert.equal(deeper.outcome, 'not verified')
  assert.equal(deeper.report.layers.length, LAYERS_MAX)
  assert(deeper.report.sealed)
})

const HP_OF_ALICE = stripped(mailOf('encrypt-sign')).toString('latin1')
const authors: readonly [mail: string, outcome: string, why: string][] = [
  [HP_OF_ALICE, 'not verified', 'encrypted by anybody, the same author outside and inside'],
  [HP_OF_ALICE.replace('From: alice@', 'From: ALICE@'), 'not verified', 'spelt otherwise'],
  [HP_OF_ALICE.replace('From: alice@', 'From: mallory@'), 'refused 5.7.7', 'another author outside'],
  [HP_OF_ALICE.replace(/From: alice@.*\r\n/, ''), 'refused 5.7.7', 'no author outside'],
]

for (const [mail, outcome, why] of authors)
  test(`an encrypted mail that nobody signed: ${why}`, () => {
    const received = receive(Buffer.from(mail, 'latin1'), knows(alice))
    assert.equal(received.outcome, outcome, received.report.summary.reason ?? '')
  })

test('a signed mail within another is counted, not believed', () => {
  const inner = mailOf('sign').toString('latin1')
  for (const [type, wrapOnce] of [
    ['message/rfc822', (text: string) => text],
    ['multipart/mixed; boundary=b', (text: string) => `--b\r\n${text}\r\n--b--\r\n`],
    [
      'multipart/mixed; boundary=b',
      (text: string) => `--b\r\nContent-Type: message/rfc822\r\n\r\n${text}\r\n--b--\r\n`,
    ],
  ] as const) {
    const mail = `${headerFrom('mallory@example.com', type)}\r\n${wrapOnce(inner)}`
    const { outcome, report } = receive(Buffer.from(mail, 'latin1'), knows(alice, mallory))
    assert.equal(outcome, 'not verified')
    assert.equal(report.errant, 1)
    assert.equal(report.summary.signature, 'none')
  }
})

test('parts beyond the limits are said to be unseen', () => {
  const body = '--b\r\n\r\nx\r\n'.repeat(10_001)
  const mail = mailOf('sign', {
    header: headerFrom('alice@example.com', 'multipart/mixed; boundary=b'),
    body: `${body}--b--\r\n`,
  })
  const { report, outcome } = receive(mail, knows(alice))
  assert.equal(outcome, 'valid')
  assert.deepEqual(report.defects, ['too-many-parts'])
})

test('certificates that nobody signed are no layer, whatever their label says (RFC 8551 §3.8)', () => {
  const [certificate] = [alice.certificate.encoded]
  const data = sequence(oid('1.2.840.113549.1.7.1'))
  const fields = [integer(1), der(TAG.SET), data, der(0xa0, certificate), der(TAG.SET)]
  const cms = sequence(oid('1.2.840.113549.1.7.2'), contextTagged(0, sequence(...fields)))
  for (const label of ['signed-data', 'certs-only', 'enveloped-data']) {
    const type = `application/pkcs7-mime; smime-type=${label}; name=smime.p7c`
    const header = `${headerFrom('alice@example.com', type)}Content-Transfer-Encoding: base64\r\n\r\n`
    const mail = Buffer.concat([Buffer.from(header), Buffer.from(Buffer.from(cms).toString('base64'))])
    const { report, decision } = receive(mail, knows(alice))
    assert.deepEqual([report.layers, report.summary.signature, decision.rule], [[], 'none', 'unprotected'], label)
    assert.deepEqual(Buffer.from(report.message ?? []), mail)
  }
})

test('signed with CRLF and encrypted with bare line feeds, as old KMail does: what was signed is what is shown', () => {
  const signed = mailOf('sign').toString('latin1')
  const entity = signed.slice(signed.indexOf('Content-Type: multipart/signed'))
  const unixMail = (text: string): Buffer => {
    const sealed = smimeEntity(text.replaceAll('\r\n', '\n'))
    return Buffer.from(`From: alice@example.com\r\n${sealed}`, 'latin1')
  }
  const { report, outcome } = receive(unixMail(entity), knows(alice))
  assert.equal(outcome, 'valid')
  assert.match(Buffer.from(report.message ?? []).toString('latin1'), /\r\n\r\nx\r\n$/)
  const changed = unixMail(entity.replace('\r\n\r\nx\r\n', '\r\n\r\ny\r\n'))
  assert.equal(receive(changed, knows(alice)).outcome, 'refused 5.7.7')
})

/** The entity, encrypted to Bob as it is. */
function smimeEntity(text: string): string {
  const out = new Collector()
  const { fields, sink } = smime.encrypt([bob.certificate], {}, 0, out)
  sink.write(Buffer.from(text, 'latin1'))
  sink.end()
  return `${latin1(writeFields(fields))}\r\n${latin1(concatBytes(out.take()))}`
}
