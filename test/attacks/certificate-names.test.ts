/**
 * Names in certificates that say one thing to the authority that issues them and another to the program that reads them:
 * NUL (Marlinspike, Black Hat 2009, CVE-2009-2408), e-mail addresses in the subject beside others in the SAN, names that are
 * strings to be taken apart (CVE-2021-44532), constraints that one kind of name gets round (CVE-2021-44531 and others), and
 * authorities that are none. Everything here is signed by an authority that the reader trusts, or claims to be.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contextTagged, der, oid, sequence, setOf } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG, context } from '../../src/protection/smime/asn1/tlv.ts'
import { EXTENSION, KEY_USAGE } from '../../src/protection/smime/x509/extensions.ts'
import {
  COMMON_NAME,
  basicConstraints,
  dnsName,
  extendedKeyUsage,
  keyUsage,
  mailboxName,
  subjectAltName,
  writeExtension,
  writeName,
} from '../../src/protection/smime/x509/write-certificate.ts'
import { SIGNED_AT_MS, protectedMail, receive } from '../support/protected-mail.ts'
import { ALICE, MALLORY, headerOf } from '../support/tampering.ts'
import {
  type CertificateOrder,
  DAY_MS,
  type Entity,
  certificateDer,
  keyNamed,
  makeAuthority,
  makeCertificate,
} from '../support/x509-maker.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'

const TIMES = { notBeforeMs: SIGNED_AT_MS - DAY_MS, notAfterMs: SIGNED_AT_MS + DAY_MS }
const root = makeAuthority({ name: 'root', ...TIMES })
const EMAIL = '1.2.840.113549.1.9.1'
const email = (text: string): Uint8Array =>
  sequence(setOf([sequence(oid(EMAIL), der(TAG.IA5_STRING, Buffer.from(text, 'latin1')))]))
const rfc822 = (text: string): Uint8Array => der(context(1), Buffer.from(text, 'latin1'))
const utf8Mailbox = (text: string): Uint8Array =>
  contextTagged(0, oid('1.3.6.1.5.5.7.8.9'), contextTagged(0, der(TAG.UTF8_STRING, Buffer.from(text))))
const san = (...names: readonly Uint8Array[]): Uint8Array => subjectAltName(names, false)

type Verdict = { readonly signature: string; readonly signer: string | null }

/** What is said of a mail in Alice's name, signed with this certificate's key. */
function judged(order: Omit<CertificateOrder, 'name'>, chain: readonly Entity[] = [], from = ALICE): Verdict {
  const signer = makeCertificate({ name: 'attacker', issuer: root, ...TIMES, ...order })
  return judgedWith(signer, chain, from)
}

function judgedWith(signer: Entity, chain: readonly Entity[], from = ALICE): Verdict {
  const mail = protectedMail({
    layering: 'sign',
    signer: { ...signer, chain: chain.map(({ certificate }) => certificate) },
    header: headerOf(from, 'bob@biglobe.example', '<1@peer.example>'),
    body: 'x\r\n',
  })
  const { summary } = receive(mail, { keys: [], known: [], anchors: [{ ...root, chain: [] }] }).report
  return { signature: summary.signature, signer: summary.signer }
}

test('an honest certificate of that authority is believed', () => {
  assert.deepEqual(judged({ extensions: [san(mailboxName(ALICE))] }), { signature: 'valid', signer: ALICE })
  assert.equal(judged({ subject: email(ALICE) }).signature, 'valid') // as old ones have it (RFC 8550 §3)
})

describe('names that are not Alice’s', () => {
  const NAMES: readonly [why: string, order: Omit<CertificateOrder, 'name'>][] = [
    ...[
      `${ALICE}\0.evil.example`,
      `${ALICE}\0`,
      `\0${ALICE}`,
      ` ${ALICE}`,
      `${ALICE} `,
      `${ALICE}\r\n`,
      `${ALICE}.`,
      `<${ALICE}>`,
      `Alice <${ALICE}>`,
      `${ALICE},${MALLORY}`,
      `${ALICE}, ${MALLORY}`,
      `email:${ALICE}`,
      `mailto:${ALICE}`,
      `${ALICE}@evil.example`,
      `"${ALICE}"@evil.example`,
      'alice%40peer.example@evil.example',
      '=?utf-8?q?alice?=@peer.example',
      '*@peer.example',
      '@peer.example',
      'peer.example',
      '.peer.example',
      'alice@peer.example@',
      '\xe0lice@peer.example',
      'alice(comment)@peer.example',
    ].map((name): [string, Omit<CertificateOrder, 'name'>] => [
      JSON.stringify(name),
      { extensions: [san(rfc822(name))] },
    ]),
    ['a Cyrillic a', { extensions: [san(utf8Mailbox('\u0430lice@peer.example'))] }],
    ['a wide a', { extensions: [san(utf8Mailbox('\uff41lice@peer.example'))] }],
    ['a wide @', { extensions: [san(utf8Mailbox('alice\uff20peer.example'))] }],
    ['an invisible letter', { extensions: [san(utf8Mailbox('al\u200bice@peer.example'))] }],
    ['a dotless domain', { extensions: [san(utf8Mailbox('alice@peer\u3002evil.example'))] }],
    ['a DNS name', { extensions: [san(dnsName('peer.example'))] }],
    ['a DNS name with an address', { extensions: [san(dnsName(ALICE))] }],
    ['a URI', { extensions: [san(der(context(6), Buffer.from(`mailto:${ALICE}`)))] }],
    [
      'an other name of another kind',
      {
        extensions: [
          san(
            contextTagged(0, oid('1.3.6.1.4.1.311.20.2.3'), contextTagged(0, der(TAG.UTF8_STRING, Buffer.from(ALICE)))),
          ),
        ],
      },
    ],
    ['a directory name', { extensions: [san(contextTagged(4, email(ALICE)))] }],
    ['a common name', { subject: writeName([[COMMON_NAME, ALICE]]) }],
    [
      'an address in the subject beside Mallory’s in the SAN',
      { subject: email(ALICE), extensions: [san(mailboxName(MALLORY))] },
    ],
    ['an address in the subject with NUL', { subject: email(`${ALICE}\0.evil.example`) }],
    ['an empty SAN', { extensions: [san()] }],
  ]
  for (const [why, order] of NAMES) test(`${why}: not valid`, () => assert.notEqual(judged(order).signature, 'valid'))

  test('one of several names is enough, and it is the author’s that is shown', () => {
    const both = judged({ extensions: [san(mailboxName(MALLORY), mailboxName(ALICE))] })
    assert.deepEqual(both, { signature: 'valid', signer: ALICE })
  })

  test('two SANs in one certificate are none', () => {
    const twice = { extensions: [san(mailboxName(MALLORY)), san(mailboxName(ALICE))] }
    const der = certificateDer({ name: 'attacker', issuer: root, ...TIMES, ...twice })
    assert.equal(parseCertificate(der).ok, false)
  })
})

describe('an authority for evil.example only', () => {
  const constraint = (...names: readonly Uint8Array[]): Uint8Array =>
    writeExtension(EXTENSION.nameConstraints, true, sequence(contextTagged(0, ...names.map((name) => sequence(name)))))
  const constrained = makeAuthority({
    name: 'constrained',
    issuer: root,
    extensions: [constraint(rfc822('evil.example'))],
    ...TIMES,
  })
  const below = (order: Omit<CertificateOrder, 'name'>, from = ALICE): Verdict =>
    judged({ issuer: constrained, ...order }, [constrained], from)

  test('may speak for evil.example', () =>
    assert.equal(below({ extensions: [san(mailboxName(MALLORY))] }, MALLORY).signature, 'valid'))

  const NAMES: readonly [why: string, order: Omit<CertificateOrder, 'name'>][] = [
    ['an address', { extensions: [san(mailboxName(ALICE))] }],
    ['an address beside an honest one', { extensions: [san(mailboxName(MALLORY), mailboxName(ALICE))] }],
    ['SmtpUTF8Mailbox (RFC 9598)', { extensions: [san(utf8Mailbox(ALICE))] }],
    ['an address in the subject', { subject: email(ALICE) }],
    [
      'an address in the subject beside an honest SAN',
      { subject: email(ALICE), extensions: [san(mailboxName(MALLORY))] },
    ],
    ['capitals', { extensions: [san(rfc822('ALICE@PEER.EXAMPLE'))] }],
    ['quotes', { extensions: [san(rfc822('"alice"@peer.example'))] }],
    ['two signs', { extensions: [san(rfc822('alice@peer.example@evil.example'))] }],
    ['NUL', { extensions: [san(rfc822('alice@peer.example\0@evil.example'))] }],
  ]
  for (const [why, order] of NAMES)
    test(`not for Alice by ${why}`, () => assert.notEqual(below(order).signature, 'valid'))

  test('and cannot hand on what it has not', () => {
    const lower = makeAuthority({
      name: 'lower',
      issuer: constrained,
      extensions: [constraint(rfc822('peer.example'))],
      ...TIMES,
    })
    const verdict = judged({ issuer: lower, extensions: [san(mailboxName(ALICE))] }, [lower, constrained])
    assert.notEqual(verdict.signature, 'valid')
  })
})

describe('who is no authority', () => {
  const forAlice = { extensions: [san(mailboxName(ALICE))] }
  const ISSUERS: readonly [why: string, chain: () => Entity[]][] = [
    [
      'a user of the authority',
      () => [makeCertificate({ name: 'leaf', issuer: root, ...TIMES, extensions: [san(mailboxName(MALLORY))] })],
    ],
    [
      'one with cA FALSE',
      () => [makeCertificate({ name: 'leaf', issuer: root, ...TIMES, extensions: [basicConstraints(undefined)] })],
    ],
    [
      'one that may not sign certificates',
      () => [makeAuthority({ name: 'ca', issuer: root, ...TIMES, extensions: [keyUsage(KEY_USAGE.digitalSignature)] })],
    ],
    [
      'one below a path length of 0',
      () => {
        const first = makeAuthority({ name: 'first', issuer: root, pathLength: 0, ...TIMES })
        return [makeAuthority({ name: 'second', issuer: first, ...TIMES }), first]
      },
    ],
    [
      'one for servers only',
      () => [
        makeAuthority({ name: 'web', issuer: root, ...TIMES, extensions: [extendedKeyUsage(['1.3.6.1.5.5.7.3.1'])] }),
      ],
    ],
    [
      'one whose time is over',
      () => [
        makeAuthority({
          name: 'old',
          issuer: root,
          notBeforeMs: SIGNED_AT_MS - 9 * DAY_MS,
          notAfterMs: SIGNED_AT_MS - DAY_MS,
        }),
      ],
    ],
    ['a root that is called like ours', () => [makeAuthority({ name: 'root', key: keyNamed('another'), ...TIMES })]],
    [
      'a root that is called like ours and has its key identifier',
      () => {
        const keyId = root.certificate.subjectKeyId ?? Buffer.alloc(20, 1)
        const extension = writeExtension(EXTENSION.subjectKeyId, false, der(TAG.OCTET_STRING, keyId))
        return [makeAuthority({ name: 'root', key: keyNamed('another'), ...TIMES, extensions: [extension] })]
      },
    ],
    ['nobody at all', () => [makeAuthority({ name: 'self', ...TIMES })]],
  ]
  for (const [why, make] of ISSUERS)
    test(`${why}: what it certifies is not valid`, () => {
      const chain = make()
      const [issuer] = chain
      assert(issuer !== undefined)
      assert.notEqual(judged({ ...forAlice, issuer }, chain).signature, 'valid')
    })

  test('an honest one in between is believed, wherever it stands in the mail', () => {
    const middle = makeAuthority({ name: 'middle', issuer: root, ...TIMES })
    const stray = makeAuthority({ name: 'root', key: keyNamed('another'), ...TIMES })
    assert.equal(judged({ ...forAlice, issuer: middle }, [stray, middle]).signature, 'valid')
  })

  test('certificates that are not for mail, or not for signing, do not sign mail', () => {
    const uses = [
      extendedKeyUsage(['1.3.6.1.5.5.7.3.1']),
      extendedKeyUsage(['1.3.6.1.5.5.7.3.3']),
      keyUsage(KEY_USAGE.keyAgreement),
    ]
    for (const use of uses) assert.notEqual(judged({ extensions: [san(mailboxName(ALICE)), use] }).signature, 'valid')
  })

  test('an unknown critical extension is not read over', () => {
    const unknown = writeExtension('1.2.3.4.5', true, der(TAG.NULL))
    assert.notEqual(judged({ extensions: [san(mailboxName(ALICE)), unknown] }).signature, 'valid')
    assert.equal(
      judged({ extensions: [san(mailboxName(ALICE)), writeExtension('1.2.3.4.5', false, der(TAG.NULL))] }).signature,
      'valid',
    )
  })
})
