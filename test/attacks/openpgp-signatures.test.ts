/**
 * Signature confusion in OpenPGP (Müller et al., "Johnny, you are fired!", USENIX Security 2019; CVE-2018-12020 and its kin;
 * several literals in one message, GnuPG 2006): a message that holds a good signature somewhere, over something, by somebody, is not
 * a message whose author signed it. A fooled program shows a content that the signature does not cover, or believes a key that is
 * not the author's, or one that was no good when it signed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { PACKET, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { SIGNATURE_TYPE } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { SUBPACKET } from '../../src/protection/openpgp/signatures/subpackets.ts'
import { SECRET } from '../support/openpgp-attack.ts'
import type { KnownCertificate } from '../../src/protection/standard.ts'
import {
  ALICE,
  NOW_MS,
  type Outcome,
  alice,
  armored,
  bob,
  encryptedEntity,
  encryptedToBob,
  literal,
  mailFrom,
  mallory,
  onePass,
  receivedByBob,
  signatureOver,
  signedEntity,
  signedMessage,
  textEntity,
} from '../support/openpgp-mails.ts'
import {
  CERTIFY_AND_SIGN,
  MADE_MS,
  SIGN_ONLY,
  binding,
  certificateOf,
  certifying,
  endsAfter,
  flags,
  reason,
  revoking,
  subkeyOf,
  subpacket,
} from '../support/openpgp-maker.ts'

const DAY_MS = 24 * 60 * 60_000
const ENTITY = textEntity(SECRET)
const FORGED = textEntity('Pay 9999 yen')
const content = utf8(ENTITY)
const by = alice.signing

const encrypted = (...packets: readonly Uint8Array[]): Buffer =>
  mailFrom(ALICE, encryptedEntity(encryptedToBob(concatBytes(packets))))
const detached = (entity: string, ...signatures: readonly Uint8Array[]): Buffer =>
  mailFrom(ALICE, signedEntity(entity, concatBytes(signatures)))

type Fate = Outcome['outcome']

function check(mail: Buffer, fate: Fate, known?: readonly KnownCertificate[]): Outcome {
  const received = receivedByBob(mail, known)
  assert.equal(received.outcome, fate, `${received.signature}: ${received.why}`)
  if (fate === 'valid') assert.ok(received.shown.includes(SECRET) && !received.shown.includes('9999'))
  return received
}

test('what is attacked: honest mails are valid', () => {
  check(encrypted(signedMessage(ENTITY, by)), 'valid')
  check(encrypted(signatureOver(content, { by }), literal(ENTITY)), 'valid')
  check(detached(ENTITY, signatureOver(content, { by })), 'valid')
})

describe('a message in which more is shown than was signed', () => {
  const signature = signatureOver(content, { by })
  const compressed = (packets: Uint8Array): Uint8Array =>
    writePacket(PACKET.COMPRESSED, concatBytes([Uint8Array.of(1), deflateRawSync(packets)]))
  const cases: readonly [packets: readonly Uint8Array[], why: string][] = [
    [[literal(FORGED), signedMessage(ENTITY, by)], 'another literal in front'],
    [[signedMessage(ENTITY, by), literal(FORGED)], 'another literal behind'],
    [[onePass(by), literal(ENTITY), literal(FORGED), signature], 'two literals before the signature'],
    [[onePass(by), literal(FORGED), literal(ENTITY), signature], 'the other one first'],
    [[signature, literal(ENTITY), literal(FORGED)], 'a signature in front of two literals'],
    [[literal(FORGED), signature], 'a signature that nothing announced, behind'],
    [[compressed(literal(FORGED)), signedMessage(ENTITY, by)], 'a compressed one in front'],
    [[compressed(signedMessage(ENTITY, by)), compressed(literal(FORGED))], 'a compressed one behind'],
    [[compressed(concatBytes([signedMessage(ENTITY, by), literal(FORGED)]))], 'both in one compressed packet'],
    [[onePass(by), literal(FORGED), signature], 'another content'],
    [[onePass(by), compressed(concatBytes([literal(ENTITY), signature]))], 'the signature inside, announced outside'],
    [[onePass(by), onePass(by), literal(ENTITY), signature], 'two announced, one there'],
    [[onePass(by), literal(ENTITY)], 'one announced, none there'],
    [[onePass(by), literal(ENTITY), signature, signature], 'one announced, two there'],
    [[signedMessage(ENTITY, by), signedMessage(FORGED, mallory.signing)], 'two messages'],
    [[encryptedToBob(signedMessage(ENTITY, by))], 'an encrypted message in an encrypted one'],
  ]
  for (const [packets, why] of cases)
    test(why, () => {
      const received = receivedByBob(encrypted(...packets))
      assert.notEqual(received.outcome, 'valid', received.why)
      assert.ok(!received.shown.includes('9999') || received.signature === 'none', 'what nobody signed is not shown')
    })
})

describe('detached: several signatures, and signatures over something else', () => {
  const good = signatureOver(content, { by })
  const hers = signatureOver(content, { by: mallory.signing })
  const withFirstLine = signatureOver(utf8(`Subject: x\r\n${ENTITY}`), { by })
  const cases: readonly [signatures: readonly Uint8Array[], fate: Fate, why: string][] = [
    [[hers], 'refused 5.7.7', "Mallory's alone"],
    [[hers, good], 'valid', 'Mallory signed it too: Alice still did'],
    [[signatureOver(utf8(FORGED), { by }), good], 'refused 5.7.7', 'one of Alice over something else, and a good one'],
    [
      [good, signatureOver(utf8(FORGED), { by: mallory.signing })],
      'refused 5.7.7',
      "and Mallory's over something else",
    ],
    [[withFirstLine], 'refused 5.7.7', 'over one line more'],
    [[signatureOver(utf8(SECRET), { by })], 'refused 5.7.7', 'over the text without its header'],
    [[literal(ENTITY), good], 'refused 5.7.7', 'with a content of its own'],
    [[signedMessage(ENTITY, by)], 'refused 5.7.7', 'a whole signed message in the place of a signature'],
    [[], 'refused 5.7.7', 'none at all'],
  ]
  for (const [signatures, fate, why] of cases)
    test(`${why}: ${fate}`, () => void check(detached(ENTITY, ...signatures), fate))
  for (const type of [SIGNATURE_TYPE.STANDALONE, SIGNATURE_TYPE.CERTIFICATION, SIGNATURE_TYPE.DIRECT_KEY, 0x50])
    test(`a signature of type 0x${type.toString(16)}, which is not about a message`, () => {
      assert.notEqual(receivedByBob(detached(ENTITY, signatureOver(content, { by }, type))).outcome, 'valid')
      assert.notEqual(receivedByBob(encrypted(signatureOver(content, { by }, type), literal(ENTITY))).outcome, 'valid')
    })
})

describe('notations and other subpackets', () => {
  const notation = (critical: boolean) => ({
    type: SUBPACKET.NOTATION,
    critical,
    body: concatBytes([Uint8Array.of(0x80, 0, 0, 0, 0, 7, 0, 5), utf8('x@y.zzzhello')]),
  })
  const cases: readonly [
    subpackets: Parameters<typeof signatureOver>[1]['subpackets'] & {},
    isValid: boolean,
    why: string,
  ][] = [
    [[notation(false)], true, 'a notation'],
    [[notation(true)], false, 'a critical notation that nobody knows'],
    [[{ type: 99, critical: false, body: new Uint8Array() }], true, 'an unknown subpacket'],
    [[{ type: 99, critical: true, body: new Uint8Array() }], false, 'an unknown subpacket that is critical'],
    [[subpacket(SUBPACKET.EXPIRATION_TIME, 0, 0, 0, 1)], false, 'a signature that ran out after a second'],
    [
      [subpacket(SUBPACKET.INTENDED_RECIPIENT, 4, ...Buffer.from(bob.certificate.fingerprint, 'hex'))],
      true,
      'meant for Bob',
    ],
    [
      [subpacket(SUBPACKET.INTENDED_RECIPIENT, 4, ...Buffer.from(mallory.certificate.fingerprint, 'hex'))],
      false,
      'meant for Mallory, who passes it on (surreptitious forwarding)',
    ],
  ]
  for (const [subpackets, isValid, why] of cases)
    test(why, () => {
      const mail = encrypted(signatureOver(content, { by, atMs: NOW_MS - DAY_MS, subpackets }), literal(ENTITY))
      assert.equal(receivedByBob(mail).outcome === 'valid', isValid)
    })
})

describe('keys that are no good', () => {
  const primary = alice.primary
  const [key = new Uint8Array(), userId = new Uint8Array(), ...rest] = alice.packets
  const as = (packets: readonly Uint8Array[], trust: KnownCertificate['trust'] = 'confirmed'): KnownCertificate => ({
    certificate: certificateOf(packets),
    trust,
  })
  const revoked = (code: number, atDay: number): KnownCertificate =>
    as([
      key,
      revoking(primary, { by: primary, atMs: MADE_MS + atDay * DAY_MS, subpackets: [reason(code)] }),
      userId,
      ...rest,
    ])
  const short = { by: primary, subpackets: [flags(CERTIFY_AND_SIGN), endsAfter(10 * 24 * 3600)] }
  const expired = as([key, userId, certifying(primary, alice.userId, short), ...rest.slice(1)])
  const signedAt = (atDay: number): Buffer =>
    detached(ENTITY, signatureOver(content, { by, atMs: MADE_MS + atDay * DAY_MS }))
  const cases: readonly [known: KnownCertificate, atDay: number, signature: string, why: string][] = [
    [revoked(2, 50), 99, 'revoked', 'compromised'],
    [revoked(2, 50), 10, 'revoked', 'compromised, and the signature dated back'],
    [revoked(0, 50), 10, 'revoked', 'revoked without a reason, and the signature dated back'],
    [revoked(3, 50), 99, 'revoked', 'retired'],
    [revoked(3, 50), 10, 'valid', 'retired after it had signed'],
    [expired, 99, 'expired', 'expired'],
    [expired, 5, 'valid', 'expired after it had signed'],
    [as(alice.packets), -1, 'expired', 'made after it had signed'],
    [as(alice.packets), 400, 'untrusted', 'and the signature comes from the future'],
    [as(alice.packets, 'candidate'), 99, 'untrusted', 'of which nobody says whose it is'],
  ]
  for (const [known, atDay, signature, why] of cases)
    test(`${why}: ${signature}`, () => assert.equal(receivedByBob(signedAt(atDay), [known]).signature, signature))

  test("Alice's subkey in a certificate of Mallory's takes nothing away from Alice, and gives Mallory nothing", () => {
    const adopted = [
      ...mallory.packets,
      subkeyOf(alice.signing),
      binding(mallory.primary, alice.signing, { by: mallory.primary, subpackets: [flags(SIGN_ONLY)] }),
    ]
    for (const known of [
      [as(adopted), as(alice.packets)],
      [as(alice.packets), as(adopted)],
    ]) {
      check(signedAt(99), 'valid', known)
      const hers = mailFrom('mallory@evil.example', signedEntity(ENTITY, signatureOver(content, { by })))
      check(hers, 'refused 5.7.7', known)
    }
    const own = detached(ENTITY, signatureOver(content, { by: mallory.signing }))
    check(own, 'refused 5.7.7', [as(adopted), as(alice.packets)])
  })
})

test('a From that names somebody else, and a protected From that does', () => {
  const signature = signatureOver(content, { by })
  const cases: readonly [from: string, isValid: boolean][] = [
    [`Alice <${ALICE}>`, true],
    ['mallory@evil.example', false],
    [`"${ALICE}" <mallory@evil.example>`, false],
    [`${ALICE}, mallory@evil.example`, false],
    [`${ALICE}\r\nFrom: mallory@evil.example`, false],
  ]
  for (const [from, isValid] of cases)
    assert.equal(receivedByBob(mailFrom(from, signedEntity(ENTITY, signature))).outcome === 'valid', isValid, from)
  const inner = `Content-Type: text/plain; protected-headers="v1"\r\nFrom: mallory@evil.example\r\n\r\n${SECRET}`
  const mail = mailFrom(ALICE, signedEntity(inner, signatureOver(utf8(inner), { by })))
  assert.notEqual(receivedByBob(mail).outcome, 'valid')
})

test('a key that came with the mail is not believed for having come', () => {
  const stranger = mallory
  const claimed = [
    ...stranger.packets.slice(0, 1),
    alice.packets[1] as Uint8Array,
    certifying(stranger.primary, alice.userId, { by: stranger.primary, subpackets: [flags(CERTIFY_AND_SIGN)] }),
  ]
  const entity =
    'Content-Type: multipart/mixed; boundary=m\r\n\r\n' +
    `--m\r\n${textEntity(SECRET)}--m\r\nContent-Type: application/pgp-keys\r\n\r\n${armored(concatBytes(claimed), 'PGP PUBLIC KEY BLOCK')}\r\n--m--\r\n`
  const mail = mailFrom(ALICE, signedEntity(entity, signatureOver(utf8(entity), { by: stranger.primary })))
  const received = receivedByBob(mail, [])
  assert.equal(received.outcome, 'not verified')
  assert.notEqual(receivedByBob(mail).outcome, 'valid')
})
