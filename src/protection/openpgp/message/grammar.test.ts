import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { type ByteSink, Collector } from '../../../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1 } from '../../../base/bytes.ts'
import { attempt } from '../../malformed.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { readMessage } from './grammar.ts'

const literal = (text: string): Uint8Array =>
  writePacket(PACKET.LITERAL, concatBytes([Uint8Array.of(0x62, 1, 0x61, 0, 0, 0, 0), fromLatin1(text)]))
const HI = literal('Hi')
const packet = (type: number, ...octets: number[]): Uint8Array => writePacket(type, Uint8Array.from(octets))
const compressed = (...inner: Uint8Array[]): Uint8Array =>
  writePacket(PACKET.COMPRESSED, concatBytes([Uint8Array.of(1), deflateRawSync(concatBytes(inner))]))
/** What is "decrypted" is what stands in it. */
const sealed = (...inner: Uint8Array[]): Uint8Array => writePacket(PACKET.SEIPD, concatBytes(inner))
const [PKESK, SKESK] = [packet(PACKET.PKESK, 3), packet(PACKET.SKESK, 4)]
const [ONE_PASS, SIGNATURE] = [packet(PACKET.ONE_PASS, 3), packet(PACKET.SIGNATURE, 4)]
const [MARKER, PADDING, UNKNOWN] = [packet(PACKET.MARKER, 0x50, 0x47, 0x50), packet(PACKET.PADDING, 0), packet(60, 1)]

const right: readonly [packets: readonly Uint8Array[], found: string, why: string][] = [
  [[HI], 'Hi', 'a literal'],
  [[compressed(HI)], 'Hi compressed', 'compressed'],
  [[ONE_PASS, HI, SIGNATURE], 'Hi 1 announced', 'signed'],
  [[SIGNATURE, HI], 'Hi 1', 'signed in the old style'],
  [[ONE_PASS, ONE_PASS, HI, SIGNATURE, SIGNATURE], 'Hi 2 announced', 'signed by two'],
  [[compressed(ONE_PASS, HI, SIGNATURE)], 'Hi 1 announced compressed', 'signed and compressed'],
  [[ONE_PASS, compressed(HI), SIGNATURE], 'Hi 1 announced compressed', 'compressed and signed'],
  [[PKESK, SKESK, PKESK, sealed(HI)], 'Hi encrypted by 3', 'encrypted for several'],
  [[sealed(HI)], 'Hi encrypted by 0', 'without session keys: nobody opens it, but it is one'],
  [[PKESK, sealed(ONE_PASS, HI, SIGNATURE, PADDING)], 'Hi 1 announced encrypted by 1', 'signed and encrypted'],
  [[PKESK, sealed(compressed(ONE_PASS, HI, SIGNATURE))], 'Hi 1 announced compressed encrypted by 1', 'all of it'],
  [[MARKER, PKESK, PADDING, sealed(UNKNOWN, HI, MARKER), PADDING], 'Hi encrypted by 1', 'with what is ignored'],
]

const wrong: readonly [packets: readonly Uint8Array[], why: string][] = [
  [[], 'nothing'],
  [[MARKER], 'nothing but a marker'],
  [[HI, HI], 'two contents'],
  [[HI, compressed(HI)], 'two contents, one compressed'],
  [[PKESK, sealed(HI), HI], 'a content behind the encrypted one'],
  [[HI, PKESK, sealed(HI)], 'a content before the encrypted one'],
  [[PKESK, sealed(HI, HI)], 'two contents inside'],
  [[PKESK, HI], 'a session key and a content that is not encrypted'],
  [[PKESK, SIGNATURE, sealed(HI)], 'a signature behind session keys'],
  [[SIGNATURE, PKESK, sealed(HI)], 'a signature outside of the encryption'],
  [[ONE_PASS, PKESK, sealed(HI), SIGNATURE], 'an announced signature outside of the encryption'],
  [[ONE_PASS, sealed(HI), SIGNATURE], 'the same without a session key'],
  [[PKESK, sealed(PKESK, sealed(HI))], 'encrypted twice'],
  [[compressed(PKESK, sealed(HI))], 'compressed outside of the encryption'],
  [[ONE_PASS, HI], 'the announced signature does not come'],
  [[HI, SIGNATURE], 'a signature behind that was not announced'],
  [[ONE_PASS, HI, SIGNATURE, SIGNATURE], 'one more than was announced'],
  [[ONE_PASS, SIGNATURE], 'signatures of nothing'],
  [[HI, ONE_PASS, SIGNATURE], 'a signature of nothing behind the content'],
  [[packet(PACKET.PUBLIC_KEY, 4), HI], 'a key'],
  [[packet(PACKET.USER_ID, 0x61), HI], 'a user id'],
  [[packet(PACKET.TRUST, 0), HI], 'trust'],
  [[packet(30), HI], 'a critical packet that is not known'],
  [[writePacket(PACKET.LITERAL, Uint8Array.of(0x62, 9, 0x61))], 'a literal that ends too early'],
  [[writePacket(PACKET.LITERAL, Uint8Array.of(0x3f, 0, 0, 0, 0, 0))], 'a literal of unknown format'],
  [[HI.subarray(0, -1)], 'a packet that ends too early'],
  [[compressed(compressed(compressed(compressed(compressed(HI)))))], 'compressed too often'],
  [[...Array.from({ length: 17 }, () => SIGNATURE), HI], 'too many signatures'],
  [[writePacket(PACKET.SIGNATURE, new Uint8Array(200_000)), HI], 'a signature that is too large'],
]

describe('a message', () => {
  for (const [packets, found, why] of right)
    test(why, () => {
      const whole = concatBytes(packets)
      assert.equal(read([whole]), found)
      assert.equal(read(Array.from(whole, (octet) => Uint8Array.of(octet))), found)
    })
})

describe('no message', () => {
  for (const [packets, why] of wrong)
    test(why, () => {
      const result = attempt(() => read([concatBytes(packets)]))
      assert.equal(result.ok, false)
    })
})

function read(chunks: readonly Uint8Array[]): string {
  const content = new Collector()
  let keys = 0
  const passing = (_type: number, sessionKeys: readonly unknown[], out: ByteSink): ByteSink => {
    keys = sessionKeys.length
    return out
  }
  const { sink, outline } = readMessage({ content, decrypt: passing })
  for (const chunk of chunks) sink.write(chunk)
  sink.end()
  assert.ok(content.ended)
  const { signatures, compressed: isCompressed, encrypted } = outline
  return [
    latin1(concatBytes(content.take())),
    ...(signatures.length > 0 ? [signatures.length] : []),
    ...(signatures.some(({ onePass }) => onePass !== undefined) ? ['announced'] : []),
    ...(isCompressed ? ['compressed'] : []),
    ...(encrypted ? [`encrypted by ${keys}`] : []),
  ].join(' ')
}
