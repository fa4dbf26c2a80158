/**
 * Downgrade by SMIMECapabilities: what a correspondent is encrypted to with is learned from their mail, so whoever can put
 * weaker words into their mouth reads along more easily later. RFC 8551 §2.7.1 trusts signed attributes only, and the
 * newest. Here only a valid signature of the author in From teaches anything, and nothing that is learned is weaker than
 * what everybody gets.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oid, sequence, time } from '../../src/protection/smime/asn1/der-writer.ts'
import { type Learned, learnFrom } from '../../src/protection/learn.ts'
import {
  SECRET,
  alice,
  alicesEntity,
  bob,
  cmsEntity,
  mailFrom,
  mallory,
  multipart,
  receivedByBob,
} from '../support/attack.ts'
import {
  type ForgedSigner,
  attribute,
  cbcEncrypt,
  contentTypeAttribute,
  forgeEnvelope,
  forgeSignedData,
  messageDigestAttribute,
} from '../support/forge-cms.ts'
import { SIGNED_AT_MS } from '../support/protected-mail.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const ENTITY = `Content-Type: text/plain\r\n\r\n${SECRET}\r\n`
const content = Buffer.from(ENTITY)
const AES_128_CBC = '2.16.840.1.101.3.4.1.2'
const RC2_40 = '1.2.840.113549.3.2'
const capabilities = (...oids: readonly string[]): Uint8Array =>
  attribute('1.2.840.113549.1.9.15', sequence(...oids.map((each) => sequence(oid(each)))))
const signedAt = attribute('1.2.840.113549.1.9.5', time(SIGNED_AT_MS))
const weak = capabilities(AES_128_CBC)

const attributesOf = (of: Uint8Array, ...more: readonly Uint8Array[]): Uint8Array[] =>
  [contentTypeAttribute(), messageDigestAttribute(of), signedAt, ...more].toSorted(Buffer.compare)

const opaque = (...signers: readonly ForgedSigner[]): string =>
  cmsEntity('signed-data', forgeSignedData({ content, signers }))

function learned(mail: Buffer): Learned | undefined {
  const { summary, layers, headerProtection } = receivedByBob(mail).report
  return learnFrom(summary, layers, headerProtection)
}

test('what Alice signs is learned', () => {
  const said = learned(mailFrom(ALICE, opaque({ by: alice, attributes: attributesOf(content, weak) })))
  assert.deepEqual(said?.states, { ciphers: ['aes-128-cbc'], keyTransports: [], signatures: [] })
  assert.equal(said.signedMs, SIGNED_AT_MS)
})

test('words for what we do not write teach nothing: there is nothing weaker to be had', () => {
  const said = learned(
    mailFrom(
      ALICE,
      opaque({
        by: alice,
        attributes: attributesOf(content, capabilities(RC2_40, '1.2.840.113549.3.7', '1.3.14.3.2.7')),
      }),
    ),
  )
  assert.deepEqual(said?.states?.ciphers, [])
})

const encrypted = (entity: string): string => {
  const contentKey = Buffer.alloc(32, 2)
  const ciphertext = cbcEncrypt(contentKey, Buffer.from(entity))
  return cmsEntity('enveloped-data', forgeEnvelope({ to: bob, contentKey, ciphertext }))
}
const honest = attributesOf(content)
const poisoned = attributesOf(content, weak)
const another = attributesOf(Buffer.from('another content'), weak)

const POISONED: readonly [why: string, mail: Buffer][] = [
  ['by Mallory in Alice’s name', mailFrom(ALICE, opaque({ by: mallory, attributes: poisoned }))],
  ['in an attribute that nobody signed', mailFrom(ALICE, opaque({ by: alice, attributes: honest, unsigned: [weak] }))],
  ['over another content', mailFrom(ALICE, opaque({ by: alice, attributes: another }))],
  [
    'with a signature that does not hold',
    mailFrom(ALICE, opaque({ by: alice, attributes: poisoned, sign: () => Buffer.alloc(64) })),
  ],
  [
    'by Mallory beside Alice, who says nothing',
    mailFrom(ALICE, opaque({ by: mallory, attributes: poisoned }, { by: alice, attributes: honest })),
  ],
  [
    'in a signed part of an unsigned mail',
    mailFrom(ALICE, multipart('mixed', ['\r\nHello', opaque({ by: alice, attributes: poisoned })])),
  ],
  ['in a mail of hers that Mallory passes for her own', mailFrom(MALLORY, opaque({ by: alice, attributes: poisoned }))],
  ['by a mail that is encrypted, and signed by nobody', mailFrom(ALICE, alicesEntity('encrypt'))],
  [
    'twice, differently',
    mailFrom(ALICE, opaque({ by: alice, attributes: attributesOf(content, weak, capabilities(RC2_40)) })),
  ],
  [
    'in two values of one attribute',
    mailFrom(
      ALICE,
      opaque({
        by: alice,
        attributes: attributesOf(
          content,
          attribute('1.2.840.113549.1.9.15', sequence(), sequence(sequence(oid(AES_128_CBC)))),
        ),
      }),
    ),
  ],
]

for (const [why, mail] of POISONED)
  test(`weaker words put into Alice’s mouth ${why}: nothing is learned`, () => {
    assert.equal(learned(mail)?.states, undefined)
  })

test('that Mallory encrypted to us in a weak cipher says nothing of Alice, whose signature is inside', () => {
  const said = learned(mailFrom(ALICE, encrypted(opaque({ by: alice, attributes: honest }))))
  assert.equal(said?.cipher, undefined)
  assert.equal(said?.outerSignature, false)
})
