import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type OcspOrder, makeOcspRefusal, makeOcspResponse } from '../../../../test/support/ocsp-maker.ts'
import {
  DAY_MS,
  type Entity,
  NOW_MS,
  keyNamed,
  makeAuthority,
  makeCertificate,
  makeCrl,
} from '../../../../test/support/x509-maker.ts'
import type { RevocationRule, TrustFinding } from '../../standard.ts'
import { NULL, contextTagged, der, oid, sequence } from '../asn1/der-writer.ts'
import { context } from '../asn1/tlv.ts'
import { EMAIL_PROTECTION, EXTENSION, KEY_USAGE, OCSP_SIGNING } from './extensions.ts'
import { parseOcspResponse } from './ocsp.ts'
import { validatePath } from './path-validation.ts'
import { extendedKeyUsage, keyUsage, writeExtension } from './write-certificate.ts'

const root = makeAuthority({ name: 'root' })
const user = makeCertificate({ name: 'user', issuer: root, serial: 7 })
const noCheck = writeExtension(EXTENSION.ocspNoCheck, false, NULL)
const ocspSigning = extendedKeyUsage([OCSP_SIGNING])
const asked = { about: user, issuer: root }

function judge(responses: readonly Uint8Array[], rule: RevocationRule = 'require', crls: readonly Uint8Array[] = []) {
  return validatePath({
    certificate: user.certificate,
    untrusted: [],
    anchors: [root.certificate],
    atMs: NOW_MS,
    ocspResponses: responses,
    fetchedCrls: crls.map(kept),
    revocation: rule,
    purpose: 'email',
  })
}

const kept = (encoded: Uint8Array) => ({ id: Buffer.from(encoded).toString('hex'), encoded })
const verdictOf = (found: TrustFinding): string => (found.trusted ? 'trusted' : found.verdict)

describe('what a response says', () => {
  const answer = (more: Partial<OcspOrder>): readonly Uint8Array[] => [makeOcspResponse({ ...asked, ...more })]
  const yesterday = { atMs: NOW_MS - DAY_MS }
  const critical = writeExtension('1.2.3.4', true, NULL)
  const wrongKey = { certificate: root.certificate, key: keyNamed('forger') }
  const sibling = makeCertificate({ name: 'user', issuer: root, serial: 8 })
  const namesake = makeAuthority({ name: 'root', key: keyNamed('another key') })
  const cases: readonly [responses: readonly Uint8Array[], verdict: string, why: string][] = [
    [[], 'untrusted', 'none'],
    [answer({}), 'trusted', 'good'],
    [answer({ byKey: true }), 'trusted', 'a responder named by its key'],
    [answer({ digest: 'sha256' }), 'trusted', 'CertID with SHA-256'],
    [answer({ revoked: yesterday }), 'revoked', 'revoked'],
    [answer({ revoked: { atMs: NOW_MS + DAY_MS } }), 'trusted', 'revoked only after the time in question'],
    [answer({ revoked: { atMs: NOW_MS + DAY_MS, reason: 1 } }), 'revoked', 'revoked later, for the key was stolen'],
    [answer({ unknown: true }), 'untrusted', 'unknown to the responder'],
    [[...answer({ unknown: true }), ...answer({})], 'trusted', 'unknown to one, good says the other'],
    [[...answer({}), ...answer({ revoked: yesterday })], 'revoked', 'two that disagree'],
    [answer({ about: sibling }), 'untrusted', 'about another serial number'],
    [answer({ issuer: namesake, signer: root }), 'untrusted', 'about an issuer with another key'],
    [answer({ signer: wrongKey }), 'untrusted', 'a forged one'],
    [answer({ signer: makeAuthority({ name: 'stranger' }) }), 'untrusted', 'of a stranger'],
    [answer({ nextUpdateMs: NOW_MS - DAY_MS }), 'untrusted', 'one that has run out'],
    [answer({ nextUpdateMs: NOW_MS - 60_000 }), 'trusted', 'one that has just run out, clocks being what they are'],
    [answer({ thisUpdateMs: NOW_MS + DAY_MS }), 'untrusted', 'one from the future'],
    [answer({ thisUpdateMs: NOW_MS - 1000, nextUpdateMs: null }), 'trusted', 'a fresh one without nextUpdate'],
    [answer({ thisUpdateMs: NOW_MS - 2 * DAY_MS, nextUpdateMs: null }), 'untrusted', 'an old one without nextUpdate'],
    [answer({ extensions: [critical] }), 'untrusted', 'a critical extension that is not understood'],
    [answer({ answerExtensions: [critical] }), 'untrusted', 'a critical extension of the answer'],
    [answer({ nonce: new Uint8Array(32) }), 'trusted', 'with a nonce'],
    [[makeOcspRefusal(3)], 'untrusted', 'try later'],
    [[(answer({})[0] as Uint8Array).subarray(0, -1)], 'untrusted', 'an unreadable one'],
  ]
  for (const [responses, verdict, why] of cases) test(why, () => assert.equal(verdictOf(judge(responses)), verdict))
})

describe('who may answer for an authority (RFC 6960 §4.2.2.2)', () => {
  const responder = (extensions: readonly Uint8Array[], more: Partial<Parameters<typeof makeCertificate>[0]> = {}) =>
    makeCertificate({ name: 'responder', issuer: root, serial: 9, extensions, ...more })
  const sub = makeAuthority({ name: 'sub', issuer: root })
  const forger: Entity = { certificate: root.certificate, key: keyNamed('forger') }
  const withCrl = [makeCrl(root, { revoked: [{ serial: 9, atMs: NOW_MS - DAY_MS }] })]
  const cases: readonly [signer: Entity, verdict: string, why: string][] = [
    [responder([ocspSigning, noCheck]), 'trusted', 'one that it has certified for it'],
    [responder([extendedKeyUsage([EMAIL_PROTECTION]), noCheck]), 'untrusted', 'one certified for mail'],
    [responder([extendedKeyUsage(['2.5.29.37.0']), noCheck]), 'untrusted', 'one certified for anything'],
    [responder([noCheck]), 'untrusted', 'one without any such word'],
    [responder([ocspSigning, noCheck], { issuer: sub }), 'untrusted', 'one that a subordinate has certified'],
    [responder([ocspSigning, noCheck], { issuer: forger }), 'untrusted', 'one that only says it was certified'],
    [responder([ocspSigning, noCheck], { notAfterMs: NOW_MS - DAY_MS }), 'untrusted', 'one out of its time'],
    [responder([ocspSigning, noCheck, keyUsage(KEY_USAGE.keyAgreement)]), 'untrusted', 'whose key may not sign'],
    [responder([ocspSigning, writeExtension('1.2.3', true, NULL), noCheck]), 'untrusted', 'a critical extension'],
    [responder([ocspSigning]), 'untrusted', 'one of which nothing is known'],
  ]
  for (const [signer, verdict, why] of cases)
    test(why, () => {
      const response = makeOcspResponse({ ...asked, signer, certificates: [signer] })
      assert.equal(verdictOf(judge([response])), verdict)
    })

  test('one that has been revoked says nothing, unless nobody is to ask', () => {
    const revoked = { atMs: NOW_MS - DAY_MS }
    const says = (signer: Entity, crls: readonly Uint8Array[]): string =>
      verdictOf(judge([makeOcspResponse({ ...asked, signer, certificates: [signer], revoked })], 'prefer', crls))
    assert.equal(says(responder([ocspSigning]), []), 'revoked')
    assert.equal(says(responder([ocspSigning]), withCrl), 'trusted')
    assert.equal(says(responder([ocspSigning, noCheck]), withCrl), 'revoked')
  })

  test('its certificate must be there', () => {
    const signer = responder([ocspSigning, noCheck])
    assert.equal(verdictOf(judge([makeOcspResponse({ ...asked, signer })])), 'untrusted')
  })
})

describe('what is missing is named', () => {
  const uri = (text: string): Uint8Array => der(context(6), Buffer.from(text))
  const access = (method: string, url: string): Uint8Array => sequence(oid(method), uri(url))
  const info = writeExtension(
    EXTENSION.authorityInfoAccess,
    false,
    sequence(
      access('1.3.6.1.5.5.7.48.1', 'http://ocsp.example/'),
      access('1.3.6.1.5.5.7.48.1', 'ldap://ocsp.example/'),
      access('1.3.6.1.5.5.7.48.2', 'http://ca.example/sub.cer'),
    ),
  )
  const points = writeExtension(
    EXTENSION.crlDistributionPoints,
    false,
    sequence(sequence(contextTagged(0, contextTagged(0, uri('ldap://x/'), uri('https://crl.example/1.crl'))))),
  )
  const leaf = makeCertificate({ name: 'leaf', issuer: root, serial: 5, extensions: [info, points] })
  const find = (rule: RevocationRule, more: Partial<Parameters<typeof validatePath>[0]> = {}): TrustFinding =>
    validatePath({
      certificate: leaf.certificate,
      untrusted: [],
      anchors: [root.certificate],
      atMs: NOW_MS,
      revocation: rule,
      purpose: 'email',
      ...more,
    })
  const wishes = [
    {
      kind: 'status',
      certificate: leaf.certificate.encoded,
      issuer: root.certificate.encoded,
      ocsp: ['http://ocsp.example/'],
      crls: ['https://crl.example/1.crl'],
    },
  ]
  const why = 'CN=leaf: nothing at hand tells whether the certificate is revoked'
  const path = [leaf, root].map(({ certificate }) => certificate.fingerprint)

  test('prefer: believed, with a word', () =>
    assert.deepEqual(find('prefer'), { trusted: true, path, unknown: why, wishes }))
  test('require: not believed', () =>
    assert.deepEqual(find('require'), { trusted: false, verdict: 'untrusted', why, wishes }))
  test('off: believed, and nothing wished for', () => assert.deepEqual(find('off'), { trusted: true, path }))
  test('known to be good: nothing wished for', () => {
    const ocspResponses = [makeOcspResponse({ about: leaf, issuer: root })]
    assert.deepEqual(find('require', { ocspResponses }), { trusted: true, path })
  })
  test('an authority that names no source leaves nothing to be asked', () => {
    const found = judge([], 'prefer')
    assert.ok(found.trusted)
    assert.deepEqual(Object.keys(found), ['trusted', 'path'])
  })
  test('the certificate of an issuer that nobody has', () => {
    const found = find('prefer', { anchors: [] })
    assert.deepEqual(found.wishes, [{ kind: 'issuer', urls: ['http://ca.example/sub.cer'] }])
  })
  test('out of its time: no status helps', () =>
    assert.deepEqual(find('prefer', { atMs: NOW_MS + 200 * DAY_MS }).wishes, undefined))
})

test('each unsigned refusal is told apart', () => {
  const told = [1, 2, 3, 5, 6, 9].map((status) => parseOcspResponse(makeOcspRefusal(status)))
  assert.equal(new Set(told.map((each) => (each.ok ? '' : each.error))).size, 6)
})

test('every shortened response is refused', () => {
  const whole = makeOcspResponse({ ...asked, certificates: [user] })
  for (let length = 0; length < whole.length; length++)
    assert.ok(!parseOcspResponse(whole.subarray(0, length)).ok, `${length}`)
})
