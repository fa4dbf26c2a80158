import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import test from 'node:test'
import { type ByteSink, Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { AEADS } from '../algorithms/aeads.ts'
import { cipherByName } from '../algorithms/ciphers.ts'
import { PACKET } from '../packets/packet.ts'
import { ChunkDecryption, ChunkEncryption } from './aead-chunks.ts'
import { type AeadHead, ContainerSink, newSeipd2Head } from './container.ts'
import { Seipd1Decryption, Seipd1Encryption } from './seipd1.ts'

const KEY = randomBytes(32)
const CIPHER = cipherByName('aes-256')

interface Case {
  readonly name: string
  readonly seal: (out: ByteSink) => ByteSink
  readonly open: (out: ByteSink) => ByteSink
}

const CASES: readonly Case[] = [
  {
    name: 'seipd1',
    seal: (out) => new Seipd1Encryption(CIPHER, KEY, out),
    open: (out) => new ContainerSink(PACKET.SEIPD, () => new Seipd1Decryption(CIPHER, KEY, out)),
  },
  ...AEADS.map((aead): Case => {
    const head = newSeipd2Head(CIPHER, aead, randomBytes(32))
    return {
      name: `seipd2 ${aead.name}`,
      seal(out) {
        out.write(concatBytes([head.info.subarray(1), head.salt]))
        return new ChunkEncryption(head, KEY, out)
      },
      open: (out) => new ContainerSink(PACKET.SEIPD, (read) => new ChunkDecryption(read as AeadHead, KEY, out)),
    }
  }),
]

function through(start: (out: ByteSink) => ByteSink, bytes: Uint8Array, chunkBytes = bytes.length || 1): Collector {
  const out = new Collector()
  const sink = start(out)
  for (let at = 0; at < bytes.length; at += chunkBytes) sink.write(bytes.subarray(at, at + chunkBytes))
  sink.end()
  return out
}

const joined = (out: Collector): Buffer => Buffer.concat(out.chunks)

function isBroken({ open }: Case, bytes: Uint8Array): boolean {
  const out = new Collector()
  try {
    const sink = open(out)
    sink.write(bytes)
    sink.end()
  } catch (error) {
    assert(error instanceof Malformed, String(error))
    assert(!out.ended, 'changed, and yet proven')
    return true
  }
  return false
}

for (const each of CASES) {
  test(`${each.name}: what goes in comes out, in chunks of any size`, () => {
    for (const length of [0, 1, 5, 20, 22, 23, 5000, 65_535, 65_536, 65_537, 140_000]) {
      const plaintext = randomBytes(length)
      for (const chunkBytes of [1, 17, 4096, 200_000]) {
        if (chunkBytes === 1 && length > 5000) continue
        const sealed = joined(through(each.seal, plaintext, chunkBytes))
        const out = through(each.open, sealed, chunkBytes)
        assert(out.ended)
        assert(joined(out).equals(plaintext), `${length} octets in chunks of ${chunkBytes}`)
      }
    }
  })

  test(`${each.name}: a change of any octet breaks it`, () => {
    const sealed = joined(through(each.seal, randomBytes(100)))
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      assert(isBroken(each, changed), `octet ${at}`)
    }
  })

  test(`${each.name}: what is cut off or added breaks it`, () => {
    const sealed = joined(through(each.seal, randomBytes(70_000)))
    for (const kept of [0, 1, 5, 20, 35, 36, 37, 52, 60, 65_588, 65_589, sealed.length - 17, sealed.length - 16])
      assert(isBroken(each, sealed.subarray(0, kept)), `${kept} octets kept`)
    assert(isBroken(each, sealed.subarray(0, -1)))
    assert(isBroken(each, Buffer.concat([sealed, Uint8Array.of(0)])))
  })
}

test('chunks that change places, or are left out, break the message', () => {
  const each = CASES[1] ?? assert.fail()
  const sealed = joined(through(each.seal, randomBytes(4 * 65_536)))
  const head = sealed.subarray(0, 36)
  const chunk = (at: number): Uint8Array => sealed.subarray(36 + at * 65_552, 36 + (at + 1) * 65_552)
  const last = sealed.subarray(-16)
  const together = (order: readonly number[]): Buffer => Buffer.concat([head, ...order.map(chunk), last])
  assert(!isBroken(each, together([0, 1, 2, 3])))
  for (const order of [[1, 0, 2, 3], [0, 1, 2], [0, 2, 3], [0, 1, 2, 3, 3], []]) assert(isBroken(each, together(order)))
})

test('chunks of more than 4 MiB are refused before they are held', () => {
  const each = CASES[1] ?? assert.fail()
  const sealed = joined(through(each.seal, randomBytes(10)))
  const head = sealed.subarray(0, 36)
  head[3] = 17
  const sink = each.open(new Collector())
  assert.throws(() => sink.write(head), Malformed)
})
