import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes, hex } from '../../../base/bytes.ts'
import { joinedOctets, parseBer, toDer } from './ber-reader.ts'
import { BerFeed, type BerReader, type Reading, readWhole } from './ber-stream.ts'
import { parseDer } from './der-reader.ts'
import { der, octetString, sequence } from './der-writer.ts'
import { ASN1_DEPTH_MAX, TAG } from './tlv.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

function* readOctets(reader: BerReader): Reading<string> {
  const slices: Uint8Array[] = []
  yield* reader.octets((slice) => slices.push(slice), 'a string')
  return hex(concatBytes(slices))
}

/** A SEQUENCE of one string and one element that is skipped. */
function* readPair(reader: BerReader): Reading<string> {
  yield* reader.enter(TAG.SEQUENCE, 'a sequence')
  const text = yield* readOctets(reader)
  yield* reader.skip()
  yield* reader.leave()
  return text
}

const strings: readonly [ber: string, octets: string | undefined, why: string][] = [
  ['04 03 616263', '616263', 'primitive'],
  ['04 81 03 616263', '616263', 'length longer than needed'],
  ['04 83 000003 616263', '616263', 'length longer than needed, with zeros'],
  ['04 00', '', 'empty'],
  ['24 05 04 03 616263', '616263', 'constructed, definite length'],
  ['24 80 04 03 616263 0000', '616263', 'constructed, indefinite length'],
  ['24 80 0000', '', 'no pieces'],
  ['24 80 04 00 04 01 61 04 00 04 02 6263 0000', '616263', 'empty pieces'],
  ['24 80 24 80 04 01 61 0000 24 04 04 02 6263 0000', '616263', 'pieces in pieces (X.690 §8.7.3.2)'],
  ['24 80 04 81 01 61 04 02 6263 0000', '616263', 'piece with a long length'],
  ['04 03 6162', undefined, 'cut off'],
  ['24 80 04 03 616263 00', undefined, 'cut off in the end-of-contents'],
  ['24 80 04 03 616263', undefined, 'no end-of-contents'],
  ['24 04 04 03 616263', undefined, 'piece longer than the string'],
  ['24 80 02 01 61 0000', undefined, 'an INTEGER among the pieces'],
  ['04 80 616263 0000', undefined, 'primitive of indefinite length'],
  ['04 87 00000000000003 616263', undefined, 'length of seven octets'],
  ['04 03 616263 00', undefined, 'bytes left over'],
  ['0c 03 616263', undefined, 'another type'],
  ['1f 03 616263', undefined, 'tag number above 30'],
  ['', undefined, 'nothing at all'],
]

for (const [ber, octets, why] of strings)
  test(`a string, whole and byte by byte: ${why}`, () => {
    const whole = readWhole(bytes(ber), readOctets)
    assert.equal(whole.ok ? whole.value : undefined, octets)
    const feed = new BerFeed(readOctets)
    let early: string | undefined
    for (const octet of bytes(ber)) early ??= feed.push(Uint8Array.of(octet))
    const pushed = feed.end()
    assert.deepEqual(pushed, whole)
    if (early !== undefined) assert.equal(octets, undefined, 'only what is wrong is refused early')
  })

const pairs: readonly [ber: string, octets: string | undefined, why: string][] = [
  ['30 07 04 02 6162 02 01 05', '6162', 'definite'],
  ['30 80 04 02 6162 02 01 05 0000', '6162', 'indefinite'],
  ['30 80 04 02 6162 30 80 30 80 0000 02 01 05 0000 0000', '6162', 'an indefinite element is skipped'],
  ['30 06 04 02 6162 02 01 05', undefined, 'element beyond the end of its sequence'],
  ['30 08 04 02 6162 02 01 05 00', undefined, 'half an element behind'],
  ['30 0a 04 02 6162 02 01 05 02 01 05', undefined, 'one element too many'],
  ['30 04 04 02 6162', undefined, 'one element too few'],
  ['30 08 30 80 04 02 6162 0000', undefined, 'another structure'],
  ['30 07 24 80 04 02 6162 02 01 05 0000', undefined, 'indefinite element across the end of a definite one'],
]

for (const [ber, octets, why] of pairs)
  test(`a sequence: ${why}`, () => {
    for (const size of [1, 2, 3, 5, 100]) {
      const feed = new BerFeed(readPair)
      const input = bytes(ber)
      for (let at = 0; at < input.length; at += size) feed.push(input.subarray(at, at + size))
      const result = feed.end()
      assert.equal(result.ok ? result.value : undefined, octets, `pieces of ${size}`)
    }
  })

test('nesting is bounded, in strings and in what is skipped', () => {
  const deep = (tag: string) => bytes(tag.repeat(ASN1_DEPTH_MAX + 5))
  assert.deepEqual(readWhole(deep('2480'), readOctets), { ok: false, error: 'nested too deeply' })
  const skipped = concatBytes([bytes('3080040161'), deep('3080')])
  assert.deepEqual(readWhole(skipped, readPair), { ok: false, error: 'nested too deeply' })
  assert.equal(parseBer(deep('3080')).ok, false)
})

test('an element is kept only up to its limit, also when its length is not said beforehand', () => {
  const readElement = (limit: number) =>
    function* (reader: BerReader): Reading<number> {
      return (yield* reader.element(limit)).length
    }
  const definite = sequence(octetString(randomBytes(1000)))
  const indefinite = concatBytes([bytes('3080'), octetString(randomBytes(1000)), bytes('0000')])
  for (const element of [definite, indefinite]) {
    assert.deepEqual(readWhole(element, readElement(2000)), { ok: true, value: element.length })
    assert.deepEqual(readWhole(element, readElement(900)), { ok: false, error: 'element too large' })
  }
})

test('a string of one-octet pieces is gathered into few slices', () => {
  const pieces = Buffer.alloc(3 * 200_000)
  for (let at = 0; at < pieces.length; at += 3) pieces.set([4, 1, at % 251], at)
  const slices: Uint8Array[] = []
  const result = readWhole(concatBytes([bytes('2480'), pieces, bytes('0000')]), (reader) =>
    reader.octets((slice) => slices.push(slice), 'a string'),
  )
  assert(result.ok)
  assert.equal(concatBytes(slices).length, 200_000)
  assert(slices.length < 20, `${slices.length} slices`)
})

test('a long string is not copied', () => {
  const content = randomBytes(100_000)
  const slices: Uint8Array[] = []
  const input = octetString(content)
  readWhole(input, (reader) => reader.octets((slice) => slices.push(slice), 'a string'))
  assert.equal(slices.length, 1)
  assert.equal(slices[0]?.buffer, input.buffer)
})

const derForms: readonly [ber: string, der: string, why: string][] = [
  ['30 80 02 01 05 0000', '3003020105', 'indefinite length'],
  ['30 81 03 02 01 05', '3003020105', 'long length'],
  ['31 80 02 01 07 02 01 05 0000', '3106020105020107', 'SET OF is sorted'],
  ['24 80 04 01 61 04 01 62 0000', '04026162', 'string in pieces'],
  ['30 80 24 80 0000 05 00 0000', '300404000500', 'nothing in a string'],
  ['a0 80 31 80 0000 0000', 'a0023100', 'context tags keep their order and tag'],
]

for (const [ber, expected, why] of derForms)
  test(`BER is written again as DER: ${why}`, () => {
    const node = parseBer(bytes(ber))
    assert(node.ok)
    assert.equal(hex(node.value.raw), ber.replaceAll(' ', ''))
    assert.equal(hex(toDer(node.value)), expected)
    assert(parseDer(bytes(expected)).ok)
  })

test('strings of implicit tag are joined, other types are not', () => {
  const node = parseBer(bytes('a0 80 04 01 61 04 01 62 0000'))
  assert(node.ok)
  assert.equal(hex(joinedOctets(node.value, 0x80) ?? Buffer.from('none')), '6162')
  assert.equal(joinedOctets(node.value), undefined)
  const wrong = parseBer(bytes('a0 80 04 01 61 02 01 62 0000'))
  assert(wrong.ok)
  assert.equal(joinedOctets(wrong.value, 0x80), undefined)
})

test('the number of elements in memory is bounded', () => {
  const many = der(TAG.SEQUENCE, ...Array.from({ length: 30_000 }, () => bytes('0500')))
  assert.deepEqual(parseBer(many), { ok: false, error: 'too many elements' })
})
