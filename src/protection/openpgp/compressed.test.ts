import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { constants, deflateRawSync, deflateSync } from 'node:zlib'
import { Collector } from '../../base/byte-sink.ts'
import { attempt } from '../malformed.ts'
import { decompress, decompressingSink } from './compressed.ts'

const body = (algorithm: number, compressed: Uint8Array): Buffer => Buffer.concat([Buffer.of(algorithm), compressed])

function streamed(bytes: Uint8Array, chunkBytes: number): Buffer {
  const out = new Collector()
  const sink = decompressingSink(out)
  for (let at = 0; at < bytes.length; at += chunkBytes) sink.write(bytes.subarray(at, at + chunkBytes))
  sink.end()
  assert(out.ended)
  return Buffer.concat(out.chunks)
}

/** Bytes that nobody can predict, and everybody can make again. */
const noise = (length: number): Buffer => createHash('shake256', { outputLength: length }).update('noise').digest()

/** Some of it repeats, near and far. */
const mixed = Buffer.concat(
  Array.from({ length: 400 }, (_, at) => [Buffer.from(`line ${at * 7919}\r\n`), noise((at * 37) % 300)]).flat(),
)

const contents: readonly [content: Buffer, what: string][] = [
  [Buffer.alloc(0), 'nothing'],
  [Buffer.from('a'), 'a byte'],
  [Buffer.from('Hello, Hello, Hello'), 'a line'],
  [noise(200_000), 'noise'],
  [Buffer.alloc(900_000, 'Hello, world. '), 'the same again and again'],
  [mixed, 'a mixture'],
]
const ways: readonly [compressed: (content: Buffer) => Buffer, what: string][] = [
  [(content) => body(0, content), 'not compressed'],
  [(content) => body(1, deflateRawSync(content)), 'ZIP'],
  [(content) => body(1, deflateRawSync(content, { level: 0 })), 'ZIP, stored'],
  [(content) => body(1, deflateRawSync(content, { strategy: constants.Z_FIXED })), 'ZIP, fixed codes'],
  [(content) => body(1, deflateRawSync(content, { strategy: constants.Z_HUFFMAN_ONLY })), 'ZIP, no repetitions'],
  [(content) => body(1, deflateRawSync(content, { memLevel: 1 })), 'ZIP, short blocks'],
  [(content) => body(2, deflateSync(content)), 'ZLIB'],
]
for (const [content, what] of contents)
  for (const [compressed, way] of ways) {
    test(`${what}, ${way}`, () => {
      const bytes = compressed(content)
      assert(content.equals(decompress(bytes)))
      for (const chunkBytes of [Infinity, 1000, ...(bytes.length < 10_000 ? [1] : [])])
        assert(content.equals(streamed(bytes, chunkBytes)))
    })
    if (!way.startsWith('not'))
      test(`${what}, ${way}, with padding behind the end, as Sequoia writes`, () => {
        const bytes = Buffer.concat([compressed(content), noise(100_000)])
        assert(content.equals(decompress(bytes)))
        assert(content.equals(streamed(bytes, 1000)))
      })
    if (!way.startsWith('not'))
      test(`${what}, ${way}, cut off`, () => {
        // The checksum of ZLIB, four bytes, nobody looks at.
        const bytes = compressed(content).subarray(0, way === 'ZLIB' ? -5 : -1)
        assert(!attempt(() => decompress(bytes)).ok)
        assert(!attempt(() => streamed(bytes, 1000)).ok)
      })
  }

const refused: readonly [bytes: Buffer, why: string][] = [
  [Buffer.alloc(0), 'no algorithm'],
  [body(4, Buffer.from('abc')), 'an unknown algorithm'],
  [body(110, Buffer.from('abc')), 'a private algorithm'],
  [body(1, Buffer.alloc(0)), 'nothing compressed'],
  [body(1, Buffer.of(0xff)), 'a type of block that there is not'],
  [body(1, Buffer.of(1, 1, 0, 0, 0, 0)), 'a length of a stored block that is not its complement'],
  [body(1, Buffer.of(0x03, 0x02, 0x00)), 'a repetition of what was not there'],
  [body(2, Buffer.of(0x78)), 'half a header'],
  [body(2, Buffer.concat([Buffer.of(0x78, 0x9d), deflateRawSync('abc')])), 'a header whose check is wrong'],
  [body(2, Buffer.concat([Buffer.of(0x78, 0xbb), Buffer.alloc(4), deflateRawSync('abc')])), 'a dictionary'],
  [body(3, Buffer.from('BZh0')), 'bzip2 with blocks of no length'],
]
for (const [bytes, why] of refused)
  test(`refuses: ${why}`, () => {
    assert(!attempt(() => decompress(bytes)).ok)
    assert(!attempt(() => streamed(bytes, 1)).ok)
  })

/** Made by bzip2 1.0.8 with -9: an empty file, "Hello, Hello, Hello", 300 times the letter a, every byte 4 times. */
const bzip2: readonly [base64: string, content: Buffer][] = [
  ['QlpoORdyRThQkAAAAAA=', Buffer.alloc(0)],
  ['QlpoOTFBWSZTWSZMSSsAAAIVAEAEAEACBKAAIRQyDAMK6cxo+LuSKcKEgTJiSVg=', Buffer.from('Hello, Hello, Hello')],
  ['QlpoOTFBWSZTWadK4RsAAAKRAIAgIAAACCAAIKptQZjFR4u5IpwoSFOlcI2A', Buffer.alloc(300, 'a')],
  [
    'QlpoOTFBWSZTWZ+KakEAAAD/////////////////////////////////////////////wAKggAAkwAEwABMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFP//KqqAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABv/9VVQkwAEwABMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEmAAmAAJgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB+AH9/gCBAYICgwOEBIUFhn+DQ4PEBESExQVFhcYGRob/44Ojw+QEJERkhKTE5QUlRWWFpcXmBiZGZoamxucHJ0dnh6fH6AgoSGiIqMjpCSlJaYmpyeoKKkpqiqrK6wsrS2uLq8vsDCxMbIyszO0NLU1tja3N7g4uTm6Ors7vDy9Pb4+vz/AQMFBwkLDQ8RExUXGRsdHyEjJScpKy0vMTM1Nzk7PT9BQ0VHSUtNT1FTVVdZW11fYWNlZ2lrbW9xc3V3eXt9f4GDhYeJi42PkZOVl5mbnZ+ho6Wnqautr7Gztbe5u72/wcPFx8nLzc/R09XX2dvd3+Hj5efp/P9f3/n+4C/7AFDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD/w/+LuSKcKEhPxTUggA==',
    Buffer.from(Array.from({ length: 1024 }, (_, at) => at >> 2)),
  ],
]
for (const [base64, content] of bzip2)
  test(`bzip2: ${content.length} bytes`, () => {
    const bytes = body(3, Buffer.from(base64, 'base64'))
    assert(content.equals(decompress(bytes)))
    assert(content.equals(streamed(Buffer.concat([bytes, noise(100)]), 1)))
    assert(!attempt(() => decompress(bytes.subarray(0, -1))).ok)
  })

test('a bomb is found out before it has gone off', () => {
  const bomb = body(1, deflateRawSync(Buffer.alloc(80 * 2 ** 20)))
  for (const attempted of [attempt(() => decompress(bomb)), attempt(() => streamed(bomb, 1000))]) {
    assert(!attempted.ok)
    assert.match(attempted.error, /too large/)
  }
})

test('in memory there is a limit of its own', () => {
  const content = Buffer.alloc(65 * 2 ** 20, noise(2 ** 20))
  const bytes = body(0, content)
  assert(!attempt(() => decompress(bytes)).ok)
  assert.equal(streamed(bytes, 2 ** 20).length, content.length)
})
