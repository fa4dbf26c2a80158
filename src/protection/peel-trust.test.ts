/** Whose signature is believed: what the mail itself brings to judge it by, and certificates that name no address. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { makeOcspResponse } from '../../test/support/ocsp-maker.ts'
import { DAY_MS, type Entity, NOW_MS, makeAuthority, makeCertificate, makeCrl } from '../../test/support/x509-maker.ts'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes, utf8 } from '../base/bytes.ts'
import { encodeBase64Lines } from '../message/encode.ts'
import { type PackedRing, packCertificate, packKey, packKnown, runPeel, startWrap } from './jobs.ts'
import { contextTagged, oid, sequence } from './smime/asn1/der-writer.ts'
import { type Node, parseDer } from './smime/asn1/der-reader.ts'
import { mailboxName, subjectAltName } from './smime/x509/write-certificate.ts'
import type { TrustLevel } from './standard.ts'

const root = makeAuthority({ name: 'Root' })
const named = makeCertificate({
  name: 'A',
  issuer: root,
  serial: 7,
  extensions: [subjectAltName([mailboxName('a@example.com')], false)],
})
const nameless = makeCertificate({ name: 'No Address', issuer: root, serial: 8 })
const stranger = makeCertificate({ name: 'No Address, self-signed' })

test('a revocation list that comes with the mail is believed when its authority signed it', () => {
  const revoked = [{ serial: 7, atMs: NOW_MS - 2 * DAY_MS }]
  const cases: readonly [crls: readonly Uint8Array[], verdict: string, why: string][] = [
    [[], 'valid', 'no list'],
    [[makeCrl(root, {})], 'valid', 'a list without it'],
    [[makeCrl(root, { revoked })], 'revoked', 'a list with it'],
    [[makeCrl(makeAuthority({ name: 'Other' }), { revoked })], 'valid', 'a list of another authority'],
    [[Uint8Array.of(0x30, 0x03, 1, 2, 3)], 'valid', 'rubbish'],
  ]
  for (const [crls, verdict, why] of cases)
    assert.equal(peeled(withCrls(signedBy(named), crls), { anchors: [root] }).signature, verdict, why)
})

test('an OCSP response that comes with the mail (RFC 5940) is believed when its authority signed it', () => {
  const asked = { about: named, issuer: root }
  const revoked = { atMs: NOW_MS - DAY_MS }
  const stapled = (response: Uint8Array, format = '1.3.6.1.5.5.7.16.2') => contextTagged(1, oid(format), response)
  const forged = makeOcspResponse({ ...asked, revoked, signer: makeAuthority({ name: 'Other' }) })
  const cases: readonly [information: Uint8Array, verdict: string, why: string][] = [
    [stapled(makeOcspResponse(asked)), 'valid', 'good'],
    [stapled(makeOcspResponse({ ...asked, revoked })), 'revoked', 'revoked'],
    [stapled(forged), 'valid', 'of another authority'],
    [stapled(makeOcspResponse({ ...asked, revoked }), '1.3.6.1.5.5.7.16.4'), 'valid', 'under another name'],
    [stapled(sequence()), 'valid', 'rubbish'],
  ]
  for (const [information, verdict, why] of cases)
    assert.equal(peeled(withCrls(signedBy(named), [information]), { anchors: [root] }).signature, verdict, why)
})

test('a certificate without address speaks for the author only when it is known as the author’s', () => {
  const cases: readonly [signer: Entity, anchored: boolean, trust: TrustLevel | undefined, verdict: string][] = [
    [nameless, true, undefined, 'untrusted'],
    [nameless, false, undefined, 'untrusted'],
    [nameless, true, 'candidate', 'valid'],
    [nameless, false, 'candidate', 'untrusted'],
    [nameless, false, 'confirmed', 'valid'],
    [stranger, true, undefined, 'untrusted'],
    [stranger, true, 'candidate', 'untrusted'],
    [stranger, true, 'confirmed', 'valid'],
  ]
  for (const [signer, anchored, trust, verdict] of cases) {
    const { signature, signer: who } = peeled(signedBy(signer), {
      anchors: anchored ? [root] : [],
      ...(trust === undefined ? {} : { known: [{ ...signer, trust }] }),
    })
    const row = `${signer.certificate.subject} ${anchored ? 'anchored' : 'not anchored'} ${trust ?? 'unknown'}`
    assert.equal(signature, verdict, row)
    assert.equal(who, trust === undefined ? null : 'a@example.com', row)
  }
})

test('a certificate that names another address never speaks for the author, even when it is known', () => {
  const other = makeCertificate({
    name: 'M',
    issuer: root,
    extensions: [subjectAltName([mailboxName('m@example.com')], false)],
  })
  const { signature } = peeled(signedBy(other), { anchors: [root], known: [{ ...other, trust: 'confirmed' }] })
  assert.equal(signature, 'mismatch')
})

interface Given {
  readonly anchors: readonly Entity[]
  readonly known?: readonly (Pick<Entity, 'certificate'> & { readonly trust: TrustLevel })[]
}

function peeled(raw: Uint8Array, { anchors, known = [] }: Given) {
  const ring: PackedRing = {
    decryptionKeys: [],
    known: known.map(packKnown),
    anchors: anchors.map(({ certificate }) => packCertificate(certificate)),
    allowWeak: false,
  }
  const [report] = runPeel({ kind: 'peel', raw, atMs: NOW_MS, rings: [ring] })
  assert.ok(report)
  return report.summary
}

test('a certificate for encryption that comes with a valid signature is kept, when it is the author’s and believed', () => {
  const made = (
    name: string,
    address: string,
    issuer: Entity | undefined,
    type: 'x25519' | 'ed448' = 'x25519',
  ): Entity =>
    makeCertificate({
      name,
      key: type === 'x25519' ? generateKeyPairSync('x25519').privateKey : generateKeyPairSync('ed448').privateKey,
      issuer: issuer ?? makeAuthority({ name: 'Nobody' }),
      extensions: [subjectAltName([mailboxName(address)], false)],
    })
  const own = made('for answers', 'a@example.com', root)
  const cases: readonly [sent: Entity, kept: boolean, why: string][] = [
    [own, true, 'the author’s'],
    [made('other', 'b@example.com', root), false, 'somebody else’s'],
    [made('unknown', 'a@example.com', undefined), false, 'by an authority that nobody knows'],
    [made('signs', 'a@example.com', root, 'ed448'), false, 'one that only signs'],
  ]
  for (const [sent, kept, why] of cases) {
    const [report] = runPeel({ kind: 'peel', raw: signedBy(named, [sent]), atMs: NOW_MS, rings: [ringOf([root])] })
    const prints = report?.signers.map(({ encoded }) => Buffer.from(encoded))
    const expected = kept ? [named, sent] : [named]
    assert.deepEqual(
      prints,
      expected.map(({ certificate }) => Buffer.from(certificate.encoded)),
      why,
    )
  }
  const [untrusted] = runPeel({ kind: 'peel', raw: signedBy(named, [own]), atMs: NOW_MS, rings: [ringOf([])] })
  assert.equal(untrusted?.signers.length, 1, 'nothing is kept with a signature that is not believed')
})

const ringOf = (anchors: readonly Entity[]): PackedRing => ({
  decryptionKeys: [],
  known: [],
  anchors: anchors.map(({ certificate }) => packCertificate(certificate)),
  allowWeak: false,
})

/** A mail of a@example.com, opaque, so that its CMS is all of its body. */
function signedBy({ certificate, key }: Entity, sent: readonly Entity[] = []): Uint8Array {
  const out = new Collector()
  const job = {
    kind: 'wrap',
    header: utf8('From: a@example.com\r\nSubject: x\r\nContent-Type: text/plain\r\n'),
    trace: new Uint8Array(0),
    signingTimeMs: NOW_MS,
    copies: [
      {
        kind: 'wrapped',
        layering: 'sign',
        standard: 'smime' as const,
        signers: [packKey({ certificate, key, chain: sent.map((each) => each.certificate) })],
        recipients: [],
        signing: { form: 'opaque' },
        encryption: {},
        headerProtection: false,
      },
    ],
  } as const
  const body = startWrap(job, [out])
  body.write(utf8('text\r\n'))
  body.end()
  return concatBytes(out.take())
}

/** Puts the lists into the `crls` field of SignedData, which no signature covers (RFC 5652 §5.1). */
function withCrls(mail: Uint8Array, crls: readonly Uint8Array[]): Uint8Array {
  const text = Buffer.from(mail).toString('latin1')
  const bodyAt = text.indexOf('\r\n\r\n') + 4
  const parsed = parseDer(Buffer.from(text.slice(bodyAt), 'base64'))
  assert.ok(parsed.ok)
  const fields = parsed.value.children[1]?.children[0]?.children.map((node: Node) => node.raw) ?? []
  const signerInfos = fields.pop()
  assert.ok(signerInfos)
  const signedData = sequence(...fields, contextTagged(1, concatBytes([...crls])), signerInfos)
  const contentInfo = sequence(oid('1.2.840.113549.1.7.2'), contextTagged(0, signedData))
  return concatBytes([mail.subarray(0, bodyAt), encodeBase64Lines(contentInfo)])
}
