/**
 * Covert content (Müller et al., "Re: What's Up Johnny? – Covert Content Attacks on Email End-to-End Encryption", ACNS
 * 2019). The attacker hides a captured ciphertext in a harmless mail of their own. A program that opens every ciphertext
 * it finds puts the plaintext into what the reader sees, or not even sees, and into the quotation of the answer.
 * Here a ciphertext is opened when it is the mail, and never when it is a part of one (RFC 9787 §4.5, errant layers).
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  SECRET,
  alice,
  alicesEntity,
  bob,
  clearSigned,
  cmsEntity,
  mailFrom,
  mallory,
  multipart,
  receivedByBob,
  shown,
} from '../support/attack.ts'
import { cbcEncrypt, forgeEnvelope, forgeSignedData, gcmEncrypt } from '../support/forge-cms.ts'
import { octetString } from '../../src/protection/smime/asn1/der-writer.ts'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const contentKey = Buffer.alloc(32, 3)
const harmless = 'Content-Type: text/html\r\n\r\nLunch?<div style="display:none">'

/** What Mallory can make of any entity: she knows everybody's public keys and has a good key of her own. */
const WRAPPINGS: readonly [why: string, wrap: (entity: string) => string][] = [
  ['in the clear', (entity) => entity],
  [
    'signed by herself',
    (entity) => {
      const cms = forgeSignedData({
        content: Buffer.from(entity, 'latin1'),
        signers: [{ by: mallory }],
        detached: true,
      })
      return clearSigned(entity, cms, 'hers')
    },
  ],
  [
    'signed by herself, opaque',
    (entity) =>
      cmsEntity('signed-data', forgeSignedData({ content: Buffer.from(entity, 'latin1'), signers: [{ by: mallory }] })),
  ],
  [
    'encrypted by herself',
    (entity) => {
      const ciphertext = cbcEncrypt(contentKey, Buffer.from(entity, 'latin1'))
      return cmsEntity('enveloped-data', forgeEnvelope({ to: bob, contentKey, ciphertext }))
    },
  ],
  [
    'encrypted by herself, with a tag',
    (entity) => {
      const { algorithm, ciphertext, tag } = gcmEncrypt(contentKey, Buffer.from(entity, 'latin1'))
      const type = CONTENT_TYPE.authEnvelopedData
      const trailer = [octetString(tag)]
      return cmsEntity(
        'authEnveloped-data',
        forgeEnvelope({ to: bob, contentKey, cipher: algorithm, ciphertext, type, trailer }),
      )
    },
  ],
]

const CAPTURED: readonly [name: string, entity: string][] = [
  ['an encrypted mail', alicesEntity('encrypt')],
  ['a signed and encrypted mail', alicesEntity('sign-encrypt')],
]

const PLACES: readonly [why: string, place: (sealed: string) => string][] = [
  ['behind a text', (sealed) => multipart('mixed', [harmless, sealed], 'outer')],
  [
    'as an attachment',
    (sealed) =>
      multipart('mixed', [harmless, sealed.replace('\r\n', '\r\nContent-Disposition: attachment\r\n')], 'outer'),
  ],
  ['alone in a multipart', (sealed) => multipart('mixed', [sealed], 'outer')],
  ['as an alternative', (sealed) => multipart('alternative', [harmless, sealed], 'outer')],
  [
    'in a forwarded mail',
    (sealed) => `Content-Type: message/rfc822\r\n\r\n${mailFrom(ALICE, sealed).toString('latin1')}`,
  ],
  [
    'as octets with the name of one',
    (sealed) =>
      multipart(
        'mixed',
        [
          harmless,
          sealed.replace(
            /^Content-Type:[^;]*;[^\r]*(\r\n [^\r]*)*/,
            'Content-Type: application/octet-stream; name=smime.p7m',
          ),
        ],
        'outer',
      ),
  ],
]

for (const [name, sealed] of CAPTURED)
  describe(name, () => {
    for (const [how, wrap] of WRAPPINGS)
      test(`as a part of Mallory's mail, ${how}: it stays shut, wherever it is`, () => {
        for (const [why, place] of PLACES)
          for (const from of [MALLORY, ALICE]) {
            const received = receivedByBob(mailFrom(from, wrap(place(sealed))))
            assert(!shown(received).includes(SECRET), why)
            if (from === ALICE) assert.notEqual(received.outcome, 'valid', why)
            if (received.report.message !== undefined) assert.equal(received.report.errant, 1, why)
            const decrypted = received.report.layers.filter(({ verdict }) => verdict === 'decrypted')
            assert.equal(
              decrypted.length,
              how.startsWith('encrypted') && received.report.message !== undefined ? 1 : 0,
              why,
            )
          }
      })
  })

test('below a signature that does not hold nothing is decrypted: no answer tells what was inside', () => {
  const sealed = alicesEntity('encrypt')
  const cms = forgeSignedData({ content: Buffer.from('another content'), signers: [{ by: alice }], detached: true })
  const received = receivedByBob(mailFrom(ALICE, clearSigned(sealed, cms)))
  assert.equal(received.outcome, 'refused 5.7.7')
  assert.deepEqual(
    received.report.layers.map(({ kind, verdict }) => `${kind} ${verdict}`),
    ['signed invalid'],
  )
})

test('as the mail itself it is opened, and the reader is told that nobody signed it', () => {
  const received = receivedByBob(mailFrom(MALLORY, alicesEntity('encrypt')))
  assert(shown(received).includes(SECRET))
  assert.deepEqual([received.outcome, received.decision.rule], ['not verified', 'unsigned'])
})

test('what Alice signed before she encrypted does not open under another name', () => {
  const received = receivedByBob(mailFrom(MALLORY, alicesEntity('sign-encrypt')))
  assert.equal(received.outcome, 'refused 5.7.7')
  assert.equal(shown(received), '')
})
