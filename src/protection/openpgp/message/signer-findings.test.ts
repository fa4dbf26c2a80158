/** What is a signature of a message, whose, and of what: detached ones over a content that is at hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_AT_MS } from '../../../../test/support/protected-mail.ts'
import { type OpenpgpIdentity, openpgpIdentity, partsOf } from '../../../../test/support/openpgp-identity.ts'
import { rangeInMemory } from '../../../base/byte-range.ts'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { attempt } from '../../malformed.ts'
import type { KeyRing } from '../../standard.ts'
import { armor } from '../armor.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { type SignaturePlan, signatureMaker } from '../signatures/make.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { findSigners, readDetachedSignatures } from './signer-findings.ts'

const [alice, modern] = [openpgpIdentity('alice@example.com'), openpgpIdentity('alice@example.com', 'v6')]
const stranger = openpgpIdentity('stranger@example.com')
const ring: KeyRing = {
  decryptionKeys: [],
  known: [alice, modern].map(({ certificate }) => ({ certificate, trust: 'confirmed' as const })),
  anchors: [],
}
const CONTENT = 'the words \r\n'

function signature(own: OpenpgpIdentity, plan: Partial<SignaturePlan> = {}, content = CONTENT): Uint8Array {
  const { signing } = partsOf(own, SIGNED_AT_MS)
  const maker = signatureMaker({ ...signing, type: SIGNATURE_TYPE.BINARY, atMs: SIGNED_AT_MS, ...plan })
  maker.update(utf8(content))
  return writePacket(PACKET.SIGNATURE, maker.finish())
}

/** Each finding in a word. */
function found(packets: Uint8Array, content = CONTENT, allowWeak = false): string[] {
  const signatures = readDetachedSignatures(armor('PGP SIGNATURE', packets))
  const signed = { content: rangeInMemory(utf8(content)), ring: { ...ring, allowWeak }, carried: [] }
  return findSigners(signatures, signed).map(({ intact, weak, unsupported, certificate, changed }) => {
    if (changed === true) return 'none'
    if (certificate === undefined) return 'unknown'
    return intact ? 'intact' : weak === true ? 'weak' : unsupported === true ? 'unsupported' : 'wrong'
  })
}

const critical = [{ type: 99, critical: true, body: new Uint8Array(1) }]
const notation = [{ type: 99, critical: false, body: new Uint8Array(1) }]
const cases: readonly [packets: Uint8Array, found: readonly string[], why: string][] = [
  [signature(alice), ['intact'], 'as it should be'],
  [signature(modern), ['intact'], 'version 6, with its salt'],
  [concatBytes([signature(alice), signature(modern)]), ['intact', 'intact'], 'two, by keys of two versions'],
  [concatBytes([signature(stranger), signature(alice)]), ['unknown', 'intact'], 'one of two is by somebody unknown'],
  [concatBytes([signature(alice), signature(alice, {}, 'other')]), ['intact', 'wrong'], 'one is of another content'],
  [signature(alice, { type: SIGNATURE_TYPE.TEXT }), ['intact'], 'of the text'],
  [signature(alice, { type: SIGNATURE_TYPE.STANDALONE }), ['none'], 'of nothing but itself'],
  [signature(alice, { type: SIGNATURE_TYPE.POSITIVE_CERTIFICATION }), ['none'], 'a certification'],
  [signature(alice, { type: SIGNATURE_TYPE.SUBKEY_BINDING }), ['none'], 'a binding'],
  [signature(alice, { hash: 2 }), ['weak'], 'SHA-1'],
  [signature(alice, { subpackets: critical }), ['unsupported'], 'something critical that is not known'],
  [signature(alice, { subpackets: notation }), ['intact'], 'something that is not known and not critical'],
  [concatBytes([writePacket(PACKET.MARKER, utf8('PGP')), signature(alice)]), ['intact'], 'a marker before it'],
]
for (const [packets, expected, why] of cases) test(why, () => assert.deepEqual(found(packets), expected))

test('SHA-1 counts for archives, where it is allowed', () =>
  assert.deepEqual(found(signature(alice, { hash: 2 }), CONTENT, true), ['intact']))

test('of a text the line ends do not count, the blanks before them do; of octets everything counts', () => {
  const text = signature(alice, { type: SIGNATURE_TYPE.TEXT })
  assert.deepEqual(found(text, 'the words \n'), ['intact'])
  assert.deepEqual(found(text, 'the words\r\n'), ['wrong'])
  assert.deepEqual(found(signature(alice), 'the words \n'), ['wrong'])
})

test('what is no detached signature is refused', () => {
  const literal = writePacket(PACKET.LITERAL, Uint8Array.of(0x62, 0, 0, 0, 0, 0))
  for (const packets of [new Uint8Array(), literal, concatBytes([signature(alice), literal])])
    assert.equal(attempt(() => readDetachedSignatures(armor('PGP SIGNATURE', packets))).ok, false)
  const many = concatBytes(Array.from({ length: 17 }, () => signature(alice)))
  assert.equal(attempt(() => readDetachedSignatures(armor('PGP SIGNATURE', many))).ok, false)
  assert.deepEqual(found(signature(alice)), ['intact'])
})

test('a signature that was announced otherwise is none', () => {
  const body = signature(alice).subarray(2)
  const { packet } = partsOf(alice, SIGNED_AT_MS).signing
  const onePass = (...head: readonly number[]): Uint8Array =>
    concatBytes([Uint8Array.from(head), Uint8Array.of(packet.algorithm), packet.keyId, Uint8Array.of(1)])
  const outcome = (announced: Uint8Array): boolean | undefined =>
    findSigners([{ body, onePass: announced }], { content: rangeInMemory(utf8(CONTENT)), ring, carried: [] })[0]?.intact
  assert.equal(outcome(onePass(3, 0, 8)), true)
  for (const wrong of [onePass(3, 1, 8), onePass(3, 0, 10), onePass(6, 0, 8)]) assert.equal(outcome(wrong), false)
})
