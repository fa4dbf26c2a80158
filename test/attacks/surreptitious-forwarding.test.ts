/**
 * Surreptitious forwarding (Davis, "Defective Sign & Encrypt in S/MIME, PKCS#7, MOSS, PEM, PGP, and XML", USENIX 2001).
 * Sign-then-encrypt: who is written to encrypts the signed mail again, to somebody else, who takes it for theirs.
 * Encrypt-then-sign: who sees the ciphertext takes the signature off, signs it, and passes for its author. What binds
 * both ends is the author's own header, inside of all layers (RFC 9788).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../src/message/part.ts'
import { parsePart } from '../../src/message/parse.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { SECRET, alice, bob, cmsEntity, mailFrom, mallory, receivedByBob, shown } from '../support/attack.ts'
import { cbcEncrypt, forgeEnvelope } from '../support/forge-cms.ts'
import { replace, signedAnew, stripped } from '../support/mail-surgery.ts'
import { cmsOf, protectedMail } from '../support/protected-mail.ts'
import { ALICE, MALLORY, headerOf } from '../support/tampering.ts'

const BODY = `${SECRET}\r\n`
const contentKey = Buffer.alloc(32, 4)
/** The header without the CRLF of folded lines. */
const unfolded = (mail: string): string => mail.split('\r\n\r\n')[0]?.replaceAll(/\r\n(?=[ \t])/g, '') ?? ''

/** Alice writes to Mallory; Mallory encrypts what Alice signed to Bob. */
function forwarded(headerProtection: boolean): Buffer {
  const mail = protectedMail({
    layering: 'sign-encrypt',
    signer: alice,
    recipients: [mallory],
    header: headerOf(ALICE, MALLORY, '<1@peer.example>'),
    body: BODY,
    headerProtection,
  })
  const opened = openEnvelope(cmsOf(mail, 'application/pkcs7-mime'), [mallory])
  assert(opened.kind === 'decrypted')
  const ciphertext = cbcEncrypt(contentKey, opened.content)
  return mailFrom(ALICE, cmsEntity('enveloped-data', forgeEnvelope({ to: bob, contentKey, ciphertext })))
}

test('sign-then-encrypt, encrypted again to another: the reader sees to whom it was written', () => {
  const received = receivedByBob(forwarded(true))
  assert.equal(received.outcome, 'valid') // Alice did sign it
  const to = /^To: .*$/m.exec(unfolded(shown(received)))
  assert.equal(to?.[0], `To: ${MALLORY}`)
  assert.doesNotMatch(unfolded(shown(received)), /bob@/)
})

test('without header protection, nothing tells: what other programs write is open to it', () => {
  const received = receivedByBob(forwarded(false))
  assert.equal(received.outcome, 'valid')
  assert.match(unfolded(shown(received)), /^To: bob@/m)
})

/** Alice writes to Bob, the signature outside. */
const sent = (headerProtection: boolean): Buffer =>
  protectedMail({
    layering: 'encrypt-sign',
    signer: alice,
    recipients: [bob],
    header: headerOf(ALICE, 'bob@biglobe.example', '<1@peer.example>'),
    body: BODY,
    headerProtection,
  })
const calledMallorys = (mail: Buffer): Buffer => replace(mail, `From: ${ALICE}`, `From: ${MALLORY}`)

test('encrypt-then-sign, signed anew by another: the author inside is not the signer, and it is refused', () => {
  for (const mail of [signedAnew(sent(true), mallory), stripped(sent(true))]) {
    const received = receivedByBob(calledMallorys(mail))
    assert.equal(received.outcome, 'refused 5.7.7')
    assert.match(received.report.summary.reason ?? '', /the protected From is alice@peer\.example/)
    assert.equal(shown(received), '')
  }
  assert.equal(receivedByBob(signedAnew(sent(true), mallory)).outcome, 'refused 5.7.7')
})

test('without header protection it passes for the attacker’s, to the reader it was for and nobody else', () => {
  const received = receivedByBob(calledMallorys(signedAnew(sent(false), mallory)))
  assert.deepEqual([received.outcome, received.report.summary.signer], ['valid', MALLORY])
  assert(Buffer.from(bodyOf(parsePart(Buffer.from(shown(received), 'latin1')))).equals(Buffer.from(BODY)))
})
