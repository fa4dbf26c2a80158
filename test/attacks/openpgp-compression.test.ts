/**
 * Compressed packets that become very many octets, or ever more packets: bombs, and the quine that decompresses to itself
 * (CVE-2013-4402, with which GnuPG never came to an end). A quine is cut off like anything that is nested too deeply.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deflateRawSync, deflateSync } from 'node:zlib'
import { concatBytes } from '../../src/base/bytes.ts'
import { PACKET, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { CFB, ENTITY, SECRET, captured, literalOf, mailWith, receivedByBob, shown } from '../support/openpgp-attack.ts'

/** Of one mail; the machine may be busy. */
const MS_MAX = 10_000
const MEMORY_MAX_BYTES = 400 * 2 ** 20
const BOMB_BYTES = 100 * 2 ** 20

const zip = (within: Uint8Array): Uint8Array =>
  writePacket(PACKET.COMPRESSED, concatBytes([Uint8Array.of(1), deflateRawSync(within)]))
const zlib = (within: Uint8Array): Uint8Array =>
  writePacket(PACKET.COMPRESSED, concatBytes([Uint8Array.of(2), deflateSync(within)]))
const times = (count: number, change: (within: Uint8Array) => Uint8Array, within: Uint8Array): Uint8Array =>
  count === 0 ? within : times(count - 1, change, change(within))

const plain = literalOf(ENTITY)
const huge = literalOf(`Content-Type: text/plain\r\n\r\n${'\0'.repeat(BOMB_BYTES)}`)

const BOMBS: readonly [why: string, within: Uint8Array][] = [
  ['100 MiB of zeros, ZIP', zip(huge)],
  ['100 MiB of zeros, ZLIB', zlib(huge)],
  ['100 MiB of zeros, compressed twice', zip(zip(huge))],
  ['100 MiB of packets that say nothing', zip(Buffer.alloc(BOMB_BYTES, Buffer.from([0xca, 3, 0x50, 0x47, 0x50])))],
  ['a harmless mail, compressed twenty times', times(20, zip, plain)],
  ['a compressed packet that never ends', zip(plain).subarray(0, -3)],
]

describe('compressed within encrypted', () => {
  test('a harmless mail, compressed once or twice, opens', () => {
    for (const within of [zip(plain), zlib(plain), zip(zlib(plain))])
      assert(shown(receivedByBob(mailWith(captured(CFB, within)))).includes(SECRET))
  })
  for (const [why, within] of BOMBS)
    test(`${why}: refused within bounds`, () => {
      const mail = mailWith(captured(CFB, within))
      assert(mail.length < 2 ** 21)
      const [startMs, before] = [performance.now(), process.memoryUsage().rss]
      const received = receivedByBob(mail)
      assert.equal(shown(received), '')
      assert.notEqual(received.outcome, 'valid')
      assert(performance.now() - startMs < MS_MAX, 'too slow')
      assert(process.memoryUsage().rss - before < MEMORY_MAX_BYTES, 'too much memory')
    })
})
