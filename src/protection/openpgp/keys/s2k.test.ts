import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { argon2Sync, hash } from 'node:crypto'
import test from 'node:test'
import { Malformed } from '../../malformed.ts'
import { hashById } from '../algorithms/hashes.ts'
import { Cursor } from '../packets/cursor.ts'
import { type S2k, deriveFromPassword, readS2k, writeS2k } from './s2k.ts'

const SHA1 = hashById(2) ?? assert.fail()
const SHA256 = hashById(8) ?? assert.fail()
const SALT = Buffer.from('0102030405060708', 'hex')
const [PASSWORD, SECRET] = ['pässword', Buffer.from('pässword')]

const of = (name: string, ...octets: Uint8Array[]): Buffer => hash(name, Buffer.concat(octets), 'buffer')
/** Count 0: 1024 octets. */
const REPEATED = Buffer.alloc(1024, Buffer.concat([SALT, SECRET]))

const cases: readonly [s2k: S2k, keyBytes: number, key: Buffer][] = [
  [{ kind: 'simple', hash: SHA256 }, 16, of('sha256', SECRET)],
  [{ kind: 'simple', hash: SHA1 }, 32, Buffer.concat([of('sha1', SECRET), of('sha1', Buffer.alloc(1), SECRET)])],
  [{ kind: 'salted', hash: SHA256, salt: SALT }, 32, of('sha256', SALT, SECRET)],
  [{ kind: 'iterated', hash: SHA256, salt: SALT, count: 0 }, 32, of('sha256', REPEATED)],
  [
    { kind: 'iterated', hash: SHA1, salt: SALT, count: 0 },
    24,
    Buffer.concat([of('sha1', REPEATED), of('sha1', Buffer.alloc(1), REPEATED)]),
  ],
  [
    { kind: 'argon2', salt: Buffer.alloc(16, 9), passes: 1, lanes: 4, memory: 6 },
    32,
    argon2Sync('argon2id', {
      message: SECRET,
      nonce: Buffer.alloc(16, 9),
      parallelism: 4,
      tagLength: 32,
      memory: 64,
      passes: 1,
    }),
  ],
]
for (const [s2k, keyBytes, key] of cases)
  test(`${s2k.kind} makes ${keyBytes} octets, and reads back`, () => {
    assert.deepEqual(Buffer.from(deriveFromPassword(s2k, PASSWORD, keyBytes)), key.subarray(0, keyBytes))
    assert.deepEqual(readS2k(new Cursor(writeS2k(s2k))), s2k)
  })

test('a long password is hashed whole, however low the count', () => {
  const long = 'x'.repeat(2000)
  const s2k: S2k = { kind: 'iterated', hash: SHA256, salt: SALT, count: 0 }
  assert.deepEqual(Buffer.from(deriveFromPassword(s2k, long, 32)), of('sha256', SALT, Buffer.from(long)))
})

const costly: readonly [
  parameters: Pick<Extract<S2k, { kind: 'argon2' }>, 'passes' | 'lanes' | 'memory'>,
  why: string,
][] = [
  [{ passes: 1, lanes: 4, memory: 22 }, '4 GiB'],
  [{ passes: 255, lanes: 4, memory: 21 }, '255 passes over 2 GiB'],
  [{ passes: 0, lanes: 4, memory: 10 }, 'no pass'],
  [{ passes: 1, lanes: 0, memory: 10 }, 'no lane'],
  [{ passes: 1, lanes: 255, memory: 4 }, 'less than 8 KiB for each lane'],
]
for (const [parameters, why] of costly)
  test(`Argon2 is not run: ${why}`, () =>
    assert.throws(
      () => deriveFromPassword({ kind: 'argon2', salt: Buffer.alloc(16), ...parameters }, PASSWORD, 32),
      Malformed,
    ))

test('kinds and hashes that are not ours are passed over; what is cut off is malformed', () => {
  for (const text of ['650001', '0299', '03630102030405060708ff'])
    assert.equal(readS2k(new Cursor(Buffer.from(text, 'hex'))), undefined)
  assert.throws(() => readS2k(new Cursor(Buffer.from('0308010203', 'hex'))), Malformed)
})
