/**
 * Invalid curve points (Biehl, Meyer, Müller, CRYPTO 2000; Jager, Schwenk, Somorovsky, ESORICS 2015): the sender's one-time
 * key is a point of another curve, of small order, and the answer tells the recipient's private key modulo that order.
 * And their relatives on Curve25519, where the points of small order give a secret that everybody knows (RFC 7748 §6.1).
 */
import assert from 'node:assert/strict'
import { type KeyObject, createCipheriv, createECDH, createHash, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  bitString,
  contextTagged,
  integer,
  octetString,
  oid,
  sequence,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { issuerAndSerial } from '../../src/protection/smime/cms/entity-id.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { cbcEncrypt, forgeEnvelope } from '../support/forge-cms.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'

const KEY = Buffer.alloc(32, 5)
const CONTENT = Buffer.from('Content-Type: text/plain\r\n\r\nHello\r\n')
const BROKEN = { kind: 'broken', why: 'the message cannot be decrypted: the key or the content was changed' }

const WRAP = sequence(oid('2.16.840.1.101.3.4.1.45'))
const EC = { algorithm: sequence(oid('1.2.840.10045.2.1')), scheme: '1.3.132.1.11.1' }
const X25519 = { algorithm: sequence(oid('1.3.101.110')), scheme: '1.2.840.113549.1.9.16.3.19' }

/** The content key under the wrapping key that follows from `secret` (RFC 5753 §7.2, RFC 8418 §2.2). */
function wrappedKey(secret: Uint8Array, isHkdf: boolean): Buffer {
  const info = sequence(WRAP, contextTagged(2, octetString(Buffer.from([0, 0, 1, 0]))))
  const kdf = isHkdf
    ? hkdf(secret, info)
    : createHash('sha256')
        .update(secret)
        .update(Buffer.from([0, 0, 0, 1]))
        .update(info)
        .digest()
  const cipher = createCipheriv('id-aes256-wrap', kdf, Buffer.alloc(8, 0xa6))
  return Buffer.concat([cipher.update(KEY), cipher.final()])
}

const hmac = (key: Uint8Array, ...data: Uint8Array[]): Buffer => {
  const block = Buffer.alloc(64)
  block.set(key)
  const pad = (octet: number): Buffer => block.map((each) => each ^ octet) as Buffer
  const inner = createHash('sha256').update(pad(0x36)).update(Buffer.concat(data)).digest()
  return createHash('sha256').update(pad(0x5c)).update(inner).digest()
}
/** HKDF with SHA-256, no salt, 32 octets (RFC 5869 §2). */
const hkdf = (secret: Uint8Array, info: Uint8Array): Buffer =>
  hmac(hmac(Buffer.alloc(32), secret), info, Uint8Array.of(1))

/** An envelope by key agreement with this one-time point, sealed with the secret that the attacker hopes for. */
function sealed(kind: IdentityKind, point: Uint8Array, secret: Uint8Array): Buffer {
  const { certificate } = smimeIdentity(kind, 'bob@biglobe.example')
  const isX = kind === 'x25519'
  const { algorithm, scheme } = isX ? X25519 : EC
  const originator = contextTagged(0, contextTagged(1, algorithm, bitString(point)))
  const keys = sequence(sequence(issuerAndSerial(certificate), octetString(wrappedKey(secret, isX))))
  const info = contextTagged(1, integer(3), originator, sequence(oid(scheme), WRAP), keys)
  return forgeEnvelope({ to: { certificate }, contentKey: KEY, infos: [info], ciphertext: cbcEncrypt(KEY, CONTENT) })
}

const opened = (kind: IdentityKind, cms: Buffer) => openEnvelope(cms, [smimeIdentity(kind, 'bob@biglobe.example')])
const raw = (key: KeyObject): Buffer => Buffer.from(key.export({ format: 'raw-public' }))

describe('P-256', () => {
  const { certificate } = smimeIdentity('p256', 'bob@biglobe.example')
  const oneTime = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey: certificate.publicKey })
  const point = raw(oneTime.publicKey)

  test('an honest point opens', () => assert.equal(opened('p256', sealed('p256', point, secret)).kind, 'decrypted'))

  const off = Buffer.from(point)
  off[64] = (off[64] ?? 0) ^ 1
  const zero = Buffer.concat([Uint8Array.of(4), Buffer.alloc(64)])
  const beyond = Buffer.concat([Uint8Array.of(4), Buffer.alloc(64, 0xff)])
  const other = createECDH('secp256k1').generateKeys()
  /** On y² = x³ - 3x + 1, that is, on a curve of the same form with another b. */
  const small = Buffer.concat([Uint8Array.of(4), Buffer.alloc(63), Uint8Array.of(1)])
  const points: readonly [why: string, point: Uint8Array][] = [
    ['a point off the curve', off],
    ['the origin', zero],
    ['coordinates beyond the field', beyond],
    ['a point of another curve of that size', other],
    ['a point of a curve with another b', small],
    ['infinity', Uint8Array.of(0)],
    ['infinity, long', Buffer.alloc(65)],
    ['nothing', new Uint8Array()],
    ['half a point', point.subarray(0, 33)],
    ['a point and more', Buffer.concat([point, Buffer.alloc(1)])],
    [
      'a hybrid encoding that lies',
      Buffer.concat([Uint8Array.of(6 + ((point[64] ?? 0) % 2 === 0 ? 1 : 0)), point.subarray(1)]),
    ],
    ['a compressed x of no point', Buffer.concat([Uint8Array.of(2), Buffer.alloc(32, 0xff)])],
  ]
  for (const [why, each] of points)
    test(`${why}: broken, like any other`, () => {
      for (const guess of [secret, Buffer.alloc(32), each.subarray(1, 33)])
        assert.deepEqual(opened('p256', sealed('p256', each, Buffer.from(guess))), BROKEN)
    })
})

describe('X25519', () => {
  const { certificate } = smimeIdentity('x25519', 'bob@biglobe.example')
  const oneTime = generateKeyPairSync('x25519')
  const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey: certificate.publicKey })

  test('an honest key opens', () =>
    assert.equal(opened('x25519', sealed('x25519', raw(oneTime.publicKey), secret)).kind, 'decrypted'))

  const little = (hex: string): Buffer => Buffer.from(hex.padStart(64, '0'), 'hex').toReversed() as Buffer
  const P = (1n << 255n) - 19n
  const points: readonly [why: string, point: Uint8Array][] = [
    ['0', Buffer.alloc(32)],
    ['1', little('1')],
    ['p - 1', little((P - 1n).toString(16))],
    ['p', little(P.toString(16))],
    ['p + 1', little((P + 1n).toString(16))],
    ['order 8', Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex')],
    ['order 8, the other', Buffer.from('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', 'hex')],
    ['31 octets', Buffer.alloc(31, 9)],
    ['33 octets', Buffer.alloc(33, 9)],
  ]
  for (const [why, point] of points)
    test(`a key of small order or none, ${why}: the secret that everybody knows opens nothing`, () => {
      assert.deepEqual(opened('x25519', sealed('x25519', point, Buffer.alloc(32))), BROKEN)
    })
})
