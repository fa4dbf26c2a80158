import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { smimeIdentity } from '../../../../test/support/smime-identity.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { readKemRecipient, unwrapEncapsulatedKey, writeKemRecipient } from './kem.ts'

const ORI_KEM = oid('1.2.840.113549.1.9.16.13.3')
const bob = smimeIdentity('ml-kem-768')
const contentKey = randomBytes(32)

const parse = (bytes: Uint8Array): Node => {
  const parsed = parseDer(bytes)
  assert(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

/** The fields of a good one: version, rid, kem, kemct, kdf, kekLength, wrap, encryptedKey. */
const good = parse(writeKemRecipient(bob.certificate, contentKey)).children[1]?.children.map(({ raw }) => raw) ?? []

function outcome(fields: readonly Uint8Array[], type = ORI_KEM): string {
  const read = readKemRecipient(parse(contextTagged(4, type, sequence(...fields))))
  if (!read.ok) return read.error
  if (read.value === undefined) return 'another kind'
  const unwrapped = unwrapEncapsulatedKey(read.value, bob.key)
  if (!unwrapped.ok) return unwrapped.error
  return contentKey.equals(unwrapped.value.key ?? new Uint8Array()) ? 'unwrapped' : String(unwrapped.value.key)
}

const withField = (at: number, ...fields: Uint8Array[]): Uint8Array[] => good.toSpliced(at, 1, ...fields)
const flipped = (der: Uint8Array): Uint8Array =>
  Uint8Array.from(der, (octet, at) => (at === der.length - 1 ? octet ^ 1 : octet))
const HKDF = (arc: number): Uint8Array => sequence(oid(`1.2.840.113549.1.9.16.3.${arc}`))
const ukm = contextTagged(0, octetString(Buffer.from('ukm')))

const cases: readonly [fields: readonly Uint8Array[], expected: string, why: string][] = [
  [good, 'unwrapped', 'as it was written'],
  [withField(3, flipped(good[3] ?? contentKey)), 'undefined', 'kemct changed: implicit rejection, then the wrap fails'],
  [withField(3, octetString(new Uint8Array(1000))), 'undefined', 'kemct of another length'],
  [withField(7, flipped(good[7] ?? contentKey)), 'undefined', 'the wrapped key changed'],
  [withField(4, HKDF(29)), 'undefined', 'another digest'],
  [withField(4, HKDF(99)), 'unknown key derivation 1.2.840.113549.1.9.16.3.99', 'an unknown KDF'],
  [withField(5, integer(32), ukm), 'undefined', 'a ukm that was put in'],
  [withField(5, integer(16)), 'the length of the wrapping key is not that of the key wrap', 'RFC 9936 §2.2.1'],
  [withField(2, sequence(oid('2.16.840.1.101.3.4.4.3'))), 'the key is not a key of ml-kem-1024', 'another level'],
  [withField(2, sequence(oid('1.2.3'))), 'unknown key encapsulation mechanism 1.2.3', 'an unknown KEM'],
  [withField(6, sequence(oid('1.2.3'))), 'unknown key wrap algorithm 1.2.3', 'an unknown key wrap'],
  [good.slice(0, 7), 'KEMRecipientInfo is malformed', 'a field missing'],
  [[...good, integer(1)], 'KEMRecipientInfo is malformed', 'a field too many'],
  [withField(5, octetString(new Uint8Array(1))), 'KEMRecipientInfo is malformed', 'a length that is no number'],
]

for (const [fields, expected, why] of cases) test(`${why}: ${expected}`, () => assert.equal(outcome(fields), expected))

test('other kinds of OtherRecipientInfo are read over', () => {
  assert.equal(outcome(good, oid('1.2.840.113549.1.9.16.13.1')), 'another kind')
})
