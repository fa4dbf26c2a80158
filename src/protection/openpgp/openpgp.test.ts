/** OpenPGP through its door: what `wrap` makes `peel` opens, in memory and piece by piece, and says what it is worth. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SIGNED_AT_MS, protectedMail, receive, withByte } from '../../../test/support/protected-mail.ts'
import { type OpenpgpIdentity, openpgpIdentity, partsOf } from '../../../test/support/openpgp-identity.ts'
import { Collector } from '../../base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../../base/bytes.ts'
import type { KnownCertificate, OwnKey } from '../standard.ts'
import type { Layering } from '../wrap.ts'
import { cipherByName } from './algorithms/ciphers.ts'
import { armorSink } from './armor.ts'
import type { CertificateProfile } from './certificate/make.ts'
import { encryptingSink } from './encryption/encrypt.ts'
import { literalMessageSink } from './message/write-message.ts'
import { openpgp } from './openpgp.ts'

const HEADER = 'From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Hello\r\nContent-Type: text/plain\r\n'
const BODY = 'From here on, \r\n-- \r\nthe words\r\n'

const alice = openpgpIdentity('alice@example.com')
const bob = openpgpIdentity('bob@example.com')
const mallory = openpgpIdentity('mallory@example.com')
const believed = (own: OwnKey): KnownCertificate => ({ certificate: own.certificate, trust: 'confirmed' })
const mail = (layering: Layering, signer: OwnKey = alice, recipient: OwnKey = bob): Buffer =>
  protectedMail({
    layering,
    signer,
    recipients: layering === 'sign' ? [] : [recipient],
    header: HEADER,
    body: BODY,
    encryption: {},
  })
const toBob = { keys: [bob], known: [believed(alice)] }
const layersOf = ({ report }: ReturnType<typeof receive>): string[] =>
  report.layers.map(({ kind, verdict, algorithm, form }) => `${kind} ${verdict} ${form} ${algorithm ?? ''}`.trim())

const SIGNED = 'signed valid pgp-mime ed25519-sha256'
const ENCRYPTED = 'encrypted decrypted pgp-mime aes-256-cfb'
const layerings: readonly [layering: Layering, layers: readonly string[]][] = [
  ['sign', [SIGNED]],
  ['sign-encrypt', [ENCRYPTED, SIGNED]],
  ['encrypt-sign', [SIGNED, ENCRYPTED]],
  ['triple', [SIGNED, ENCRYPTED, SIGNED]],
]
for (const [layering, layers] of layerings)
  test(`${layering} is opened and believed`, () => {
    const received = receive(mail(layering), toBob)
    assert.deepEqual(layersOf(received), layers)
    assert.equal(received.outcome, 'valid')
    assert.equal(received.report.summary.signer, 'alice@example.com')
    assert.ok(latin1(received.report.message ?? new Uint8Array()).endsWith(`\r\n\r\n${BODY}`))
  })

describe('keys of every profile write and read', () => {
  for (const profile of ['v4', 'v6', 'v6-pq'] satisfies CertificateProfile[])
    for (const cipher of ['aes-256-cfb', 'aes-128-ocb', 'aes-256-ocb'] as const)
      test(`${profile}, ${cipher}`, () => {
        const [from, to] = [openpgpIdentity('alice@example.com', profile), openpgpIdentity('bob@example.com', profile)]
        const order = { header: HEADER, body: BODY.repeat(10_000), signer: from, recipients: [to] }
        const raw = protectedMail({ ...order, layering: 'sign-encrypt', encryption: { cipher } })
        const received = receive(raw, { keys: [to], known: [believed(from)] })
        assert.equal(received.outcome, 'valid')
        assert.equal(received.report.layers[0]?.algorithm, cipher)
        assert.equal(openpgp.abilitiesOf(to.certificate)?.ciphers.includes(cipher), true)
      })
})

test('in RFC 9580’s own containers no checksum is written; where GnuPG 2.2 needs one it is', () => {
  const order = { header: HEADER, body: BODY, signer: alice, recipients: [bob], layering: 'sign-encrypt' } as const
  assert.match(mail('sign-encrypt').toString('latin1'), /\r\n=[A-Za-z0-9+/]{4}\r\n-----END PGP MESSAGE/)
  const modern = protectedMail({ ...order, encryption: { cipher: 'aes-256-ocb' } })
  assert.doesNotMatch(modern.toString('latin1'), /\r\n=[A-Za-z0-9+/]{4}\r\n-----END PGP MESSAGE/)
})

describe('what is not believed', () => {
  const known = [believed(alice)]
  const cases: readonly [raw: Buffer, reader: Parameters<typeof receive>[1], verdict: string, why: string][] = [
    [mail('sign'), { keys: [], known: [] }, 'unknown-key', 'the certificate is neither known nor sent'],
    [mail('sign'), { keys: [], known: [{ ...believed(alice), trust: 'candidate' }] }, 'untrusted', 'a candidate'],
    [mail('sign', mallory), { keys: [], known: [believed(mallory)] }, 'mismatch', 'somebody else’s signature'],
    [mail('sign-encrypt', mallory), { keys: [bob], known: [believed(mallory)] }, 'mismatch', 'the same, encrypted'],
    [mail('sign-encrypt'), { keys: [], known }, 'none', 'no key opens it'],
    [
      mail('sign'),
      { keys: [], known: [{ ...believed(alice), revokedMs: SIGNED_AT_MS }] },
      'revoked',
      'an administrator has revoked it',
    ],
  ]
  for (const [raw, reader, verdict, why] of cases)
    test(`${why}: ${verdict}`, () => {
      const { report, outcome } = receive(raw, reader)
      assert.equal(report.summary.signature, verdict)
      assert.notEqual(outcome, 'valid')
    })
})

test('one changed octet anywhere in the armor is found, or changes nothing', () => {
  const raw = mail('sign-encrypt')
  const [start, end] = [raw.indexOf('\r\n\r\n', raw.indexOf('BEGIN PGP')) + 4, raw.indexOf('-----END PGP')]
  const outcomes = new Map<string, number>()
  for (let at = start; at < end; at += 7) {
    if (/[\r\n=]/.test(String.fromCharCode(raw[at] ?? 0))) continue
    const { report, outcome } = receive(
      withByte(raw, at, (octet) => (octet === 0x41 ? 0x42 : 0x41)),
      toBob,
    )
    const isNothing = raw[at] === 0x41
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    assert.ok(outcome !== 'valid' || isNothing || isChecksum(raw, at), `octet ${at}: ${report.summary.reason}`)
    if (outcome !== 'valid' && !report.sealed) assert.equal(report.message, undefined)
  }
  assert.ok((outcomes.get('refused 5.7.7') ?? 0) > 50, JSON.stringify([...outcomes]))
})

/** The line of the checksum, and the bits of the last group that are no data. */
const isChecksum = (raw: Buffer, at: number): boolean => raw.indexOf('-----END PGP') - at < 12

test('what was signed for one and encrypted anew for another does not count for the other', () => {
  const carol = openpgpIdentity('carol@example.com')
  const { signing } = partsOf(alice, SIGNED_AT_MS)
  const recipient = partsOf(carol, SIGNED_AT_MS).encryption
  const passedOn = (intendedFor: OpenpgpIdentity[]): string => {
    const out = new Collector()
    const armored = armorSink('PGP MESSAGE', out)
    const encrypting = encryptingSink({ recipients: [recipient], cipher: cipherByName('aes-256') }, armored)
    const certificates = intendedFor.map(({ certificate }) => certificate)
    const message = literalMessageSink({ keys: [signing], atMs: SIGNED_AT_MS, intendedFor: certificates }, encrypting)
    message.write(utf8(`Content-Type: text/plain\r\n\r\n${BODY}`))
    message.end()
    const entity = multipartOf('encrypted; protocol="application/pgp-encrypted"', [
      'Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n',
      `Content-Type: application/octet-stream\r\n\r\n${latin1(concatBytes(out.take()))}`,
    ])
    return receive(Buffer.from(`From: alice@example.com\r\n${entity}`), { keys: [carol], known: [believed(alice)] })
      .outcome
  }
  assert.equal(passedOn([bob]), 'refused 5.7.7')
  assert.equal(passedOn([bob, carol]), 'valid')
  assert.equal(passedOn([]), 'valid')
})

const multipartOf = (type: string, parts: readonly string[]): string =>
  `Content-Type: multipart/${type}; boundary=b\r\n\r\n${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`
