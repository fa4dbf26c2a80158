/**
 * Oracles of OpenPGP: who holds a captured message sends variants, and learns from the answers what is inside. The octets that
 * the prefix repeats (Mister and Zuccherato, SAC 2005), PKCS #1 padding (Bleichenbacher, CRYPTO 1998; Manger, CRYPTO 2001), the
 * checksum and the cipher of the session key (Klima and Rosa), packets within that make no sense (Maury, Reinhard, Levillain,
 * Gilbert: Format Oracles on OpenPGP, CT-RSA 2015; Beck, Zimmermann: Automating the Development of Chosen Ciphertext Attacks,
 * USENIX Security 2020). Here all that can be wrong behind a private key has one answer.
 */
import assert from 'node:assert/strict'
import { createCipheriv, generateKeyPairSync, hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { concatBytes } from '../../src/base/bytes.ts'
import { cipherById } from '../../src/protection/openpgp/algorithms/ciphers.ts'
import { CHANGED } from '../../src/protection/openpgp/encryption/changed.ts'
import { readContainerHead } from '../../src/protection/openpgp/encryption/container.ts'
import { writeSessionKeyPackets } from '../../src/protection/openpgp/encryption/carriers.ts'
import {
  openContainer,
  openWhole,
  readSessionKeyPackets,
} from '../../src/protection/openpgp/encryption/open-container.ts'
import { writePkesk } from '../../src/protection/openpgp/encryption/pkesk.ts'
import { newKeyPacket } from '../../src/protection/openpgp/keys/key-packet.ts'
import { Cursor, writeMpi } from '../../src/protection/openpgp/packets/cursor.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { CFB, ENTITY, answered, bobsKey, literalOf, mailWith, receivedByBob } from '../support/openpgp-attack.ts'
import { rawEncrypt } from '../support/raw-rsa.ts'

const KEY = Buffer.alloc(32, 6)
const WITHIN = literalOf(ENTITY)
const BLOCK = 16

interface Flaws {
  readonly repeated?: Uint8Array
  readonly digest?: Uint8Array
  readonly mdcHeader?: Uint8Array
}

/** SEIPD of version 1 under KEY, with what may be wrong in it. */
function seipd1(within: Uint8Array, { repeated, digest, mdcHeader = Uint8Array.of(0xd3, 0x14) }: Flaws = {}): Packet {
  const random = Buffer.alloc(BLOCK, 0x77)
  const hashed = concatBytes([random, repeated ?? random.subarray(-2), within, mdcHeader])
  const plaintext = concatBytes([hashed, digest ?? hash('sha1', hashed, 'buffer')])
  const ciphertext = createCipheriv('aes-256-cfb', KEY, Buffer.alloc(BLOCK)).update(plaintext)
  return { type: PACKET.SEIPD, body: concatBytes([Uint8Array.of(1), ciphertext]) }
}

const [toBob] = readPackets(writeSessionKeyPackets([bobsKey()], { key: KEY, cipher: CFB.cipher }))
assert(toBob !== undefined)
const answerTo = (container: Packet, sessionKey: Packet = toBob): string =>
  answered(receivedByBob(mailWith([sessionKey, container])))

const WRONG = Buffer.alloc(20, 1)
const REFUSED = answerTo(seipd1(WITHIN, { digest: WRONG }))

test('what is right is opened, whatever the prefix repeats', () => {
  const right = answerTo(seipd1(WITHIN))
  assert.match(right, /decrypted/)
  assert.equal(answerTo(seipd1(WITHIN, { repeated: Uint8Array.of(1, 2) })), right)
})

/** A packet that does not end, or is none, and one that is right: only behind the digest may anybody tell them apart. */
const SENSELESS: readonly [why: string, within: Uint8Array][] = [
  ['no packet', Buffer.from('no packet begins like this')],
  ['nothing', new Uint8Array()],
  ['a packet that ends too early', WITHIN.subarray(0, -5)],
  [
    'a packet that says it is longer than all',
    concatBytes([Uint8Array.of(0xcb, 0xff, 0x7f, 0xff, 0xff, 0xff), WITHIN]),
  ],
  ['a compressed packet that is none', writePacket(PACKET.COMPRESSED, Buffer.from('\x01no deflate begins like this'))],
  ['an unknown compression', writePacket(PACKET.COMPRESSED, Buffer.from('\x63something'))],
  ['a bomb', writePacket(PACKET.COMPRESSED, concatBytes([Uint8Array.of(1), deflateRawSync(Buffer.alloc(30_000_000))]))],
  ['a signature', writePacket(PACKET.SIGNATURE, Buffer.alloc(30, 4))],
  ['a container within', writePacket(PACKET.SEIPD, Buffer.alloc(60, 1))],
  ['a critical packet that nobody knows', writePacket(39, Buffer.from('x'))],
]

describe('what is changed has one answer', () => {
  test('whatever the prefix repeats', () => {
    for (const second of [0x77, 0x76, 0])
      assert.equal(answerTo(seipd1(WITHIN, { digest: WRONG, repeated: Uint8Array.of(0x77, second) })), REFUSED)
  })
  test('whatever is wrong with the digest', () => {
    for (const mdcHeader of [Uint8Array.of(0xd3, 0x13), Uint8Array.of(0, 0)])
      for (const digest of [WRONG, undefined])
        assert.equal(answerTo(seipd1(WITHIN, { mdcHeader, ...(digest && { digest }) })), REFUSED)
  })
  for (const [why, within] of SENSELESS)
    test(`whatever is within: ${why}`, () => assert.equal(answerTo(seipd1(within, { digest: WRONG })), REFUSED))
  test('whatever cipher the session key is said to be for', () => {
    for (const cipherId of [0, 1, 2, 3, 7, 8, 11, 13, 99, 255]) {
      const cipher = cipherById(cipherId)
      const [sessionKey = assert.fail()] = readPackets(
        writeSessionKeyPackets([bobsKey()], { key: KEY, cipher: { ...(cipher ?? CFB.cipher), id: cipherId } }),
      )
      assert.equal(answerTo(seipd1(WITHIN), sessionKey), REFUSED, `${cipherId}`)
    }
  })
})

describe('RSA', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const packet = newKeyPacket({ version: 4, algorithm: 1, createdMs: 0, publicKeys: [publicKey] })
  const own = { packet, handles: [privateKey], certificate: packet.fingerprint }
  const BYTES = 256
  const checksum = (key: Uint8Array): Buffer => {
    const sum = key.reduce((total, octet) => total + octet, 0)
    return Buffer.from([(sum >> 8) & 0xff, sum & 0xff])
  }

  /** `00 02`, non-zero octets, `00`, the session key. */
  function pkcs1(octets: Uint8Array, { first = 0, second = 2 }: { first?: number; second?: number } = {}): Buffer {
    const block = Buffer.alloc(BYTES, 0x41)
    block.set([first, second])
    block[BYTES - octets.length - 1] = 0
    block.set(octets, BYTES - octets.length)
    return block
  }
  const sessionKey = (cipherId: number, key: Uint8Array, sum: Uint8Array = checksum(key)): Buffer =>
    Buffer.concat([Uint8Array.of(cipherId), key, sum])
  const right = sessionKey(9, KEY)

  const BLOCKS: readonly [why: string, block: Buffer][] = [
    ['another first octet', pkcs1(right, { first: 1 })],
    ['block type 1', pkcs1(right, { second: 1 })],
    ['no end of the padding', Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(BYTES - 2, 0x41)])],
    ['padding around nothing', pkcs1(new Uint8Array())],
    ['padding around one octet', pkcs1(Uint8Array.of(9))],
    ['another key', pkcs1(sessionKey(9, Buffer.alloc(32, 7)))],
    ['another checksum', pkcs1(sessionKey(9, KEY, Uint8Array.of(0, 0)))],
    ['a key that is too short', pkcs1(sessionKey(9, KEY.subarray(1)))],
    ['a key for another cipher', pkcs1(sessionKey(7, KEY))],
    ['a cipher that nobody knows', pkcs1(sessionKey(99, KEY))],
    ['a short key for a short cipher', pkcs1(sessionKey(7, KEY.subarray(16, 31)))],
    ['one', Buffer.concat([Buffer.alloc(BYTES - 1), Uint8Array.of(1)])],
    ['zero', Buffer.alloc(BYTES)],
  ]

  const pkeskOf = (block: Buffer): Packet => ({
    type: PACKET.PKESK,
    body: writePkesk(3, packet, writeMpi(rawEncrypt(publicKey, block)), false),
  })

  test('the right block opens', () =>
    assert.equal(openWhole([pkeskOf(pkcs1(right))], seipd1(WITHIN), { keys: [own] }).kind, 'decrypted'))

  for (const [why, block] of BLOCKS)
    test(`${why}: the answer is that of a container that was changed, after the same work`, () => {
      const pkesk = pkeskOf(block)
      assert.deepEqual(openWhole([pkesk], seipd1(WITHIN), { keys: [own] }), { kind: 'broken', why: CHANGED })
      assert.equal(runsOf(pkesk), 1)
    })

  test('the container is run once also for the right key of a container that was changed', () => {
    const pkesk = pkeskOf(pkcs1(right))
    assert.deepEqual(openWhole([pkesk], seipd1(WITHIN, { digest: WRONG }), { keys: [own] }), {
      kind: 'broken',
      why: CHANGED,
    })
    assert.equal(runsOf(pkesk), 1)
  })

  test('a packet that names nobody is not for us, whatever is wrong; the container is run once', () => {
    for (const [why, block] of [...BLOCKS, ['the right key', pkcs1(right)] as const]) {
      const body = writePkesk(3, packet, writeMpi(rawEncrypt(publicKey, block)), true)
      const pkesk = { type: PACKET.PKESK, body }
      assert.equal(openWhole([pkesk], seipd1(WITHIN, { digest: WRONG }), { keys: [own] }).kind, 'no-key', why)
      assert.equal(runsOf(pkesk), 1, why)
    }
  })

  test('a number that is larger than the modulus, or no number, has the same answer', () => {
    for (const fields of [
      writeMpi(Buffer.alloc(BYTES, 0xff)),
      writeMpi(Buffer.alloc(300, 0xff)),
      Uint8Array.of(8),
      new Uint8Array(),
    ]) {
      const pkesk = { type: PACKET.PKESK, body: writePkesk(3, packet, fields, false) }
      assert.deepEqual(openWhole([pkesk], seipd1(WITHIN), { keys: [own] }), { kind: 'broken', why: CHANGED })
    }
  })

  test('a session key that does not come out is replaced by the same each time', () => {
    const inputs = [0, 1].map(() => {
      const keys: string[] = []
      const head = readContainerHead(PACKET.SEIPD, new Cursor(Uint8Array.of(1)))
      const message = { ...readSessionKeyPackets([pkeskOf(Buffer.alloc(BYTES, 0))]), head }
      openContainer(message, { keys: [own] }, ({ key }) => void keys.push(Buffer.from(key).toString('hex')))
      return keys.join()
    })
    assert.match(inputs[0] ?? '', /^[0-9a-f]{64}$/)
    assert.equal(inputs[0], inputs[1])
  })

  /** How often a container is decrypted for this packet. */
  function runsOf(pkesk: Packet): number {
    let runs = 0
    const head = readContainerHead(PACKET.SEIPD, new Cursor(Uint8Array.of(1)))
    openContainer({ ...readSessionKeyPackets([pkesk]), head }, { keys: [own] }, () => void runs++)
    return runs
  }
})
