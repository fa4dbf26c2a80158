/**
 * Headers that contradict each other: one outside of the protection, one inside, and payloads that look as if they
 * brought a header of their own (RFC 9788 §4.4, §10.1; forwarded mails; `hp` and HP-Outer where they mean nothing). What
 * the reader sees is protected, or is said not to be; a From that differs is never valid.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainToReader } from '../../src/policy/explain.ts'
import { signedDataSink } from '../../src/protection/smime/cms/sign.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import {
  SECRET,
  alice,
  bob,
  clearSigned,
  cmsEntity,
  headerFrom,
  mailFrom,
  mallory,
  receivedByBob,
  shown,
} from '../support/attack.ts'
import { cbcEncrypt, forgeEnvelope } from '../support/forge-cms.ts'
import { replace, stripped } from '../support/mail-surgery.ts'
import { SIGNED_AT_MS, protectedMail } from '../support/protected-mail.ts'
import { push } from '../support/push.ts'
import type { SmimeIdentity } from '../support/smime-identity.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const TEXT = `${SECRET}\r\n`
const BOB = 'bob@biglobe.example'

/** Signed as it stands, by whomever, under an outer header of anybody's. */
function signedEntity(from: string, entity: string, signer: SmimeIdentity = alice): Buffer {
  const options = { keys: [signer], detached: true, choice: {}, signingTimeMs: SIGNED_AT_MS }
  const cms = push(Buffer.from(entity, 'latin1'), (out) => signedDataSink(options, out))
  return mailFrom(from, clearSigned(entity, cms))
}

const headerOfShown = (text: string): string => text.split('\r\n\r\n')[0] ?? ''
const statusOf = (mail: Buffer): string => {
  const { report, decision } = receivedByBob(mail)
  return explainToReader(report.summary, decision)
}

const LAYERINGS: readonly Layering[] = ['sign', 'encrypt-sign', 'sign-encrypt', 'triple']
for (const layering of LAYERINGS) {
  const mail = protectedMail({
    layering,
    signer: alice,
    recipients: [bob],
    header: `From: Alice <${ALICE}>\r\nTo: ${BOB}\r\nSubject: true\r\nDate: Sun, 22 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@peer.example>\r\n`,
    body: TEXT,
  })

  test(`${layering}: another From outside is refused`, () => {
    for (const from of [MALLORY, `${ALICE}, ${MALLORY}`, `Alice <${MALLORY}>`]) {
      const received = receivedByBob(replace(mail, /^From: .*$/m, `From: ${from}`))
      assert.notEqual(received.report.summary.signature, 'valid')
      assert.equal(received.outcome, 'refused 5.7.7')
    }
  })

  test(`${layering}: of all other fields the reader sees the protected one, and none that came outside only`, () => {
    const changes: readonly [from: RegExp, to: string][] = [
      [/^Subject: .*$/m, 'Subject: forged'],
      [/^To: .*$/m, `To: ${MALLORY}`],
      [/^Date: .*$/m, 'Date: Mon, 1 Jan 2001 00:00:00 +0000'],
      [/^Message-ID: .*$/m, 'Message-ID: <forged@evil.example>'],
      [/^From: .*$/m, `From: Forged Name <${ALICE}>`],
      [/^From: /m, `Reply-To: ${MALLORY}\r\nCc: ${MALLORY}\r\nSender: ${MALLORY}\r\nKeywords: forged\r\nFrom: `],
      [/^From: /m, `HP-Outer: Subject: forged\r\nFrom: `],
    ]
    for (const [from, to] of changes) {
      const received = receivedByBob(replace(mail, from, to))
      assert.equal(received.outcome, 'valid', to)
      const header = headerOfShown(shown(received)).replace(/^HP-Outer: .*\r\n/m, '')
      assert.match(header, /^Subject: true$/m)
      assert.doesNotMatch(header, /forged|evil|2001/i, to)
      assert.equal(header.match(/^(?:From|To|Subject|Date|Message-ID):/gim)?.length, 5, to)
    }
  })
}

test('without header protection the outer fields are shown, and said to be nobody’s word', () => {
  const mail = signedEntity(ALICE, `Content-Type: text/plain\r\n\r\n${TEXT}`)
  const forged = replace(mail, /^Subject: .*$/m, 'Subject: forged')
  assert.equal(receivedByBob(forged).outcome, 'valid')
  assert.match(statusOf(forged), /The signature does not cover [^.]*Subject/)
})

const INNER = `From: ${ALICE}\r\nTo: ${BOB}\r\nSubject: inner\r\nMessage-ID: <old@peer.example>\r\n`
const forwards: readonly [parameters: string, why: string, messageId?: string][] = [
  ['', 'another Message-ID'],
  ['; forwarded=yes', 'which says that it is forwarded', '<1@peer.example>'],
  ['; hp=clear', 'with an hp of the new scheme on the old one', '<1@peer.example>'],
]
for (const [parameters, why, messageId = '<old@peer.example>'] of forwards)
  test(`a forwarded mail is not the mail: ${why}`, () => {
    const entity = `Content-Type: message/rfc822${parameters}\r\n\r\n${INNER.replace('<old@peer.example>', messageId)}\r\nold text\r\n`
    const received = receivedByBob(signedEntity(ALICE, entity))
    assert.equal(received.outcome, 'valid')
    const header = headerOfShown(shown(received))
    assert.doesNotMatch(header, /Subject: inner/)
    assert.match(header, /Content-Type: message\/rfc822/)
    assert.match(statusOf(signedEntity(ALICE, entity)), /does not cover/)
  })

test('Mallory passes Alice’s signed mail on as if it were a header of her own: refused, or only an attachment', () => {
  const inner = protectedMail({ layering: 'sign', signer: alice, header: INNER, body: TEXT }).toString('latin1')
  for (const [from, parameter] of [
    [MALLORY, ''],
    [MALLORY, '; forwarded=no'],
    [ALICE, '; forwarded=no'],
  ] as const) {
    const mail = signedEntity(from, `Content-Type: message/rfc822${parameter}\r\n\r\n${inner}`, mallory)
    const received = receivedByBob(mail)
    assert(received.outcome === 'refused 5.7.7' || !/^Subject: inner/m.test(headerOfShown(shown(received))))
    assert(received.report.summary.signer !== ALICE || received.report.summary.signature !== 'valid')
  }
})

test('a signed mail within a signed mail is an attachment, also when it says that it is not forwarded', () => {
  const inner = protectedMail({ layering: 'sign', signer: alice, header: INNER, body: TEXT }).toString('latin1')
  const received = receivedByBob(signedEntity(ALICE, `Content-Type: message/rfc822; forwarded=no\r\n\r\n${inner}`))
  assert.deepEqual([received.outcome, received.report.errant], ['valid', 1])
  assert.doesNotMatch(headerOfShown(shown(received)), /^Subject: inner/m)
})

test('Mallory signs a wrapped mail of Alice’s, under her own name or under Alice’s: refused', () => {
  for (const from of [MALLORY, ALICE]) {
    const entity = `Content-Type: message/rfc822; forwarded=no\r\n\r\n${INNER}\r\nforged\r\n`
    assert.equal(receivedByBob(signedEntity(from, entity, mallory)).outcome, 'refused 5.7.7')
  }
})

test('a header within the payload that has another author than the mail is refused in every scheme', () => {
  const entities = [
    `${INNER}Content-Type: text/plain; hp="clear"\r\n\r\n${TEXT}`,
    `${INNER}Content-Type: text/plain; protected-headers="v1"\r\n\r\n${TEXT}`,
    `Content-Type: message/rfc822; forwarded=no\r\n\r\n${INNER}\r\n${TEXT}`,
    `From: ${MALLORY}\r\n${INNER}Content-Type: text/plain; hp="clear"\r\n\r\n${TEXT}`,
    `From: ${ALICE}, ${MALLORY}\r\nContent-Type: text/plain; protected-headers="v1"\r\n\r\n${TEXT}`,
  ]
  for (const entity of entities) {
    const received = receivedByBob(signedEntity(MALLORY, entity, mallory))
    assert.equal(received.outcome, 'refused 5.7.7', entity)
  }
})

test('hp, protected-headers and HP-Outer mean nothing anywhere but at the root of the payload (RFC 9788 §4.1)', () => {
  const part = `${INNER}HP-Outer: Subject: [...]\r\nContent-Type: text/plain; hp="cipher"; protected-headers="v1"\r\n\r\n${TEXT}`
  const entity = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${part}\r\n--b--\r\n`
  const received = receivedByBob(signedEntity(ALICE, entity))
  assert.equal(received.outcome, 'valid')
  assert.doesNotMatch(headerOfShown(shown(received)), /Subject: inner/)
  assert.equal(received.report.summary.fields.Subject, 'unprotected')
})

test('what nobody protects has no protected header, whatever it says', () => {
  const mail = Buffer.from(`${headerFrom(ALICE)}Content-Type: text/plain; hp="cipher"\r\n\r\n${TEXT}`, 'latin1')
  const { report } = receivedByBob(mail)
  assert.deepEqual([report.layers, report.summary.fields, report.message?.length], [[], {}, mail.length])
})

test('hp="cipher" on what came in the clear does not make it confidential, and hp="clear" under a cipher neither (§10.2)', () => {
  const meant = `From: ${ALICE}\r\nSubject: s\r\nContent-Type: text/plain; hp="cipher"\r\n\r\n${TEXT}`
  const decrypted = receivedByBob(signedEntity(ALICE, meant))
  assert.deepEqual(decrypted.report.summary.fields, { From: 'signed-only', Subject: 'signed-only' })
  assert.match(
    explainToReader(decrypted.report.summary, decrypted.decision),
    /Its author had encrypted it; what came was not/,
  )
  const signed = signedEntity(ALICE, meant.replace('cipher', 'clear')).toString('latin1')
  const contentKey = Buffer.alloc(32, 4)
  const ciphertext = cbcEncrypt(contentKey, Buffer.from(signed.slice(signed.indexOf('Content-Type: ')), 'latin1'))
  const envelope = cmsEntity('enveloped-data', forgeEnvelope({ to: bob, contentKey, ciphertext }))
  const { report, decision } = receivedByBob(replace(mailFrom(ALICE, envelope), /^Subject: .*\r\n/m, ''))
  assert.deepEqual(report.summary.fields, { From: 'signed-only', Subject: 'signed-only' })
  assert.match(explainToReader(report.summary, decision), /It was encrypted on its way, not by its author/)
})

test('an encrypted mail that nobody signed cannot say who wrote it better than its outer header (§4.4.3)', () => {
  const header = `From: ${ALICE}\r\nTo: ${BOB}\r\nSubject: s\r\n`
  const unsigned = stripped(
    protectedMail({ layering: 'encrypt-sign', signer: mallory, recipients: [bob], header, body: TEXT }),
  )
  const received = receivedByBob(unsigned)
  assert.deepEqual([received.outcome, received.report.summary.signature], ['not verified', 'none'])
  assert.equal(received.report.summary.fields.Subject, 'unprotected', 'visible outside, and nobody signed it')
  assert.equal(receivedByBob(replace(unsigned, /^From: .*$/m, `From: ${MALLORY}`)).outcome, 'refused 5.7.7')
})
