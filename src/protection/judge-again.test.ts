import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeOcspResponse } from '../../test/support/ocsp-maker.ts'
import { DAY_MS, type Entity, NOW_MS, makeAuthority, makeCertificate, makeCrl } from '../../test/support/x509-maker.ts'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes, utf8 } from '../base/bytes.ts'
import {
  type JudgeReport,
  type PackedRing,
  type PeelReport,
  packCertificate,
  packKey,
  runJudge,
  runPeel,
  startWrap,
} from './jobs.ts'
import { der, oid, sequence } from './smime/asn1/der-writer.ts'
import { context } from './smime/asn1/tlv.ts'
import { EXTENSION } from './smime/x509/extensions.ts'
import { mailboxName, subjectAltName, writeExtension } from './smime/x509/write-certificate.ts'
import type { ValidationData } from './standard.ts'

const access = (method: string, url: string): Uint8Array => sequence(oid(method), der(context(6), utf8(url)))
const info = (...methods: readonly Uint8Array[]): Uint8Array =>
  writeExtension(EXTENSION.authorityInfoAccess, false, sequence(...methods))
const asksOcsp = info(access('1.3.6.1.5.5.7.48.1', 'http://ocsp.example/'))

const root = makeAuthority({ name: 'Root' })
const sub = makeAuthority({ name: 'Sub', issuer: root, serial: 5 })
const address = subjectAltName([mailboxName('a@example.com')], false)
const signer = makeCertificate({ name: 'A', issuer: root, serial: 7, extensions: [address, asksOcsp] })
const below = makeCertificate({
  name: 'A',
  issuer: sub,
  serial: 8,
  extensions: [address, info(access('1.3.6.1.5.5.7.48.2', 'http://ca.example/sub.cer'))],
})
const asked = { about: signer, issuer: root }
const revoked = { atMs: NOW_MS - DAY_MS }
const NOTHING: ValidationData = { crls: [], ocspResponses: [], certificates: [] }

function ringOf(more: Partial<PackedRing> = {}): PackedRing {
  return { decryptionKeys: [], known: [], anchors: [packCertificate(root.certificate)], allowWeak: false, ...more }
}

function peeled(by: Entity, ring: PackedRing): PeelReport {
  const out = new Collector()
  const how = { kind: 'wrapped', standard: 'smime', layering: 'sign', signing: {}, encryption: {} } as const
  const copy = { ...how, signers: [packKey({ ...by, chain: [] })], recipients: [] }
  const body = startWrap(
    {
      kind: 'wrap',
      header: utf8('From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n'),
      trace: new Uint8Array(),
      signingTimeMs: NOW_MS,
      copies: [{ ...copy, headerProtection: true }],
    },
    [out],
  )
  body.write(utf8('text\r\n'))
  body.end()
  const [report] = runPeel({ kind: 'peel', raw: concatBytes(out.take()), atMs: NOW_MS, rings: [ring] })
  assert.ok(report)
  return report
}

function judged(report: PeelReport, ring: PackedRing, fetched: Partial<ValidationData>): JudgeReport {
  const { layers, pending } = report
  assert.ok(pending)
  const mail = { ring: { ...ring, fetched: { ...NOTHING, ...fetched } }, layers, pending }
  // as the pool hands it over
  const [again] = runJudge(structuredClone({ kind: 'judge', atMs: NOW_MS, mails: [mail] }))
  assert.ok(again)
  return again
}

test('a status that was fetched is as good as one that came along', () => {
  const cases: readonly [
    rule: PackedRing['revocation'],
    first: string,
    fetched: Partial<ValidationData>,
    then: string,
  ][] = [
    ['prefer', 'valid', { ocspResponses: [makeOcspResponse(asked)] }, 'valid'],
    ['prefer', 'valid', { ocspResponses: [makeOcspResponse({ ...asked, revoked })] }, 'revoked'],
    [
      'prefer',
      'valid',
      { crls: [{ id: '1', encoded: makeCrl(root, { revoked: [{ serial: 7, ...revoked }] }) }] },
      'revoked',
    ],
    ['prefer', 'valid', {}, 'valid'],
    ['require', 'untrusted', { ocspResponses: [makeOcspResponse(asked)] }, 'valid'],
    ['require', 'untrusted', { crls: [{ id: '2', encoded: makeCrl(root, {}) }] }, 'valid'],
    ['require', 'untrusted', {}, 'untrusted'],
  ]
  for (const [rule = 'prefer', first, fetched, then] of cases) {
    const ring = ringOf({ revocation: rule })
    const report = peeled(signer, ring)
    const again = judged(report, ring, fetched)
    const row = `${rule} ${Object.keys(fetched).join()} ${then}`
    assert.equal(report.summary.signature, first, row)
    assert.equal(again.summary.signature, then, row)
    assert.equal(again.failed, then === 'revoked', row)
    assert.deepEqual(
      again.verdicts.map(({ verdict }) => verdict),
      [then],
      row,
    )
    const isOpen = Object.keys(fetched).length === 0
    assert.equal(again.pending?.layers.length ?? 0, isOpen ? 1 : 0, row)
    if (rule === 'prefer') assert.equal(again.summary.reason !== null, isOpen || then === 'revoked', row)
  }
})

test('where nothing is to be fetched, nothing is pending', () => {
  assert.deepEqual(peeled(signer, ringOf({ revocation: 'off' })).pending, undefined)
  assert.deepEqual(
    peeled(makeCertificate({ name: 'A', issuer: root, extensions: [address] }), ringOf()).pending,
    undefined,
  )
})

test('the missing certificate of an issuer can be fetched', () => {
  const report = peeled(below, ringOf())
  assert.equal(report.summary.signature, 'untrusted')
  assert.equal(judged(report, ringOf(), { certificates: [sub.certificate.encoded] }).summary.signature, 'valid')
  assert.equal(judged(report, ringOf(), { certificates: [signer.certificate.encoded] }).summary.signature, 'untrusted')
})
