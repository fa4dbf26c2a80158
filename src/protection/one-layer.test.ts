/** A standard that signs and encrypts in one layer: what `wrap` makes of each order, and what `peel` says of such a layer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_AT_MS } from '../../test/support/protected-mail.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../base/bytes.ts'
import { makeField, writeFields } from '../message/header-field.ts'
import { parsePart } from '../message/parse.ts'
import { BROUGHT_MAX } from './brought.ts'
import { learnFrom } from './learn.ts'
import { peel } from './peel.ts'
import { smime } from './smime/smime.ts'
import type { KnownCertificate, Opened, ProtectionStandard } from './standard.ts'
import { type Layering, wrap } from './wrap.ts'

const alice = smimeIdentity('p256', 'alice@example.com')
const mallory = smimeIdentity('p256', 'mallory@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')
const believed: KnownCertificate = { certificate: alice.certificate, trust: 'confirmed' }

/** S/MIME, whose encrypted layers are signed inside as one. */
const oneLayer: ProtectionStandard = {
  ...smime,
  signAndEncrypt({ keys, choice, timeMs }, recipients, encryption, out) {
    const { fields, sink } = smime.encrypt(recipients, encryption, timeMs, out)
    const signed = smime.sign(keys, choice, timeMs, sink)
    sink.write(concatBytes([writeFields(signed.fields), utf8('\r\n')]))
    return { fields, sink: signed.sink }
  },
  open(part, ring): Opened {
    const opened = smime.open(part, ring)
    if (opened.kind !== 'decrypted' || smime.recognise(opened.inner) !== 'signed') return opened
    const inside = smime.open(opened.inner, ring)
    assert.equal(inside.kind, 'signed')
    return inside.kind === 'signed' ? { ...opened, inner: inside.inner, signers: inside.signers } : inside
  },
}

function mail(standard: ProtectionStandard, layering: Layering, signer = alice): Buffer {
  const out = new Collector()
  const plan = {
    layering,
    signers: [signer],
    recipients: [bob.certificate],
    signing: {},
    encryption: {},
    headerProtection: true,
    signingTimeMs: SIGNED_AT_MS,
  }
  const fields = [makeField('From', 'alice@example.com'), makeField('Subject', 'One layer')]
  const body = wrap(standard, fields, [], plan, out)
  body.write(utf8('the words\r\n'))
  body.end()
  return Buffer.from(concatBytes(out.take()))
}

const peeled = (standard: ProtectionStandard, raw: Buffer, known = [believed]) =>
  peel([standard], parsePart(raw), { decryptionKeys: [bob], known, anchors: [] }, SIGNED_AT_MS)

const layerings: readonly [layering: Layering, layers: readonly string[], why: string][] = [
  ['sign', ['signed'], 'only signed'],
  ['sign-encrypt', ['encrypted', 'signed'], 'one layer, reported as the two that it is'],
  ['encrypt-sign', ['signed', 'encrypted'], 'the patent’s order has two'],
  ['triple', ['signed', 'encrypted', 'signed'], 'signed outside of the one'],
]
for (const [layering, kinds, why] of layerings)
  test(`${layering}: ${why}`, () => {
    const { layers, summary, message } = peeled(oneLayer, mail(oneLayer, layering))
    const protections = layers.map(({ kind }) => kind)
    assert.deepEqual(protections, kinds)
    assert.equal(summary.signature, 'valid')
    assert.equal(summary.signer, 'alice@example.com')
    assert.match(latin1(concatBytes(message ?? [])), /the words/)
  })

test('sign-encrypt is one layer on the wire, and its signature is no outer one', () => {
  const raw = mail(oneLayer, 'sign-encrypt')
  const { layers, summary } = peeled(oneLayer, raw)
  assert.deepEqual(
    layers.map(({ form }) => form),
    ['enveloped-data', 'enveloped-data'],
  )
  assert.equal(learnFrom(summary, layers, true)?.outerSignature, false)
})

test('a signature inside the layer is judged like any other: nothing is shown when it is somebody else’s', () => {
  const { summary, message, signers } = peeled(oneLayer, mail(oneLayer, 'sign-encrypt', mallory))
  assert.equal(summary.signature, 'mismatch')
  assert.equal(message, undefined)
  assert.deepEqual(
    signers.map(({ certificate }) => certificate.subject),
    [mallory.certificate.subject],
  )
})

test('one by a key that nobody knows is shown, and said to be', () => {
  const { summary, message } = peeled(oneLayer, mail(oneLayer, 'sign-encrypt'), [])
  assert.equal(summary.signature, 'untrusted')
  assert.ok(message)
})

test('a layer amid something that it does not protect says nothing of the mail, and nothing below it is opened', () => {
  const amid: ProtectionStandard = {
    ...oneLayer,
    open(part, ring) {
      const opened = oneLayer.open(part, ring)
      return opened.kind === 'decrypted' || opened.kind === 'signed' ? { ...opened, partial: true } : opened
    },
  }
  const valid = peeled(amid, mail(amid, 'sign-encrypt'))
  assert.equal(valid.summary.signature, 'none')
  assert.equal(valid.summary.encrypted, false)
  assert.equal(valid.summary.reason, 'only a part of it was protected')
  assert.deepEqual(valid.summary.notes, [
    'A part of it came encrypted; nothing else did.',
    'A part of it has a valid signature by alice@example.com, which covers nothing else.',
  ])
  assert.deepEqual(valid.signers, [])
  assert.match(latin1(concatBytes(valid.message ?? [])), /the words/)

  const somebodyElses = peeled(amid, mail(amid, 'triple', mallory))
  assert.deepEqual(
    somebodyElses.layers.map(({ kind, verdict }) => `${kind} ${verdict}`),
    ['signed mismatch'],
  )
  assert.equal(somebodyElses.summary.signature, 'none')
  assert.ok(somebodyElses.message)
})

test('keys in the author’s name that come with a mail are gathered, wherever they are; those of others are not', () => {
  const people = [alice, mallory, bob].map(({ certificate }) => certificate)
  const carrying: ProtectionStandard = {
    ...smime,
    certificatesIn: (part) => {
      const named = /^X-Key: (\w+)/m.exec(latin1(part.raw.subarray(0, part.bodyOffset)))?.[1]
      return people
        .filter(({ addresses }) => named !== undefined && addresses[0]?.startsWith(named) === true)
        .map((certificate) => ({ certificate }))
    },
  }
  const part = (key: string): string => `--b\r\nX-Key: ${key}\r\n\r\nx\r\n`
  const gathered = (header: string, parts: string): readonly string[] => {
    const raw = `${header}From: alice@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`
    return peeled(carrying, Buffer.from(raw)).brought.map(({ certificate }) => certificate.subject)
  }
  const { subject } = alice.certificate
  assert.deepEqual(gathered('', part('nobody')), [])
  assert.deepEqual(gathered('X-Key: alice\r\n', part('nobody')), [subject])
  assert.deepEqual(gathered('X-Key: mallory\r\n', part('bob') + part('alice')), [subject])
  assert.equal(gathered('X-Key: alice\r\n', part('alice').repeat(9)).length, BROUGHT_MAX, 'not without end')
})
