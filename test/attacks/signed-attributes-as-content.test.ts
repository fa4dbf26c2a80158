/**
 * Signed attributes taken for content, and content for signed attributes (draft-ietf-lamps-cms-euf-cma-signeddata). A CMS
 * signature with signed attributes and one without are made over different things by the same key, and nothing in the
 * signature says which. Who has a signature with attributes drops the attributes and presents them as what was
 * signed; who gets somebody to sign chosen octets without attributes makes attributes of them, for any content.
 */
import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { test } from 'node:test'
import { der } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { SECRET, alice, clearSigned, cmsEntity, mailFrom, receivedByBob, shown } from '../support/attack.ts'
import {
  type ForgedSigner,
  attribute,
  contentTypeAttribute,
  forgeSignedData,
  messageDigestAttribute,
} from '../support/forge-cms.ts'
import { oid } from '../../src/protection/smime/asn1/der-writer.ts'
import { ALICE } from '../support/tampering.ts'

const ENTITY = `Content-Type: text/plain\r\n\r\n${SECRET}\r\n`
const content = Buffer.from(ENTITY)
const attributes = [contentTypeAttribute(), messageDigestAttribute(content)]
/** What Alice's key has signed. */
const covered = der(TAG.SET, ...attributes)
const signature = sign('sha256', covered, alice.key)
const captured: ForgedSigner = { by: alice, sign: () => signature }

const opaque = (of: Uint8Array, signer: ForgedSigner): Buffer =>
  mailFrom(ALICE, cmsEntity('signed-data', forgeSignedData({ content: of, signers: [signer] })))

test('the captured signature holds where it belongs', () => {
  const received = receivedByBob(opaque(content, { ...captured, attributes }))
  assert.equal(received.outcome, 'valid', received.report.summary.reason ?? '')
  assert(shown(received).endsWith(`\r\n\r\n${SECRET}\r\n`))
})

test('an honest signature without attributes holds: some programs write it (RFC 5652 §5.3)', () => {
  assert.equal(receivedByBob(opaque(content, { by: alice, attributes: 'none' })).outcome, 'valid')
})

/** The same members, otherwise written; signers exist that sign what they send, sorted or not. */
const rewritten = (set: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(TAG.SET, 0x80), set.subarray(2), Uint8Array.of(0, 0)])
const more = attribute('1.2.840.113549.1.9.15', Uint8Array.of(0x30, 0))

const AS_CONTENT: readonly [why: string, covered: Uint8Array][] = [
  ['as they were signed', covered],
  ['with others among them', der(TAG.SET, ...attributes, more)],
  ['not sorted', der(TAG.SET, ...attributes.toReversed())],
  ['of indefinite length', rewritten(covered)],
]

for (const [why, set] of AS_CONTENT)
  test(`signed attributes as content, ${why}: refused`, () => {
    const signer: ForgedSigner = { by: alice, attributes: 'none', sign: () => sign('sha256', set, alice.key) }
    for (const mail of [
      opaque(set, signer),
      mailFrom(
        ALICE,
        clearSigned(
          Buffer.from(set).toString('latin1'),
          forgeSignedData({ content: set, signers: [signer], detached: true }),
        ),
      ),
    ]) {
      const received = receivedByBob(mail)
      assert.equal(received.outcome, 'refused 5.7.7')
      assert.match(received.report.summary.reason ?? '', /signed attributes of another message/)
    }
  })

test('the other way about: content that was signed without attributes does not become attributes', () => {
  // an honest signature without attributes over a mail; its octets are no SET, so nothing can be made of it
  const plain = sign('sha256', content, alice.key)
  for (const set of [[content], attributes, []]) {
    const received = receivedByBob(opaque(content, { by: alice, attributes: set, sign: () => plain }))
    assert.equal(received.outcome, 'refused 5.7.7')
  }
})

test('a signature over the digest alone, or over a digest of another content, is none', () => {
  const other = Buffer.from('Content-Type: text/plain\r\n\r\nPay 9999 yen\r\n')
  for (const set of [
    [contentTypeAttribute(), messageDigestAttribute(other)],
    [messageDigestAttribute(content)],
    [contentTypeAttribute('1.2.840.113549.1.9.16.1.4'), messageDigestAttribute(content)],
    [contentTypeAttribute(), messageDigestAttribute(content), messageDigestAttribute(other)],
    [
      contentTypeAttribute(),
      attribute('1.2.840.113549.1.9.4', ...[content, other].map((each) => messageDigestAttribute(each))),
    ],
    [contentTypeAttribute(), attribute('1.2.840.113549.1.9.4', oid('1.2.3'))],
  ])
    assert.equal(receivedByBob(opaque(content, { by: alice, attributes: set })).outcome, 'refused 5.7.7')
})

test('attributes that nobody signed say nothing: neither a digest nor a time beside the signature', () => {
  const other = Buffer.from('Content-Type: text/plain\r\n\r\nPay 9999 yen\r\n')
  const beside = [contentTypeAttribute(), messageDigestAttribute(other)]
  const swapped = receivedByBob(opaque(other, { ...captured, attributes, unsigned: beside }))
  assert.equal(swapped.outcome, 'refused 5.7.7')
  const hidden = receivedByBob(opaque(content, { ...captured, attributes, unsigned: beside }))
  assert.equal(hidden.outcome, 'refused 5.7.7')
})
