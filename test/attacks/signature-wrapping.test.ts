/**
 * Signature wrapping and multiple signatures (Müller et al., "Johnny, you are fired!", USENIX Security 2019, the attack
 * class on CMS): a message that holds a good signature somewhere, over something, by somebody, is not a message whose
 * author signed it. A fooled program takes the one signature that holds for all, shows the content that it does not
 * cover, or calls "signed" what nobody signed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { der } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import {
  SECRET,
  alice,
  clearSigned,
  cmsEntity,
  mailFrom,
  mallory,
  multipart,
  receivedByBob,
  shown,
} from '../support/attack.ts'
import { type ForgedSigner, forgeSignedData } from '../support/forge-cms.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const ENTITY = `Content-Type: text/plain\r\n\r\n${SECRET}\r\n`
const FORGED = 'Content-Type: text/plain\r\n\r\nPay 9999 yen\r\n'
const content = Buffer.from(ENTITY)
const forged = Buffer.from(FORGED)
/** In nobody's list, and made by nobody known. */
const stranger = smimeIdentity('p256', 'stranger@example.com')
/** Says of itself that it is Alice. */
const impostor = smimeIdentity('p384', ALICE)

type Fate = 'refused 5.7.7' | 'not verified' | 'valid'

const signed = (of: Uint8Array, ...signers: ForgedSigner[]): Buffer =>
  mailFrom(ALICE, cmsEntity('signed-data', forgeSignedData({ content: of, signers })))

describe('several signers', () => {
  const cases: readonly [signers: readonly ForgedSigner[], fate: Fate, why: string][] = [
    [[{ by: alice }], 'valid', 'Alice alone'],
    [[{ by: mallory }], 'refused 5.7.7', 'Mallory alone'],
    [[{ by: mallory }, { by: alice }], 'valid', 'Mallory signed it too: Alice still did'],
    [[{ by: stranger }, { by: alice }], 'valid', 'a stranger signed it too'],
    [[{ by: alice }, { by: alice }], 'valid', 'Alice twice'],
    [[{ by: mallory, over: forged }, { by: alice }], 'refused 5.7.7', "Mallory's is over something else"],
    [[{ by: mallory }, { by: alice, over: forged }], 'refused 5.7.7', "Alice's is over something else"],
    [[{ by: alice }, { by: alice, over: forged }], 'refused 5.7.7', 'one of Alice and another'],
    [[{ by: alice, sign: () => Buffer.alloc(64) }, { by: alice }], 'refused 5.7.7', 'one of two is no signature'],
    [[{ by: { ...mallory, certificate: alice.certificate } }], 'refused 5.7.7', "Mallory's key, Alice's certificate"],
    [[{ by: { ...alice, certificate: mallory.certificate } }], 'refused 5.7.7', "Alice's key, Mallory's certificate"],
  ]
  for (const [signers, fate, why] of cases)
    test(`${why}: ${fate}`, () => {
      for (const order of [signers, signers.toReversed()]) {
        const received = receivedByBob(signed(content, ...order))
        assert.equal(received.outcome, fate, received.report.summary.reason ?? '')
        if (fate === 'valid') assert.equal(received.report.summary.signer, ALICE)
      }
    })
})

describe('nobody signed', () => {
  test('SignedData with content and no signer is not signed', () => {
    for (const certificates of [[], [alice.certificate.encoded]]) {
      const cms = forgeSignedData({ content, signers: [], certificates })
      for (const label of ['signed-data', 'certs-only', 'enveloped-data']) {
        const received = receivedByBob(mailFrom(ALICE, cmsEntity(label, cms)))
        assert.notEqual(received.outcome, 'valid')
        assert.notEqual(received.report.summary.signature, 'valid')
      }
      const detached = forgeSignedData({ content, signers: [], certificates, detached: true })
      assert.equal(receivedByBob(mailFrom(ALICE, clearSigned(ENTITY, detached))).outcome, 'refused 5.7.7')
    }
  })

  test("an impostor's certificate that came along is not Alice's", () => {
    const received = receivedByBob(signed(content, { by: impostor }))
    assert.equal(received.outcome, 'not verified')
    assert.equal(received.report.summary.signature, 'untrusted')
  })
})

describe('which content', () => {
  const detached = forgeSignedData({ content, signers: [{ by: alice }], detached: true })
  const whole = forgeSignedData({ content, signers: [{ by: alice }] })

  test('beside a signature that brings its own content, the content beside it counts', () => {
    assert.equal(receivedByBob(mailFrom(ALICE, clearSigned(FORGED, whole))).outcome, 'refused 5.7.7')
    const same = receivedByBob(mailFrom(ALICE, clearSigned(ENTITY, whole)))
    assert.equal(same.outcome, 'valid')
    assert(shown(same).endsWith(`${SECRET}\r\n`))
    const swapped = forgeSignedData({ content: forged, signers: [{ by: alice, over: content }] })
    const hidden = receivedByBob(mailFrom(ALICE, clearSigned(ENTITY, swapped)))
    assert(!shown(hidden).includes('9999'))
    assert.equal(receivedByBob(mailFrom(ALICE, cmsEntity('signed-data', swapped))).outcome, 'refused 5.7.7')
  })

  test('a detached signature is none where the content is missing', () => {
    assert.equal(receivedByBob(mailFrom(ALICE, cmsEntity('signed-data', detached))).outcome, 'refused 5.7.7')
    assert.equal(
      receivedByBob(mailFrom(ALICE, `${cmsEntity('signed-data', detached)}\r\n${ENTITY}`)).outcome,
      'refused 5.7.7',
    )
  })

  test('two contents in one SignedData are none', () => {
    const bytes = Buffer.from(whole)
    const at = bytes.indexOf(content)
    assert(at > 0)
    for (const extra of [der(TAG.OCTET_STRING, forged), der(0xa0, der(TAG.OCTET_STRING, forged))]) {
      const received = receivedByBob(mailFrom(ALICE, cmsEntity('signed-data', Buffer.concat([bytes, extra]))))
      assert.equal(received.outcome, 'refused 5.7.7')
    }
  })
})

describe('layers', () => {
  const innerSigned = (by: ForgedSigner['by'], entity: string): string => {
    const cms = forgeSignedData({ content: Buffer.from(entity), signers: [{ by }], detached: true })
    return clearSigned(entity, cms, `b${entity.length}`)
  }

  const cases: readonly [from: string, entity: string, fate: Fate, why: string][] = [
    [ALICE, innerSigned(alice, innerSigned(alice, ENTITY)), 'valid', 'Alice, around what Alice signed'],
    [MALLORY, innerSigned(mallory, innerSigned(alice, ENTITY)), 'refused 5.7.7', 'Mallory, around what Alice signed'],
    [ALICE, innerSigned(mallory, innerSigned(alice, ENTITY)), 'refused 5.7.7', 'the same, called Alice’s'],
    [ALICE, innerSigned(alice, innerSigned(mallory, FORGED)), 'refused 5.7.7', 'Alice, around what Mallory signed'],
    [ALICE, innerSigned(alice, innerSigned(stranger, FORGED)), 'refused 5.7.7', 'Alice, around what a stranger signed'],
    [MALLORY, innerSigned(mallory, ENTITY), 'valid', 'Mallory, in her own name: that is what it says'],
  ]
  for (const [from, entity, fate, why] of cases)
    test(`${why}: ${fate}`, () => {
      const received = receivedByBob(mailFrom(from, entity))
      assert.equal(received.outcome, fate, received.report.summary.reason ?? '')
      if (fate === 'valid') assert.equal(received.report.summary.signer, from)
    })

  test('a forwarded mail of Alice’s is a part of Mallory’s: the signature over it does not speak', () => {
    const inner = mailFrom(ALICE, innerSigned(alice, ENTITY)).toString('latin1')
    for (const entity of [
      `Content-Type: message/rfc822\r\n\r\n${inner}`,
      multipart('mixed', ['\r\nLook:', `Content-Type: message/rfc822\r\n\r\n${inner}`]),
    ])
      for (const from of [ALICE, MALLORY]) {
        const received = receivedByBob(mailFrom(from, entity))
        assert.equal(received.report.summary.signature, 'none')
        assert.equal(received.report.errant, 1)
      }
  })
})
