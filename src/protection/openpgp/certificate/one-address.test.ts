import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { concatBytes, fromLatin1, latin1 } from '../../../base/bytes.ts'
import { parseAddress } from '../../../message/address.ts'
import { PACKET, readPackets, writePacket } from '../packets/packet.ts'
import { certificatesForAddress } from './one-address.ts'

const ALICE = parseAddress('alice@a.example')

/** `K:primary S:binding U:alice@a.example` … */
function packets(text: string): Uint8Array {
  const types: Readonly<Record<string, number>> = {
    K: PACKET.PUBLIC_KEY,
    X: PACKET.SECRET_KEY,
    S: PACKET.SIGNATURE,
    U: PACKET.USER_ID,
    A: PACKET.USER_ATTRIBUTE,
    B: PACKET.PUBLIC_SUBKEY,
    T: PACKET.TRUST,
    M: PACKET.MARKER,
  }
  const words = text.split(' ').filter((word) => word !== '')
  return concatBytes(words.map((word) => writePacket(types[word.charAt(0)] ?? 0, fromLatin1(word.slice(2)))))
}

const shown = (bytes: Uint8Array): string =>
  readPackets(bytes)
    .map(({ body }) => latin1(body))
    .join(' ')

describe('a certificate cut down to one address', () => {
  const cases: readonly [packets: string, kept: readonly string[], why: string][] = [
    [
      'K:key S:direct U:Alice<alice@a.example> S:self S:other B:sub S:bind',
      ['key direct Alice<alice@a.example> self other sub bind'],
      'all of one that has no other',
    ],
    [
      'K:key U:bob@b.example S:s1 U:alice@a.example S:s2 B:sub S:s3',
      ['key alice@a.example s2 sub s3'],
      'another User ID',
    ],
    ['K:key U:alice@a.example S:s1 A:photo S:s2 T:trust B:sub S:s3', ['key alice@a.example s1 sub s3'], 'a photograph'],
    ['K:key U:ALICE@a.example S:s1', ['key ALICE@a.example s1'], 'case'],
    [
      'K:one U:alice@a.example S:s1 K:two U:alice@a.example S:s2',
      ['one alice@a.example s1', 'two alice@a.example s2'],
      'two',
    ],
    ['K:one U:bob@b.example S:s1 K:two U:alice@a.example S:s2', ['two alice@a.example s2'], 'one of two'],
    ['X:secret U:alice@a.example S:s1', [], 'a private key'],
    ['M:PGP K:key U:alice@a.example S:s1', ['key alice@a.example s1'], 'a marker before it'],
    ['U:alice@a.example S:s1', [], 'no key'],
    ['', [], 'nothing'],
  ]
  for (const [text, kept, why] of cases)
    test(why, () => {
      assert(ALICE !== undefined)
      const found = certificatesForAddress(packets(text), ALICE)
      assert.deepEqual(found.ok && found.value.map(shown), kept)
    })

  test('what is no packets', () => {
    assert(ALICE !== undefined)
    assert.equal(certificatesForAddress(fromLatin1('<html>'), ALICE).ok, false)
  })
})
