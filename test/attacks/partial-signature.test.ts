/**
 * Partial signatures and hidden parts (Müller et al., "Johnny, you are fired! – Spoofing OpenPGP and S/MIME Signatures in
 * Emails", USENIX Security 2019, the MIME and UI attack classes): a signed part is put beside words of the attacker's, or
 * out of sight behind them, and the program that finds it calls all of it signed. What a gateway can be fooled in is its
 * one verdict over the whole mail, and in which octets it takes for the signed ones.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  SECRET,
  alice,
  alicesEntity,
  clearSigned,
  mailFrom,
  multipart,
  receivedByBob,
  shown,
} from '../support/attack.ts'
import { forgeSignedData } from '../support/forge-cms.ts'
import { ALICE } from '../support/tampering.ts'

const WORDS = 'Content-Type: text/html\r\n\r\n<b>Pay 9999 yen</b>'
const SIGNED = alicesEntity('sign')
const OPEN = '<div style="display:none"><plaintext>'

/** A signed part beside the attacker's words, somewhere in the mail. */
const BESIDE: readonly [why: string, entity: string][] = [
  ['before it', multipart('mixed', [WORDS, SIGNED])],
  ['after it', multipart('mixed', [SIGNED, WORDS])],
  ['as an alternative to it', multipart('alternative', [SIGNED, WORDS])],
  ['related to it: the signed part is an image of the forged one', multipart('related', [WORDS, SIGNED])],
  ['around it, with a style that hides it', multipart('mixed', [`Content-Type: text/html\r\n\r\n${OPEN}`, SIGNED])],
  ['and it is deep down', multipart('mixed', [WORDS, multipart('mixed', [multipart('mixed', [SIGNED], 'c')], 'b')])],
  [
    'and it is an attached mail',
    multipart('mixed', [WORDS, `Content-Type: message/rfc822\r\n\r\n${mailFrom(ALICE, SIGNED).toString('latin1')}`]),
  ],
  [
    'and it has an attachment’s name',
    multipart('mixed', [WORDS, SIGNED.replace('\r\n', '\r\nContent-Disposition: attachment\r\n')]),
  ],
]

for (const [why, entity] of BESIDE)
  test(`the attacker's words stand ${why}: nothing is called signed`, () => {
    const mail = mailFrom(ALICE, entity)
    const received = receivedByBob(mail)
    assert.deepEqual([received.report.summary.signature, received.report.layers], ['none', []])
    assert.equal(received.report.errant, 1)
    assert(mail.equals(Buffer.from(shown(received), 'latin1')))
  })

const boundary = 'signed'
const cms = forgeSignedData({ content: Buffer.from('\r\nHello'), signers: [{ by: alice }], detached: true })
const good = clearSigned('\r\nHello', cms, boundary)
const signature = good.slice(
  good.indexOf('Content-Type: application/pkcs7-signature'),
  good.lastIndexOf('\r\n--signed--'),
)
const HEADER = good.slice(0, good.indexOf('--signed\r\n'))
const built = (...parts: readonly string[]): string =>
  `${HEADER}${parts.map((part) => `--signed\r\n${part}\r\n`).join('')}--signed--\r\n`

test('what these are made of is valid', () => {
  for (const entity of [good, built('\r\nHello', signature)]) {
    const received = receivedByBob(mailFrom(ALICE, entity))
    assert.equal(received.outcome, 'valid', received.report.summary.reason ?? '')
    assert(shown(received).endsWith('\r\n\r\nHello'))
  }
})

/** Other parts, other boundaries. */
const PARTS: readonly [why: string, entity: string][] = [
  ['a third part', built('\r\nHello', signature, WORDS)],
  ['a third part in front', built(WORDS, '\r\nHello', signature)],
  ['a third part in between', built('\r\nHello', WORDS, signature)],
  ['two signatures as parts', built('\r\nHello', signature, signature)],
  ['no signature', built('\r\nHello')],
  ['the signature first', built(signature, '\r\nHello')],
  [
    'the content twice, differently',
    built('\r\nHello', signature).replace('--signed\r\n', '--signed\r\n\r\nPay 9999 yen\r\n--signed\r\n'),
  ],
  ['more text in the signed part', built('\r\nHello\r\nPay 9999 yen', signature)],
  ['a header field in front of the signed part', built('Content-Type: text/html\r\n\r\nHello', signature)],
  ['a blank line more', built('\r\nHello\r\n', signature)],
  [
    'a boundary with blanks before it, which some take for one',
    built('\r\nHello\r\n --signed\r\n\r\nPay 9999 yen', signature),
  ],
  ['a boundary that begins like the other', built('\r\nHello\r\n--signedx\r\n\r\nPay 9999 yen', signature)],
  ['a closing boundary inside the content', built('\r\nHello\r\n--signed--\r\nPay 9999 yen', signature)],
  ['another boundary in the header than in the body', good.replace('boundary="signed"', 'boundary="sign"')],
  ['not closed', good.replace('--signed--\r\n', '')],
  ['another type for the signature', good.replace('application/pkcs7-signature; name=smime.p7s', 'text/plain')],
  ['the signed part encoded anew', built('Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=', signature)],
]

for (const [why, entity] of PARTS)
  test(`multipart/signed with ${why}: refused`, () => {
    const received = receivedByBob(mailFrom(ALICE, entity))
    assert.equal(received.outcome, 'refused 5.7.7', received.report.summary.reason ?? '')
  })

/** Two boundaries, two types: what we verify and what another program shows must not differ. */
const TWOFOLD: readonly [why: string, from: string, to: string][] = [
  ['two boundary parameters', 'boundary="signed"', 'boundary="signed"; boundary="other"'],
  ['two boundary parameters, the other way', 'boundary="signed"', 'boundary="other"; boundary="signed"'],
  ['a boundary in a comment', 'boundary="signed"', '(boundary="other") boundary="signed"'],
  ['a boundary in pieces', 'boundary="signed"', 'boundary*0="sig"; boundary*1="ned"'],
  ['a boundary in pieces and whole', 'boundary="signed"', 'boundary*0="oth"; boundary*1="er"; boundary="signed"'],
]
for (const [why, from, to] of TWOFOLD)
  test(`${why}: never valid with other words`, () => {
    const body = `${WORDS}\r\n--other\r\n`
    for (const entity of [
      good.replace(from, to),
      good.replace(from, to).replace('--signed', `--other\r\n${body}--signed`),
    ]) {
      assert(entity.includes(to))
      const received = receivedByBob(mailFrom(ALICE, entity))
      if (received.outcome === 'valid') assert(shown(received).endsWith('\r\n\r\nHello'), shown(received))
    }
  })

test('preamble and epilogue are covered by nothing, and shown to nobody', () => {
  const dressed = good
    .replace('--signed\r\n', `Pay 9999 yen\r\n--signed\r\n`)
    .replace(/--signed--\r\n$/, `--signed--\r\nPay 9999 yen\r\n`)
  const received = receivedByBob(mailFrom(ALICE, dressed))
  assert.equal(received.outcome, 'valid')
  assert.doesNotMatch(shown(received), /9999/)
})

test('header fields beside the signed part do not get into what is shown', () => {
  const fields = `Content-Disposition: inline; filename="${SECRET}"\r\nContent-Description: 9999\r\nContent-Language: xx\r\n`
  const received = receivedByBob(mailFrom(ALICE, `${fields}${good}`))
  assert.equal(received.outcome, 'valid')
  assert.doesNotMatch(shown(received), /9999|Content-Language|1234567/)
})
