import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  DAY_MS,
  type Entity,
  NOW_MS,
  keyNamed,
  makeAuthority,
  makeCertificate,
  makeCrl,
} from '../../../../test/support/x509-maker.ts'
import type { TrustFinding } from '../../standard.ts'
import { octetString } from '../asn1/der-writer.ts'
import { EMAIL_PROTECTION, EXTENSION, KEY_USAGE } from './extensions.ts'
import { type PathValidationInput, validatePath } from './path-validation.ts'
import { extendedKeyUsage, keyUsage, mailboxName, subjectAltName, writeExtension } from './write-certificate.ts'

const mail = extendedKeyUsage([EMAIL_PROTECTION])
const web = extendedKeyUsage(['1.3.6.1.5.5.7.3.1'])
const san = subjectAltName([mailboxName('user@abc.example')], false)
const unknown = (critical: boolean): Uint8Array => writeExtension('1.2.3.4', critical, octetString(Uint8Array.of()))

const root = makeAuthority({ name: 'root' })
const sub = makeAuthority({ name: 'sub', issuer: root })
const user = makeCertificate({ name: 'user', issuer: sub, extensions: [mail, san], serial: 7 })

function judge(leaf: Entity, others: readonly Entity[], more: Partial<PathValidationInput> = {}): TrustFinding {
  return validatePath({
    certificate: leaf.certificate,
    untrusted: others.map(({ certificate }) => certificate),
    anchors: [root.certificate],
    atMs: NOW_MS,
    purpose: 'email',
    ...more,
  })
}

const verdictOf = (found: TrustFinding): string => (found.trusted ? 'trusted' : found.verdict)

test('a path is found whatever the order, and given from the certificate to the anchor', () => {
  const found = judge(user, [makeAuthority({ name: 'stranger' }), root, user, sub, sub])
  const path = [user, sub, root].map(({ certificate }) => certificate.fingerprint)
  assert.deepEqual(found, { trusted: true, path })
})

describe('one path, one thing different', () => {
  const leafFrom = (issuer: Entity, extensions: readonly Uint8Array[] = [mail]): Entity =>
    makeCertificate({ name: 'leaf', issuer, extensions })
  const subWith = (extensions: readonly Uint8Array[], pathLength?: number): Entity =>
    makeAuthority({ name: 'sub2', issuer: root, extensions, ...(pathLength === undefined ? {} : { pathLength }) })
  const notAuthority = makeCertificate({ name: 'sub3', issuer: root })
  const forger: Entity = { certificate: sub.certificate, key: keyNamed('forger') }
  const tight = subWith([], 0)
  const below = makeAuthority({ name: 'below', issuer: tight })
  const web2 = subWith([web])
  const certSign = subWith([keyUsage(KEY_USAGE.keyCertSign)])
  const noSign = subWith([keyUsage(KEY_USAGE.cRLSign)])
  const strange = subWith([unknown(true)])
  const odd = subWith([unknown(false)])
  const cases: readonly [leaf: Entity, others: readonly Entity[], verdict: string, why: RegExp | string][] = [
    [user, [], 'untrusted', /does not lead to a trust anchor/],
    [root, [], 'trusted', 'the anchor itself'],
    [leafFrom(root), [], 'trusted', 'issued by the anchor'],
    [makeCertificate({ name: 'self', extensions: [mail] }), [], 'untrusted', /does not lead/],
    [leafFrom(forger), [sub], 'untrusted', /signature does not match/],
    [leafFrom(notAuthority), [notAuthority], 'untrusted', /not an authority/],
    [leafFrom(tight), [tight], 'trusted', 'pathLenConstraint 0, no authority below'],
    [leafFrom(below), [below, tight], 'untrusted', /longer than an authority in it allows/],
    [leafFrom(certSign), [certSign], 'trusted', 'keyCertSign'],
    [leafFrom(noSign), [noSign], 'untrusted', /may not sign certificates/],
    [leafFrom(web2), [web2], 'untrusted', /extended key usage/],
    [leafFrom(sub, [web]), [sub], 'untrusted', /extended key usage/],
    [leafFrom(sub, []), [sub], 'trusted', 'no extKeyUsage'],
    [leafFrom(strange), [strange], 'untrusted', /critical extension 1\.2\.3\.4/],
    [leafFrom(odd), [odd], 'trusted', 'an unknown extension that is not critical'],
    [leafFrom(sub, [unknown(true)]), [sub], 'untrusted', /critical extension/],
    [leafFrom(sub, [keyUsage(KEY_USAGE.keyCertSign)]), [sub], 'untrusted', /belongs to an end entity/],
  ]
  for (const [leaf, others, verdict, why] of cases)
    test(String(why), () => {
      const found = judge(leaf, others)
      assert.equal(verdictOf(found), verdict)
      if (!found.trusted && why instanceof RegExp) assert.match(found.why, why)
    })
})

describe('time', () => {
  const short = (from: number, to: number): Entity =>
    makeCertificate({ name: 'short', issuer: root, notBeforeMs: from, notAfterMs: to, extensions: [mail] })
  const oldSub = makeAuthority({ name: 'old', issuer: root, notAfterMs: NOW_MS - DAY_MS })
  const newSub = makeAuthority({ name: 'old', issuer: root, serial: 2 })
  const under = makeCertificate({ name: 'under', issuer: oldSub, extensions: [mail] })
  const bad = makeCertificate({ name: 'bad', issuer: root, notAfterMs: NOW_MS - DAY_MS, extensions: [web] })
  const cases: readonly [leaf: Entity, others: readonly Entity[], atMs: number, verdict: string, why: string][] = [
    [short(NOW_MS, NOW_MS + DAY_MS), [], NOW_MS, 'trusted', 'notBefore is inclusive'],
    [short(NOW_MS, NOW_MS + DAY_MS), [], NOW_MS - 1, 'expired', 'not valid yet'],
    [short(NOW_MS - DAY_MS, NOW_MS), [], NOW_MS + 999, 'trusted', 'notAfter is inclusive'],
    [short(NOW_MS - DAY_MS, NOW_MS), [], NOW_MS + 1000, 'expired', 'a second later'],
    [under, [oldSub], NOW_MS, 'expired', 'an authority has expired'],
    [under, [oldSub], NOW_MS - 2 * DAY_MS, 'trusted', 'judged at a time when it had not'],
    [under, [oldSub, newSub], NOW_MS, 'trusted', 'a renewed authority beside the expired one'],
    [bad, [], NOW_MS, 'untrusted', 'expired is not said of what would be untrusted anyway'],
  ]
  for (const [leaf, others, atMs, verdict, why] of cases)
    test(why, () => assert.equal(verdictOf(judge(leaf, others, { atMs })), verdict))
})

describe('weak keys', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const weakSub = makeAuthority({ name: 'weak', issuer: root, key: small })
  const leaf = makeCertificate({ name: 'leaf', issuer: weakSub, extensions: [mail] })
  const weakLeaf = makeCertificate({ name: 'leaf', issuer: root, key: small, extensions: [mail] })
  for (const [entity, others, why] of [
    [leaf, [weakSub], 'an authority with RSA-1024'],
    [weakLeaf, [], 'a user with RSA-1024'],
  ] as const)
    test(why, () => {
      // First with the weak one allowed: what was learned then must not count afterwards.
      assert.equal(verdictOf(judge(entity, others, { allowWeak: true })), 'trusted')
      assert.equal(verdictOf(judge(entity, others)), 'untrusted')
    })
})

describe('cross-certificates', () => {
  const otherRoot = makeAuthority({ name: 'other root' })
  const crossUp = makeAuthority({ name: 'other root', issuer: root })
  const crossDown = makeAuthority({ name: 'root', issuer: otherRoot })
  const leaf = makeCertificate({ name: 'leaf', issuer: otherRoot, extensions: [mail] })
  test('a path over another root', () => {
    assert.equal(verdictOf(judge(leaf, [otherRoot, crossUp, crossDown])), 'trusted')
  })
  test('a loop without an anchor ends', () => {
    assert.equal(verdictOf(judge(leaf, [crossUp, crossDown], { anchors: [sub.certificate] })), 'untrusted')
  })
})

test('a swarm of authorities with one name and one key costs little', () => {
  const swarm = Array.from({ length: 200 }, (_, i) => makeAuthority({ name: 'swarm', serial: i + 1 }))
  const keyed = Array.from({ length: 60 }, (_, i) =>
    makeAuthority({ name: 'swarm', key: keyNamed(`${i}`), issuer: { ...(swarm[i] ?? root) }, serial: i + 1 }),
  )
  const leaf = makeCertificate({ name: 'leaf', issuer: swarm[0] ?? root, extensions: [mail] })
  const before = process.cpuUsage()
  assert.equal(verdictOf(judge(leaf, [...swarm, ...keyed])), 'untrusted')
  const { user: spentUs } = process.cpuUsage(before)
  assert.ok(spentUs < 1_000_000, `${spentUs} µs`)
})

describe('revocation lists', () => {
  const revoked = (atMs: number, reason?: number) => [{ serial: 7, atMs, ...(reason === undefined ? {} : { reason }) }]
  const clean = makeCrl(sub, {})
  const rootClean = makeCrl(root, {})
  const critical = writeExtension('1.2.3.4', true, octetString(Uint8Array.of()))
  const indirectEntryless = makeCrl(sub, { extensions: [critical] })
  const delta = makeCrl(sub, {
    extensions: [writeExtension(EXTENSION.deltaCrlIndicator, true, Uint8Array.of(2, 1, 1))],
  })
  const stranger: Entity = { certificate: sub.certificate, key: keyNamed('forger') }
  const { atMs } = { atMs: NOW_MS }
  const cases: readonly [crls: readonly Uint8Array[], verdict: string, why: string][] = [
    [[], 'trusted', 'none at hand'],
    [[clean], 'trusted', 'not on the list'],
    [[makeCrl(sub, { revoked: revoked(atMs - DAY_MS) })], 'revoked', 'on the list'],
    [[makeCrl(sub, { revoked: [{ serial: 8, atMs }] })], 'trusted', 'another serial number on the list'],
    [[makeCrl(root, { revoked: revoked(atMs - DAY_MS) })], 'trusted', 'the same serial number of another issuer'],
    [[makeCrl(sub, { revoked: revoked(atMs + DAY_MS) })], 'trusted', 'revoked only after the time in question'],
    [[makeCrl(sub, { revoked: revoked(atMs + DAY_MS, 1) })], 'revoked', 'revoked later, because the key was stolen'],
    [[makeCrl(stranger, { revoked: revoked(atMs - DAY_MS) })], 'untrusted', 'a forged list tells nothing'],
    [[makeCrl(stranger, {}), clean], 'trusted', 'a forged list beside a good one'],
    [[makeCrl(sub, { nextUpdateMs: atMs - 1000 })], 'untrusted', 'a list that has run out'],
    [[indirectEntryless], 'untrusted', 'a list with a critical extension that is not understood'],
    [[delta], 'untrusted', 'a delta without its base'],
    [[clean.subarray(0, -1)], 'trusted', 'an unreadable list counts as absent'],
    [[makeCrl(root, { revoked: [{ serial: 1, atMs: atMs - DAY_MS }] })], 'revoked', 'the authority is revoked'],
  ]
  for (const [crls, verdict, why] of cases)
    test(why, () => assert.equal(verdictOf(judge(user, [sub], { crls })), verdict))
  test('when a status is required, every issuer must answer', () => {
    assert.equal(verdictOf(judge(user, [sub], { revocation: 'require' })), 'untrusted')
    assert.equal(verdictOf(judge(user, [sub], { revocation: 'require', crls: [clean] })), 'untrusted')
    assert.equal(verdictOf(judge(user, [sub], { revocation: 'require', crls: [clean, rootClean] })), 'trusted')
  })
})
