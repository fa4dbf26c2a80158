import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type CrlOrder,
  DAY_MS,
  type Entity,
  NOW_MS,
  makeAuthority,
  makeCertificate,
  makeCrl,
} from '../../../../test/support/x509-maker.ts'
import { contextTagged, der, integer, octetString, sequence } from '../asn1/der-writer.ts'
import { context } from '../asn1/tlv.ts'
import { parseCrl } from './crl.ts'
import { EXTENSION, KEY_USAGE } from './extensions.ts'
import { searchPath } from './path-search.ts'
import { COMMON_NAME, keyUsage, writeExtension, writeName } from './write-certificate.ts'

const root = makeAuthority({ name: 'root' })
const yesterday = NOW_MS - DAY_MS

function verdict(leaf: Entity, crls: readonly Uint8Array[], others: readonly Entity[] = []): string {
  const found = searchPath({
    certificate: leaf.certificate,
    untrusted: others.map(({ certificate }) => certificate),
    anchors: [root.certificate],
    atMs: NOW_MS,
    crls: crls.flatMap((encoded) => {
      const crl = parseCrl(encoded)
      return crl.ok ? [crl.value] : []
    }),
    revocation: 'require',
  })
  return found.trusted ? 'trusted' : found.verdict
}

const uri = (text: string): Uint8Array => der(context(6), Buffer.from(text))
const fullName = (...names: readonly Uint8Array[]): Uint8Array => contextTagged(0, contextTagged(0, ...names))
const scope = (...fields: readonly Uint8Array[]): Uint8Array =>
  writeExtension(EXTENSION.issuingDistributionPoint, true, sequence(...fields))
const flag = (number: number): Uint8Array => der(context(number), Uint8Array.of(0xff))
const points = (...fields: readonly Uint8Array[]): Uint8Array =>
  writeExtension(EXTENSION.crlDistributionPoints, false, sequence(...fields.map((field) => sequence(field))))
const deltaOf = (base: number): Uint8Array => writeExtension(EXTENSION.deltaCrlIndicator, true, integer(base))

const leaf = makeCertificate({ name: 'leaf', issuer: root, serial: 7 })
const listed: CrlOrder = { revoked: [{ serial: 7, atMs: yesterday }] }
const held: CrlOrder = { revoked: [{ serial: 7, atMs: yesterday, reason: 6 }] }
const released: CrlOrder = { revoked: [{ serial: 7, atMs: yesterday, reason: 8 }] }

describe('which lists are about a certificate (RFC 5280 §6.3.3)', () => {
  const pointed = makeCertificate({
    name: 'p',
    issuer: root,
    serial: 7,
    extensions: [points(fullName(uri('http://x/1')))],
  })
  const someReasons = (bits: number): Uint8Array => der(context(3), Uint8Array.of(1, bits))
  const cases: readonly [leaf: Entity, crls: readonly Uint8Array[], verdict: string, why: string][] = [
    [leaf, [makeCrl(root, { extensions: [scope(flag(1))] })], 'trusted', 'users only, and it is one'],
    [leaf, [makeCrl(root, { extensions: [scope(flag(2))] })], 'untrusted', 'authorities only, and it is none'],
    [leaf, [makeCrl(root, { extensions: [scope(flag(5))] })], 'untrusted', 'attribute certificates only'],
    [
      pointed,
      [makeCrl(root, { extensions: [scope(fullName(uri('http://x/1')))] })],
      'trusted',
      'its distribution point',
    ],
    [
      pointed,
      [makeCrl(root, { extensions: [scope(fullName(uri('http://x/2')))] })],
      'untrusted',
      'another distribution point',
    ],
    [pointed, [makeCrl(root, {})], 'trusted', "a list of the issuer's for everything"],
    [leaf, [makeCrl(root, { extensions: [scope(someReasons(0x7e))] })], 'untrusted', 'a list for some reasons only'],
    [
      leaf,
      [
        makeCrl(root, { extensions: [scope(someReasons(0x60))] }),
        makeCrl(root, { extensions: [scope(der(context(3), Uint8Array.of(7, 0x1f, 0x80)))] }),
      ],
      'trusted',
      'two lists that have all reasons together',
    ],
    [
      leaf,
      [
        makeCrl(root, { extensions: [scope(someReasons(0x60))] }),
        makeCrl(root, { ...listed, extensions: [scope(der(context(3), Uint8Array.of(7, 0x1f, 0x80)))] }),
      ],
      'revoked',
      'the second of them has it',
    ],
  ]
  for (const [certificate, crls, expected, why] of cases)
    test(why, () => assert.equal(verdict(certificate, crls), expected))
})

describe('delta lists (RFC 5280 §5.2.4)', () => {
  const base = makeCrl(root, {})
  const cases: readonly [crls: readonly Uint8Array[], verdict: string, why: string][] = [
    [[base, makeCrl(root, { ...listed, extensions: [deltaOf(1)] })], 'revoked', 'revoked since'],
    [[makeCrl(root, held), makeCrl(root, { ...released, extensions: [deltaOf(1)] })], 'trusted', 'released since'],
    [[makeCrl(root, held), makeCrl(root, { extensions: [deltaOf(1)] })], 'revoked', 'unchanged since'],
    [[makeCrl(root, { ...listed, extensions: [deltaOf(1)] })], 'untrusted', 'no base'],
    [[base, makeCrl(root, { ...listed, extensions: [deltaOf(2)] })], 'trusted', 'made for a later base'],
    [
      [base, makeCrl(root, { ...listed, nextUpdateMs: yesterday, extensions: [deltaOf(1)] })],
      'trusted',
      'one that has run out',
    ],
  ]
  for (const [crls, expected, why] of cases) test(why, () => assert.equal(verdict(leaf, crls), expected))
})

describe('lists without a number', () => {
  const cases: readonly [order: CrlOrder, verdict: string, why: string][] = [
    [{ form: 'unnumbered' }, 'untrusted', 'of version 2 (RFC 5280 §5.2.3): vouches for nobody'],
    [{ form: 'unnumbered', ...listed }, 'revoked', 'of version 2: revokes all the same'],
    [{ form: 'version 1' }, 'trusted', 'of version 1, which knows no number'],
    [{ form: 'version 1', ...listed }, 'revoked', 'of version 1'],
  ]
  for (const [order, expected, why] of cases)
    test(why, () => assert.equal(verdict(leaf, [makeCrl(root, order)]), expected))
})

describe('lists of another issuer', () => {
  const issuerName = writeName([[COMMON_NAME, 'lists']])
  const lists = makeCertificate({ name: 'lists', issuer: root, serial: 2, extensions: [keyUsage(KEY_USAGE.cRLSign)] })
  const outside = makeCertificate({ name: 'lists', extensions: [keyUsage(KEY_USAGE.cRLSign)] })
  const noCrlSign = makeCertificate({
    name: 'lists',
    issuer: root,
    serial: 2,
    extensions: [keyUsage(KEY_USAGE.digitalSignature)],
  })
  const named = makeCertificate({
    name: 'named',
    issuer: root,
    serial: 7,
    extensions: [points(contextTagged(2, contextTagged(4, issuerName)))],
  })
  const rootCrl = makeCrl(root, {})
  const indirect = scope(flag(4))
  const cases: readonly [leaf: Entity, signer: Entity, crls: readonly Uint8Array[], verdict: string, why: string][] = [
    [
      named,
      lists,
      [makeCrl(lists, { extensions: [indirect] }), rootCrl],
      'trusted',
      'indirect, and the certificate names it',
    ],
    [named, lists, [makeCrl(lists, {})], 'untrusted', 'not marked as indirect'],
    [leaf, lists, [makeCrl(lists, { extensions: [indirect] })], 'untrusted', 'not named by the certificate'],
    [named, outside, [makeCrl(outside, { extensions: [indirect] })], 'untrusted', 'without a path to the anchor'],
    [named, noCrlSign, [makeCrl(noCrlSign, { extensions: [indirect] })], 'untrusted', 'whose key may not sign lists'],
  ]
  for (const [certificate, signer, crls, expected, why] of cases)
    test(why, () => assert.equal(verdict(certificate, crls, [signer]), expected))
})

describe('lists that are refused', () => {
  const good = makeCrl(root, listed)
  const cases: readonly [bytes: Uint8Array, why: string][] = [
    [new Uint8Array(), 'nothing'],
    [Buffer.concat([good, Uint8Array.of(0)]), 'a byte too many'],
    [root.certificate.encoded, 'a certificate'],
    [makeCrl(root, { extensions: [scope(), scope()] }), 'an extension twice'],
    [
      makeCrl(root, { extensions: [scope(octetString(Uint8Array.of(1)), contextTagged(0, sequence()))] }),
      'a broken distribution point',
    ],
    [makeCrl(root, { extensions: [deltaOf(1).subarray(0, -1)] }), 'a broken number'],
  ]
  for (const [bytes, why] of cases) test(why, () => assert.ok(!parseCrl(bytes).ok))
  test('every shortened list', () => {
    for (let end = 0; end < good.length; end++) assert.ok(!parseCrl(good.slice(0, end)).ok)
  })
  test('a list of 50,000 entries is read and searched', () => {
    const revoked = Array.from({ length: 50_000 }, (_, i) => ({ serial: i + 10, atMs: yesterday }))
    const before = process.cpuUsage()
    assert.equal(verdict(leaf, [makeCrl(root, { revoked })]), 'trusted')
    assert.equal(verdict(leaf, [makeCrl(root, { revoked: [...revoked, { serial: 7, atMs: yesterday }] })]), 'revoked')
    assert.ok(process.cpuUsage(before).user < 5_000_000)
  })
})
