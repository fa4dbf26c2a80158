import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { concatBytes, equalBytes, utf8 } from '../../../base/bytes.ts'
import { parseAddress } from '../../../message/address.ts'
import { type KeyPacket, newKeyPacket } from '../keys/key-packet.ts'
import { PACKET, readPackets, writePacket } from '../packets/packet.ts'
import { certify } from '../signatures/make.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { SUBPACKET, type Subpacket } from '../signatures/subpackets.ts'
import type { OpenpgpCertificate } from './certificate.ts'
import { makeRevocation, renewCertificate, revokeCertificate } from './change.ts'
import { type CertificateProfile, type MadeCertificate, PROFILES, makeCertificate } from './make.ts'
import { cleanCertificate, mergeCertificates } from './merge.ts'
import { FEATURE, preferencesAt } from './preferences.ts'
import { readOpenpgpCertificate } from './read.ts'
import { CHECKS_MAX } from './self-signatures.ts'
import { encryptionComponents, signingComponent, stateAt } from './state.ts'

const DAY_MS = 86_400_000
const BORN_MS = Date.UTC(2026, 0, 1)
const END_MS = BORN_MS + 730 * DAY_MS
const NOW_MS = BORN_MS + 100 * DAY_MS

const ADDRESS = parseAddress('alice@a.example')
assert.ok(ADDRESS !== undefined)

const make = (profile: CertificateProfile = 'v4', createdMs = BORN_MS): MadeCertificate =>
  makeCertificate({ profile, address: ADDRESS, createdMs, expiresMs: createdMs + END_MS - BORN_MS })
const ALICE = make()
const MALLORY = make()

function value<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  assert.ok(result.ok, result.ok ? '' : result.error)
  return result.value
}

const verdict = (certificate: OpenpgpCertificate, atMs = NOW_MS): string => {
  const state = stateAt(certificate, atMs)
  return state.valid ? 'valid' : state.verdict
}

for (const profile of Object.keys(PROFILES) as CertificateProfile[])
  test(`a certificate of ours (${profile}) can sign, be encrypted to, and ends`, () => {
    const { certificate, subkeys } = make(profile)
    const [primary, signing, encryption] = certificate.components.map(({ packet }) => packet.fingerprint)
    assert.deepEqual(subkeys.map(({ fingerprint }) => fingerprint), [primary, signing, encryption]) // prettier-ignore
    assert.deepEqual([certificate.addresses, certificate.subject], [['alice@a.example'], '<alice@a.example>'])
    assert.deepEqual([certificate.notBeforeMs, certificate.notAfterMs], [BORN_MS, END_MS])
    assert.deepEqual([certificate.canSign, certificate.canEncrypt], [true, true])
    assert.deepEqual(encryptionComponents(certificate, NOW_MS).map(({ packet }) => packet.fingerprint), [encryption]) // prettier-ignore
    assert.equal(signingComponent(certificate, signing ?? '', NOW_MS)?.state.valid, true)
    assert.equal(signingComponent(certificate, primary ?? '', NOW_MS)?.state.valid, false, 'the primary only certifies')
    assert.equal(preferencesAt(certificate, NOW_MS).features, FEATURE.SEIPD1 | FEATURE.SEIPD2)
    assert.deepEqual(
      [BORN_MS - 1, BORN_MS, END_MS - 1, END_MS].map((atMs) => verdict(certificate, atMs)),
      ['expired', 'valid', 'valid', 'expired'],
    )
  })

test('renewal moves the end of all keys, and the old copy does not move it back', () => {
  const endMs = END_MS + 365 * DAY_MS
  const renewed = value(renewCertificate(ALICE.certificate, ALICE.subkeys, { atMs: NOW_MS, expiresMs: endMs }))
  assert.deepEqual([renewed.notAfterMs, renewed.fingerprint], [endMs, ALICE.certificate.fingerprint])
  assert.equal(signingComponent(renewed, ALICE.subkeys[1]?.fingerprint ?? '', END_MS)?.state.valid, true)
  assert.equal(encryptionComponents(renewed, endMs - 1).length, 1)
  assert.equal(value(mergeCertificates(renewed, ALICE.certificate)).notAfterMs, endMs)
  assert.deepEqual(preferencesAt(renewed, END_MS), preferencesAt(ALICE.certificate, NOW_MS))
  const withoutPrimary = ALICE.subkeys.slice(1)
  assert.ok(!renewCertificate(ALICE.certificate, withoutPrimary, { atMs: NOW_MS, expiresMs: endMs }).ok)
})

test('renewal in the second in which the certificate was made counts', () => {
  for (const [day, profile] of [
    [1, 'v4'],
    [2, 'v4'],
    [3, 'v6'],
    [4, 'v6'],
  ] as const) {
    // prettier-ignore
    const { certificate, subkeys } = make(profile)
    const expiresMs = END_MS + day * DAY_MS
    assert.equal(value(renewCertificate(certificate, subkeys, { atMs: BORN_MS, expiresMs })).notAfterMs, expiresMs)
  }
})

test('renewal works in version 6, where the key says it of itself', () => {
  const { certificate, subkeys } = make('v6')
  const renewed = value(renewCertificate(certificate, subkeys, { atMs: NOW_MS, expiresMs: END_MS + DAY_MS }))
  assert.deepEqual([renewed.notAfterMs, verdict(renewed, END_MS)], [END_MS + DAY_MS, 'valid'])
})

test('a hard revocation counts for all times, a soft one from its date, and both outlive a renewal', () => {
  const revoked = (reason: 'compromised' | 'retired'): OpenpgpCertificate => {
    const revocation = value(makeRevocation(ALICE.certificate, ALICE.subkeys, { reason, atMs: NOW_MS }))
    return value(revokeCertificate(ALICE.certificate, revocation))
  }
  const times = [NOW_MS - 1000, NOW_MS]
  assert.deepEqual(times.map((atMs) => verdict(revoked('compromised'), atMs)), ['revoked', 'revoked']) // prettier-ignore
  assert.deepEqual(times.map((atMs) => verdict(revoked('retired'), atMs)), ['valid', 'revoked']) // prettier-ignore
  assert.deepEqual([revoked('retired').canSign, revoked('retired').canEncrypt], [true, false]) // it has signed before
  const plan = { atMs: NOW_MS + DAY_MS, expiresMs: END_MS }
  assert.equal(verdict(value(renewCertificate(revoked('retired'), ALICE.subkeys, plan)), END_MS - 1), 'revoked')
  assert.equal(verdict(value(mergeCertificates(ALICE.certificate, revoked('retired')))), 'revoked')
})

test("a revocation of somebody else's changes nothing", () => {
  const revocation = value(makeRevocation(MALLORY.certificate, MALLORY.subkeys, { reason: 'retired', atMs: NOW_MS }))
  assert.ok(!revokeCertificate(ALICE.certificate, revocation).ok)
  assert.ok(!mergeCertificates(ALICE.certificate, MALLORY.certificate).ok)
})

const primaryOf = ({ certificate, subkeys }: MadeCertificate) => ({
  packet: certificate.components[0]?.packet as KeyPacket,
  handles: subkeys[0]?.handles ?? [],
})
const flags = (bits: number): Subpacket => ({ type: SUBPACKET.KEY_FLAGS, critical: true, body: Uint8Array.of(bits) })
const appended = ({ encoded }: OpenpgpCertificate, ...more: readonly Uint8Array[]): OpenpgpCertificate =>
  value(readOpenpgpCertificate(concatBytes([encoded, ...more])))

test("somebody else's signing key is not adopted without its own signature", () => {
  const stolen = MALLORY.certificate.components[1]?.packet as KeyPacket
  const primary = primaryOf(ALICE)
  const adopt = (subpackets: readonly Subpacket[]): OpenpgpCertificate => {
    const plan = { ...primary, type: SIGNATURE_TYPE.SUBKEY_BINDING, subpackets, atMs: NOW_MS }
    const binding = certify(plan, { primary: primary.packet, subkey: stolen })
    return appended(ALICE.certificate, writePacket(PACKET.PUBLIC_SUBKEY, stolen.body), binding)
  }
  const embedded = MALLORY.certificate.components[1]?.bindings[0]?.signature.hashed.find(
    ({ type }) => type === SUBPACKET.EMBEDDED_SIGNATURE,
  )
  assert.ok(embedded !== undefined)
  for (const subpackets of [[flags(2)], [], [flags(2), embedded]])
    assert.equal(signingComponent(adopt(subpackets), stolen.fingerprint, NOW_MS)?.state.valid, false)
})

test('a user id that the owner has not certified gives no address and does not survive a merge', () => {
  const user = { type: PACKET.USER_ID, body: utf8('<bob@b.example>') }
  const mallory = primaryOf(MALLORY)
  const plan = { ...mallory, type: SIGNATURE_TYPE.POSITIVE_CERTIFICATION, atMs: NOW_MS }
  const forged = certify(plan, { primary: primaryOf(ALICE).packet, user })
  const read = appended(ALICE.certificate, writePacket(user.type, user.body), forged)
  assert.deepEqual(read.addresses, ['alice@a.example'])
  assert.ok(equalBytes(value(cleanCertificate(read)).encoded, value(cleanCertificate(ALICE.certificate)).encoded))
})

/** A certificate with further user ids, each certified, some revoked, some certified again. */
const says = (userId: string, type: number, atMs: number): Uint8Array => {
  const primary = primaryOf(ALICE)
  const user = { type: PACKET.USER_ID, body: utf8(userId) }
  const packet = writePacket(user.type, user.body)
  return concatBytes([packet, certify({ ...primary, type, atMs }, { primary: primary.packet, user })])
}
const CERTIFIES = SIGNATURE_TYPE.POSITIVE_CERTIFICATION
const REVOKES = SIGNATURE_TYPE.CERTIFICATION_REVOCATION

test('the last word on a user id counts', () => {
  const merged = (...words: readonly Uint8Array[]): readonly string[] =>
    value(cleanCertificate(appended(ALICE.certificate, ...words))).addresses
  const old = 'alice@old.example'
  const certified = says(old, CERTIFIES, NOW_MS)
  const both = ['alice@a.example', old]
  assert.deepEqual(merged(certified), both)
  assert.deepEqual(merged(certified, says(old, REVOKES, NOW_MS)), ['alice@a.example'])
  assert.deepEqual(merged(certified, says(old, REVOKES, NOW_MS + 1000), says(old, CERTIFIES, NOW_MS + 2000)), both)
})

test('merging does not depend on the order, changes nothing the second time, and keeps every revocation', () => {
  const primary = writePacket(PACKET.PUBLIC_KEY, primaryOf(ALICE).packet.body)
  const words = [0, 1, 2].flatMap((id) =>
    [CERTIFIES, REVOKES].flatMap((type) => [0, 1].map((day) => says(`<${id}@x.example>`, type, NOW_MS + day * DAY_MS))),
  )
  const revocation = value(makeRevocation(ALICE.certificate, ALICE.subkeys, { reason: 'retired', atMs: NOW_MS }))
  const copy = fc
    .record({ words: fc.shuffledSubarray(words), revoked: fc.boolean(), whole: fc.boolean() })
    .map(({ words: said, revoked, whole }) => {
      const first = whole ? ALICE.certificate.encoded : primary
      // behind the primary key, where a signature of the key itself belongs
      const rest = concatBytes([first.subarray(primary.length), ...said])
      return value(readOpenpgpCertificate(concatBytes([primary, ...(revoked ? [revocation] : []), rest])))
    })
  const revocations = (certificate: OpenpgpCertificate): number =>
    [...certificate.components, ...certificate.userIds].reduce((sum, each) => sum + each.revocations.length, 0) // prettier-ignore
  fc.assert(
    fc.property(copy, copy, (a, b) => {
      const merged = value(mergeCertificates(a, b))
      assert.ok(equalBytes(merged.encoded, value(mergeCertificates(b, a)).encoded))
      assert.ok(equalBytes(merged.encoded, value(mergeCertificates(merged, a)).encoded))
      assert.ok(revocations(merged) >= Math.max(revocations(a), revocations(b)))
      assert.equal(verdict(merged) === 'revoked', verdict(a) === 'revoked' || verdict(b) === 'revoked')
    }),
    { numRuns: 60 },
  )
})

test('a user id that stands there twice is one', () => {
  const words = [says('alice@x.example', CERTIFIES, NOW_MS), says('alice@x.example', REVOKES, NOW_MS)]
  for (const order of [words, words.toReversed()])
    assert.deepEqual(appended(ALICE.certificate, ...order).addresses, ['alice@a.example'])
})

test('a certification that demands what is not understood does not count', () => {
  const primary = primaryOf(ALICE)
  const user = { type: PACKET.USER_ID, body: utf8('alice@x.example') }
  const demand: Subpacket = { type: SUBPACKET.NOTATION, critical: true, body: utf8('?') }
  const plan = { ...primary, type: CERTIFIES, subpackets: [demand], atMs: NOW_MS }
  const certification = certify(plan, { primary: primary.packet, user })
  const read = appended(ALICE.certificate, writePacket(user.type, user.body), certification)
  assert.deepEqual(read.addresses, ['alice@a.example'])
})

/** ALICE with another subkey, bound but made of something else than ours. */
function withSubkey(
  version: 4 | 6,
  owner: MadeCertificate,
  algorithm: number,
  publicKey: KeyObject,
): OpenpgpCertificate {
  const primary = primaryOf(owner)
  const subkey = newKeyPacket({ version, algorithm, createdMs: NOW_MS, publicKeys: [publicKey] })
  const plan = { ...primary, type: SIGNATURE_TYPE.SUBKEY_BINDING, subpackets: [flags(12)], atMs: NOW_MS }
  const binding = certify(plan, { primary: primary.packet, subkey })
  return appended(owner.certificate, writePacket(PACKET.PUBLIC_SUBKEY, subkey.body), binding)
}

test('a weak subkey is not encrypted to, and one of another version is none', () => {
  const { publicKey: short } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const weak = withSubkey(4, ALICE, 1, short)
  assert.match(weak.components[3]?.weak ?? '', /1024 bits/)
  assert.deepEqual(encryptionComponents(weak, NOW_MS).map(({ packet }) => packet.algorithmName), ['x25519']) // prettier-ignore
  const { publicKey: x25519 } = generateKeyPairSync('x25519')
  assert.equal(withSubkey(4, make('v6'), 25, x25519).components.length, 3)
})

test("of other people's certifications some are kept", () => {
  const user = ALICE.certificate.userIds[0]
  assert.ok(user !== undefined)
  const mallory = primaryOf(MALLORY)
  const thing = { primary: primaryOf(ALICE).packet, user: { type: PACKET.USER_ID, body: user.body } }
  const foreign = Array.from({ length: 30 }, (_, at) =>
    certify({ ...mallory, type: CERTIFIES, atMs: NOW_MS + at * 1000 }, thing),
  )
  const clean = value(cleanCertificate(appended(ALICE.certificate, writePacket(PACKET.USER_ID, user.body), ...foreign)))
  const signatures = readPackets(clean.encoded).filter(({ type }) => type === PACKET.SIGNATURE)
  assert.equal(signatures.length, 3 + 20)
})

test('thousands of forged signatures cost little, and hide no revocation that comes before them', () => {
  const revocation = value(makeRevocation(ALICE.certificate, ALICE.subkeys, { reason: 'retired', atMs: NOW_MS }))
  const primary = primaryOf(ALICE)
  const [first, ...rest] = readPackets(ALICE.certificate.encoded).map(({ type, body }) => writePacket(type, body))
  const plan = { ...primaryOf(MALLORY), packet: primary.packet, type: SIGNATURE_TYPE.DIRECT_KEY }
  const forged = Array.from({ length: 2 * CHECKS_MAX }, (_, at) =>
    certify({ ...plan, atMs: NOW_MS + at * 1000 }, { primary: primary.packet }),
  )
  const encoded = concatBytes([first as Uint8Array, revocation, ...forged, ...rest])
  const before = process.cpuUsage()
  const flooded = value(readOpenpgpCertificate(encoded))
  assert.equal(verdict(flooded), 'revoked')
  assert.ok(value(mergeCertificates(ALICE.certificate, flooded)).encoded.length < 2 * ALICE.certificate.encoded.length)
  assert.ok(process.cpuUsage(before).user < 2_000_000)
})

test('weak hashes: SHA-1 counts in an old self-signature, MD5 in none, and a revocation with any', () => {
  const primary = primaryOf(make('v4', Date.UTC(2015, 0, 1)))
  const user = { type: PACKET.USER_ID, body: utf8('alice@a.example') }
  const certified = (hash: number, atMs: number, revoked = false): string => {
    const over = { primary: primary.packet, user }
    const revocation = { ...primary, type: SIGNATURE_TYPE.KEY_REVOCATION, hash: 1, atMs }
    const read = readOpenpgpCertificate(
      concatBytes([
        writePacket(PACKET.PUBLIC_KEY, primary.packet.body),
        ...(revoked ? [certify(revocation, over)] : []),
        writePacket(user.type, user.body),
        certify({ ...primary, type: CERTIFIES, hash, atMs }, over),
      ]),
    )
    return verdict(value(read))
  }
  assert.equal(certified(2, Date.UTC(2022, 11, 31)), 'valid')
  assert.equal(certified(2, Date.UTC(2023, 1, 1)), 'untrusted')
  assert.equal(certified(1, Date.UTC(2022, 11, 31)), 'untrusted')
  assert.equal(certified(8, NOW_MS, true), 'revoked')
})
