/**
 * Key spoofing: a certificate is a heap of packets that anybody can pile up. Whoever is not its owner adds user ids and subkeys,
 * binds the owner's subkey to a key of their own, dates things back, or hides a revocation under a flood of signatures. What
 * counts is what the primary key has signed, and of a signing subkey what it has signed itself (RFC 9580 §5.2.1.9, §10.1).
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { concatBytes, equalBytes } from '../../src/base/bytes.ts'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { mergeCertificates } from '../../src/protection/openpgp/certificate/merge.ts'
import { encryptionComponents, signingComponent, stateAt } from '../../src/protection/openpgp/certificate/state.ts'
import { readTransferableKeys } from '../../src/protection/openpgp/certificate/transferable.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import { hex } from '../../src/base/bytes.ts'
import { CORPORA } from '../support/corpora.ts'
import {
  CERTIFY_AND_SIGN,
  ENCRYPT_ONLY,
  MADE_MS,
  type Pair,
  SIGN_ONLY,
  backSignature,
  binding,
  certificateOf,
  certifying,
  endsAfter,
  flags,
  keyOf,
  makePair,
  makePerson,
  reason,
  revoking,
  subkeyOf,
  userIdOf,
} from '../support/openpgp-maker.ts'

const DAY_MS = 24 * 60 * 60_000
const NOW_MS = MADE_MS + 100 * DAY_MS
const ALICE = 'Alice <alice@peer.example>'
const alice = makePerson(ALICE)
const mallory = makePerson('Mallory <mallory@evil.example>')
const [key, userId, certification] = alice.packets as [Uint8Array, Uint8Array, Uint8Array]

const addressesOf = (packets: readonly Uint8Array[]): readonly string[] => certificateOf(packets).addresses
const mayEncryptTo = (packets: readonly Uint8Array[], { packet }: Pair): boolean =>
  encryptionComponents(certificateOf(packets), NOW_MS).some((each) => each.packet.fingerprint === packet.fingerprint)
const maySign = (packets: readonly Uint8Array[], { packet }: Pair, atMs = NOW_MS): boolean =>
  signingComponent(certificateOf(packets), packet.fingerprint, atMs)?.state.valid === true

test('what is attacked: an honest certificate', () => {
  assert.deepEqual(addressesOf(alice.packets), ['alice@peer.example'])
  assert.ok(maySign(alice.packets, alice.signing) && maySign(alice.packets, alice.primary))
  assert.ok(mayEncryptTo(alice.packets, alice.encrypting))
})

describe('a user id on a foreign key', () => {
  const own = { by: mallory.primary }
  const cases: readonly [certification: readonly Uint8Array[], why: string][] = [
    [[], 'that nobody signed'],
    [[certifying(mallory.primary, ALICE, { by: alice.primary })], 'that its bearer signed for the foreign key'],
    [[certifying(alice.primary, ALICE, own)], 'that the key signed for its bearer'],
    [[certification], 'with what its bearer has signed for their own key'],
    [[mallory.packets[2] as Uint8Array], 'with what the key has signed for another user id'],
    [[certifying(mallory.primary, ALICE, { by: mallory.signing })], 'that a subkey signed'],
  ]
  for (const [signatures, why] of cases)
    test(why, () => {
      const packets = [...mallory.packets.slice(0, 3), userIdOf(ALICE), ...signatures, ...mallory.packets.slice(3)]
      assert.deepEqual(addressesOf(packets), ['mallory@evil.example'])
    })
  test('that is none by itself: addresses that could be read in two ways', () => {
    for (const text of [
      'alice@peer.example <mallory@evil.example>',
      'Mallory <mallory@evil.example> <alice@peer.example>',
      'Mallory <alice@peer.example> (mallory@evil.example',
      '<mallory@evil.example>\r\nBcc: <alice@peer.example>',
      'Mallory <alice@peer.example\0@evil.example>',
      'Mallory \u202e<alice@peer.example>',
    ]) {
      const packets = [keyOf(mallory.primary), userIdOf(text), certifying(mallory.primary, text, own)]
      assert.deepEqual(addressesOf(packets), [], text)
    }
  })
})

describe('a subkey that the owner has not bound', () => {
  const foreign = makePair('x25519')
  const bound = { subpackets: [flags(ENCRYPT_ONLY)] }
  const cases: readonly [signatures: readonly Uint8Array[], why: string][] = [
    [[], 'with no signature at all'],
    [[binding(alice.primary, foreign, { by: mallory.primary, ...bound })], 'bound by somebody else'],
    [[binding(mallory.primary, foreign, { by: mallory.primary, ...bound })], 'bound by somebody else, to their key'],
    [[alice.packets[6] as Uint8Array], 'with the binding of another subkey'],
    [[binding(alice.primary, foreign, { by: alice.signing, ...bound })], 'bound by another subkey'],
    [[certifying(alice.primary, ALICE, { by: alice.primary, ...bound })], 'with a signature of another type'],
  ]
  for (const [signatures, why] of cases)
    test(why, () => {
      for (const packets of [
        [...alice.packets, subkeyOf(foreign), ...signatures],
        [key, userId, certification, subkeyOf(foreign), ...signatures, ...alice.packets.slice(3)],
      ])
        assert.ok(!mayEncryptTo(packets, foreign) && mayEncryptTo(packets, alice.encrypting))
    })
})

describe("the owner's signing subkey under another key: their signatures are not somebody else's", () => {
  const { packet } = alice.signing
  const adopted = (...subpackets: Parameters<typeof binding>[2]['subpackets'] & {}): readonly Uint8Array[] => [
    ...mallory.packets,
    subkeyOf(alice.signing),
    binding(mallory.primary, alice.signing, { by: mallory.primary, subpackets }),
  ]
  const cases: readonly [packets: readonly Uint8Array[], why: string][] = [
    [adopted(flags(SIGN_ONLY)), 'without a word of the subkey'],
    [adopted(), 'without key flags'],
    [
      adopted(flags(SIGN_ONLY), backSignature(alice.signing, alice.primary)),
      'with what it says of its own primary key',
    ],
    [
      adopted(flags(SIGN_ONLY), backSignature({ ...mallory.signing, packet }, mallory.primary)),
      "with what the other's own subkey says in its name",
    ],
    [adopted(flags(SIGN_ONLY), backSignature(mallory.signing, mallory.primary)), 'with what another subkey says'],
  ]
  for (const [packets, why] of cases) test(why, () => assert.ok(!maySign(packets, alice.signing)))
  test('but with its own word it would be: the case is made as it should be', () =>
    assert.ok(maySign(adopted(flags(SIGN_ONLY), backSignature(alice.signing, mallory.primary)), alice.signing)))
})

describe('dates', () => {
  const by = alice.primary
  const short = { by, subpackets: [flags(CERTIFY_AND_SIGN), endsAfter(10 * 24 * 3600)] }
  const certified = (...signatures: readonly Uint8Array[]): readonly Uint8Array[] => [key, userId, ...signatures]
  const expired = certified(certifying(by, ALICE, short))
  const retired = (code: number): readonly Uint8Array[] => [
    key,
    revoking(by, { by, atMs: MADE_MS + 50 * DAY_MS, subpackets: [reason(code)] }),
    ...alice.packets.slice(1),
  ]
  const cases: readonly [packets: readonly Uint8Array[], atDay: number, valid: boolean, why: string][] = [
    [alice.packets, -1, false, 'signed before the key was made'],
    [expired, 9, true, 'signed in time'],
    [expired, 11, false, 'signed by a key that had expired'],
    [retired(3), 40, true, 'signed before the key was retired'],
    [retired(3), 60, false, 'signed by a retired key'],
    [retired(2), 40, false, 'dated back to before the key was compromised'],
    [retired(0), 40, false, 'dated back to before the key was revoked without a reason'],
    [certified(certifying(by, ALICE, { by, atMs: MADE_MS - DAY_MS })), 1, false, 'certified before the key was made'],
  ]
  for (const [packets, atDay, valid, why] of cases)
    test(why, () => assert.equal(maySign(packets, alice.primary, MADE_MS + atDay * DAY_MS), valid))
  test('the owner alone revokes', () => {
    for (const forged of [revoking(by, { by: mallory.primary }), revoking(by, { by: alice.signing })])
      assert.ok(stateAt(certificateOf([key, forged, ...alice.packets.slice(1)]), NOW_MS).valid)
  })
})

describe('a flood of signatures', () => {
  const by = alice.primary
  const revocation = revoking(by, { by, subpackets: [reason(2)] })
  /** They say that Alice made them, and that they are newer than hers. */
  const forger = {
    ...mallory.primary,
    packet: { ...alice.primary.packet, publicKeys: mallory.primary.packet.publicKeys },
  }
  const forged = revoking(by, { by: forger, atMs: NOW_MS })
  const others = certifying(alice.primary, ALICE, { by: mallory.primary })

  test('does not hide a revocation', () => {
    for (const one of [forged, others])
      for (const count of [600, 20_000]) {
        const flood = Array<Uint8Array>(count).fill(one)
        const state = stateAt(certificateOf([key, ...flood, revocation, ...alice.packets.slice(1)]), NOW_MS)
        assert.ok(!state.valid, `${count}`)
      }
  })

  test('is read in bounded time, and larger than the limit not at all', () => {
    const began = process.cpuUsage()
    const flood = Array<Uint8Array>(20_000).fill(others)
    const read = readOpenpgpCertificate(
      concatBytes([...alice.packets.slice(0, 3), ...flood, ...alice.packets.slice(3)]),
    )
    assert.ok(!read.ok || read.value.addresses.length === 1)
    assert.ok(process.cpuUsage(began).user < 2_000_000)
  })
})

describe('another copy of a certificate that is known', () => {
  const by = alice.primary
  const forger = { ...mallory.primary, packet: { ...by.packet, publicKeys: mallory.primary.packet.publicKeys } }
  const known = certificateOf(alice.packets)
  const revoked = certificateOf([key, revoking(by, { by, subpackets: [reason(3)] }), ...alice.packets.slice(1)])
  const merged = (a: OpenpgpCertificate, packets: readonly Uint8Array[]): OpenpgpCertificate => {
    const b = certificateOf(packets)
    const [one, other] = [mergeCertificates(a, b), mergeCertificates(b, a)]
    assert.ok(one.ok && other.ok && equalBytes(one.value.encoded, other.value.encoded))
    return one.value
  }
  test('takes no revocation back, whatever it leaves out or adds', () => {
    const later = certifying(by, ALICE, { by, atMs: NOW_MS, subpackets: [flags(CERTIFY_AND_SIGN)] })
    for (const packets of [alice.packets, [key, userId], [key, userId, later, ...alice.packets.slice(2)]])
      assert.ok(!stateAt(merged(revoked, packets), NOW_MS).valid)
  })
  test('adds nothing that the owner has not signed, and takes nothing away, however much is forged', () => {
    const forged = Array.from({ length: 600 }, (_, at) => revoking(by, { by: forger, atMs: NOW_MS + at * 1000 }))
    const foreign = subkeyOf(mallory.encrypting)
    const binds = binding(mallory.primary, mallory.encrypting, {
      by: mallory.primary,
      subpackets: [flags(ENCRYPT_ONLY)],
    })
    const both = merged(known, [
      key,
      ...forged,
      ...alice.packets.slice(1),
      foreign,
      binds,
      userIdOf('Mallory <m@evil.example>'),
    ])
    assert.deepEqual(both.addresses, known.addresses)
    assert.deepEqual(
      encryptionComponents(both, NOW_MS).map(({ packet }) => packet.fingerprint),
      [alice.encrypting.packet.fingerprint],
    )
    assert.ok(both.encoded.length <= known.encoded.length, 'and it does not grow')
  })
  test('of another key is none', () => {
    assert.ok(!mergeCertificates(known, mallory.certificate).ok)
  })
})

test(
  'two keys with one key id (DDA252EBB8EBE1AF) are two',
  { skip: existsSync(CORPORA) ? false : 'no corpora' },
  () => {
    const [first, second] = [1, 2].map((number) => {
      const file = readFileSync(join(CORPORA, `gnupg/tests/openpgp/samplekeys/dda252ebb8ebe1af-${number}.asc`))
      const keys = readTransferableKeys(file)
      return (keys.ok ? keys.value[0]?.certificate : undefined) ?? assert.fail()
    }) as [ReturnType<typeof certificateOf>, ReturnType<typeof certificateOf>]
    const idOf = ({ components: [primary] }: typeof first): string => hex(primary?.packet.keyId ?? new Uint8Array())
    assert.equal(idOf(first), 'dda252ebb8ebe1af')
    assert.equal(idOf(second), idOf(first))
    assert.notEqual(first.fingerprint, second.fingerprint)
    assert.notEqual(first.keyFingerprint, second.keyFingerprint)
    assert.equal(signingComponent(first, second.fingerprint, NOW_MS), undefined)
  },
)
