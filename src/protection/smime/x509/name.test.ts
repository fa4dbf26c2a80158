import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { der, oid, sequence, setOf } from '../asn1/der-writer.ts'
import { TAG } from '../asn1/tlv.ts'
import { attempt } from '../../malformed.ts'
import { derNode } from '../asn1/der-fields.ts'
import { describeName, nameKey, readName } from './name.ts'

type Attribute = readonly [type: string, tag: number, content: Uint8Array | string]

const CN = '2.5.4.3'
const { UTF8_STRING, PRINTABLE_STRING, BMP_STRING, T61_STRING, INTEGER } = TAG
const utf16 = (text: string): Uint8Array => Buffer.from(text, 'utf16le').swap16()

function attribute([type, tag, content]: Attribute): Uint8Array {
  return sequence(oid(type), der(tag, Buffer.from(content)))
}

const encode = (...rdns: readonly (readonly Attribute[])[]): Uint8Array =>
  sequence(...rdns.map((rdn) => setOf(rdn.map(attribute))))
const read = (encoded: Uint8Array) => readName(derNode(encoded, TAG.SEQUENCE, 'name'))
const cn = (tag: number, content: Uint8Array | string): Uint8Array => encode([[CN, tag, content]])

describe('names match (RFC 5280 §7.1)', () => {
  const cases: readonly [a: Uint8Array, b: Uint8Array, same: boolean, why: string][] = [
    [cn(PRINTABLE_STRING, 'Good CA'), cn(UTF8_STRING, 'Good CA'), true, 'whatever the string type'],
    [cn(UTF8_STRING, 'Good CA'), cn(UTF8_STRING, '  gOOD \t ca '), true, 'case and white space folded'],
    [cn(UTF8_STRING, 'Ä'), cn(UTF8_STRING, 'a\u0308'), true, 'composed or not'],
    [cn(BMP_STRING, utf16('Straße')), cn(UTF8_STRING, 'straße'), true, 'BMPString'],
    [cn(UTF8_STRING, 'Good CA'), cn(UTF8_STRING, 'GoodCA'), false, 'white space is not removed'],
    [cn(UTF8_STRING, 'a'), encode([['2.5.4.10', UTF8_STRING, 'a']]), false, 'another type of attribute'],
    [
      cn(UTF8_STRING, 'a,O=b'),
      encode([[CN, UTF8_STRING, 'a']], [['2.5.4.10', UTF8_STRING, 'b']]),
      false,
      'separators in a value',
    ],
    [
      cn(UTF8_STRING, 'a"]\n["2.5.4.3=\\"b'),
      encode([[CN, UTF8_STRING, 'a']], [[CN, UTF8_STRING, 'b']]),
      false,
      'our own separators in a value',
    ],
    [
      encode([[CN, 12, 'a']], [[CN, 12, 'b']]),
      encode([[CN, 12, 'b']], [[CN, 12, 'a']]),
      false,
      'the order of RDNs counts',
    ],
    [
      encode([
        [CN, 12, 'a'],
        [CN, 12, 'b'],
      ]),
      encode([
        [CN, 12, 'B'],
        [CN, 12, 'A'],
      ]),
      true,
      'the order in an RDN does not',
    ],
    [
      cn(UTF8_STRING, Uint8Array.of(0xff)),
      cn(UTF8_STRING, Uint8Array.of(0xfe)),
      false,
      'broken UTF-8 compares by its bytes',
    ],
    [cn(INTEGER, Uint8Array.of(1)), cn(INTEGER, Uint8Array.of(1)), true, 'other types compare by their encoding'],
  ]
  for (const [a, b, same, why] of cases) test(why, () => assert.equal(nameKey(read(a)) === nameKey(read(b)), same))
})

describe('names are shown', () => {
  const cases: readonly [name: Uint8Array, text: string, why: string][] = [
    [
      encode([['2.5.4.6', PRINTABLE_STRING, 'JP']], [[CN, UTF8_STRING, '鈴木']]),
      'CN=鈴木,C=JP',
      'the last RDN first (RFC 4514 §2.1)',
    ],
    [
      encode([
        [CN, 12, 'a'],
        ['2.5.4.11', 12, 'b'],
      ]),
      'CN=a+OU=b',
      'two attributes in one RDN',
    ],
    [cn(UTF8_STRING, 'a,b+c"d\\e<f>;'), String.raw`CN=a\,b\+c\"d\\e\<f\>\;`, 'special characters (RFC 4514 §2.4)'],
    [cn(UTF8_STRING, ' #a '), String.raw`CN=\ #a\ `, 'blanks at the ends'],
    [cn(UTF8_STRING, '#a'), String.raw`CN=\#a`, 'a number sign in front'],
    [cn(UTF8_STRING, 'a\0b\r\nc\u202ed'), String.raw`CN=a\00b\0d\0ac\e2\80\aed`, 'control and format characters'],
    [cn(T61_STRING, Uint8Array.of(0x41, 0x0a)), String.raw`CN=A\0a`, 'control characters of other string types'],
    [encode([['1.2.3', 12, 'x']]), '1.2.3=x', 'an unknown type'],
    [cn(INTEGER, Uint8Array.of(1)), 'CN=#020101', 'a value that is no text'],
    [encode(), '', 'the empty name'],
  ]
  for (const [name, text, why] of cases) test(why, () => assert.equal(describeName(read(name)), text))
  test('a long name is cut', () => assert.equal(describeName(read(cn(UTF8_STRING, 'x'.repeat(9999)))).length, 513))
})

describe('broken names', () => {
  const many = encode(...Array.from({ length: 101 }, () => [[CN, UTF8_STRING, 'x'] as const]))
  const cases: readonly [name: Uint8Array, why: string][] = [
    [sequence(setOf([])), 'an empty RDN'],
    [sequence(sequence()), 'an RDN that is no SET'],
    [sequence(setOf([sequence(oid(CN))])), 'an attribute without a value'],
    [sequence(setOf([sequence(der(UTF8_STRING), der(UTF8_STRING))])), 'an attribute without a type'],
    [many, 'too many attributes'],
  ]
  for (const [name, why] of cases) test(why, () => assert.ok(!attempt(() => read(name)).ok))
})
