/**
 * RSASSA-PSS says in its parameters how it is to be checked: digest, mask, salt length, trailer (RFC 4055 §3.1). They stand
 * outside of what is signed. A fooled program takes a weaker digest from them than was signed with, any salt, any trailer,
 * or the wrong octets of an encoded block that it does not look at (RFC 8017 §9.1.2).
 */
import assert from 'node:assert/strict'
import { constants, createHash, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { NULL, contextTagged, integer, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { digestByName } from '../../src/protection/smime/algorithms.ts'
import { checkSignature } from '../../src/protection/smime/check-signature.ts'
import { rawSign } from '../support/raw-rsa.ts'
import { smimeIdentity } from '../support/smime-identity.ts'

const { key, certificate } = smimeIdentity('rsa-2048', 'alice@peer.example')
const MESSAGE = Buffer.from('Pay 100 yen')
const HASH_OIDS = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const
type Hash = keyof typeof HASH_OIDS

interface Parameters {
  readonly hash?: Hash
  readonly mask?: Hash
  readonly salt?: number
  readonly trailer?: number
}

const hashId = (hash: Hash): Uint8Array => sequence(oid(HASH_OIDS[hash]), NULL)

/** What is not said is left out, and means SHA-1, a salt of 20, and trailer 1. */
const parametersDer = ({ hash, mask, salt, trailer }: Parameters): Uint8Array =>
  sequence(
    ...(hash === undefined ? [] : [contextTagged(0, hashId(hash))]),
    ...(mask === undefined ? [] : [contextTagged(1, sequence(oid('1.2.840.113549.1.1.8'), hashId(mask)))]),
    ...(salt === undefined ? [] : [contextTagged(2, integer(salt))]),
    ...(trailer === undefined ? [] : [contextTagged(3, integer(trailer))]),
  )

const holds = (signature: Uint8Array, parameters: Uint8Array | undefined, beside: Hash = 'sha256'): boolean =>
  checkSignature({
    algorithm: { oid: '1.2.840.113549.1.1.10', ...(parameters === undefined ? {} : { parameters }) },
    digest: digestByName(beside),
    key: certificate.publicKey,
    message: MESSAGE,
    signature,
  }).ok

const signed = (hash: Hash, saltLength: number): Buffer =>
  sign(hash, MESSAGE, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
const RIGHT = { hash: 'sha256', mask: 'sha256', salt: 32 } as const

describe('parameters', () => {
  test('the right ones hold, with any salt that they say', () => {
    for (const salt of [0, 20, 32, 64, 222])
      assert.equal(holds(signed('sha256', salt), parametersDer({ ...RIGHT, salt })), true)
  })

  const wrong: readonly [parameters: Parameters, beside: Hash, why: string][] = [
    [{ ...RIGHT, salt: 0 }, 'sha256', 'a shorter salt'],
    [{ ...RIGHT, salt: 33 }, 'sha256', 'a longer salt'],
    [{ ...RIGHT, salt: 2 ** 31 }, 'sha256', 'an absurd salt'],
    [{ hash: 'sha256', mask: 'sha256' }, 'sha256', 'the salt left out: it is 20'],
    [{ ...RIGHT, trailer: 2 }, 'sha256', 'trailer 2'],
    [{ ...RIGHT, trailer: 188 }, 'sha256', 'the trailer’s octet as its number'],
    [{ mask: 'sha256', salt: 32 }, 'sha256', 'the digest left out: it is SHA-1'],
    [{ hash: 'sha256', salt: 32 }, 'sha256', 'the mask left out: it is SHA-1’s'],
    [{ ...RIGHT, hash: 'sha1' }, 'sha256', 'SHA-1 named instead'],
    [{ ...RIGHT, hash: 'sha1' }, 'sha1', 'SHA-1 named instead, beside it too'],
    [{ ...RIGHT, hash: 'sha512' }, 'sha512', 'SHA-512 named instead'],
    [{ ...RIGHT, mask: 'sha512' }, 'sha256', 'another mask'],
    [RIGHT, 'sha512', 'another digest beside it'],
    [{}, 'sha256', 'nothing said'],
  ]
  for (const [parameters, beside, why] of wrong)
    test(`${why}: refused`, () => assert.equal(holds(signed('sha256', 32), parametersDer(parameters), beside), false))

  test('none at all, NULL, and fields twice or in disorder: refused', () => {
    const [hash, mask, salt] = [
      contextTagged(0, hashId('sha256')),
      contextTagged(1, sequence(oid('1.2.840.113549.1.1.8'), hashId('sha256'))),
      contextTagged(2, integer(32)),
    ]
    for (const parameters of [
      undefined,
      NULL,
      sequence(hash, hash, mask, salt),
      sequence(hash, mask, salt, salt),
      sequence(hash, mask, salt, contextTagged(4, integer(1))),
    ])
      assert.equal(holds(signed('sha256', 32), parameters), false)
  })

  test('PSS is not PKCS #1 v1.5, nor the other way about', () => {
    const base = { digest: digestByName('sha256'), key: certificate.publicKey, message: MESSAGE }
    const pkcs1 = { oid: '1.2.840.113549.1.1.11', parameters: NULL }
    assert.equal(checkSignature({ ...base, algorithm: pkcs1, signature: signed('sha256', 32) }).ok, false)
    assert.equal(holds(sign('sha256', MESSAGE, key), parametersDer(RIGHT)), false)
  })
})

const BYTES = 256
const SALT = Buffer.alloc(32, 7)
const digestOf = (hash: Hash, ...pieces: Uint8Array[]): Buffer =>
  createHash(hash).update(Buffer.concat(pieces)).digest()
function mgf1(hash: Hash, seed: Uint8Array, lengthBytes: number): Buffer {
  const pieces = Array.from({ length: 8 }, (_, i) => digestOf(hash, seed, Uint8Array.of(0, 0, 0, i)))
  return Buffer.concat(pieces).subarray(0, lengthBytes)
}

interface Block {
  readonly zeros?: number
  readonly separator?: number
  readonly trailer?: number
  readonly top?: number
  readonly mask: Hash
}

/** EMSA-PSS (RFC 8017 §9.1.1) with whatever is said otherwise. */
function block({ zeros = 0, separator = 1, trailer = 0xbc, top = 0, mask }: Block): Buffer {
  const hashed = digestOf('sha256', Buffer.alloc(8), digestOf('sha256', MESSAGE), SALT)
  const length = BYTES - hashed.length - 1
  const data = Buffer.alloc(length, zeros)
  data[length - SALT.length - 1] = separator
  data.set(SALT, length - SALT.length)
  const masked = data.map((octet, i) => octet ^ (mgf1(mask, hashed, length)[i] ?? 0))
  masked[0] = ((masked[0] ?? 0) & 0x7f) | top
  return Buffer.concat([masked, hashed, Uint8Array.of(trailer)])
}

/** OpenSSL checks the one, our own code the other. */
for (const mask of ['sha256', 'sha512'] as const)
  describe(`the encoded block, mask by ${mask}`, () => {
    const parameters = parametersDer({ ...RIGHT, mask })
    const ofBlock = (changes: Omit<Block, 'mask'>): boolean =>
      holds(rawSign(key, block({ ...changes, mask })), parameters)
    test('the right one holds', () => assert.equal(ofBlock({}), true))
    const wrong: readonly [changes: Omit<Block, 'mask'>, why: string][] = [
      [{ zeros: 1 }, 'octets in the place of the zeros'],
      [{ separator: 2 }, 'another separator'],
      [{ separator: 0 }, 'no separator'],
      [{ trailer: 0xcc }, 'the trailer of another standard'],
      [{ trailer: 0 }, 'no trailer'],
    ]
    for (const [changes, why] of wrong) test(`${why}: refused`, () => assert.equal(ofBlock(changes), false))
    test('any changed octet: refused', () => {
      const good = rawSign(key, block({ mask }))
      for (let at = 0; at < BYTES; at += 5) {
        const bent = Buffer.from(good)
        bent[at] = (bent[at] ?? 0) ^ 1
        assert.equal(holds(bent, parameters), false)
      }
      for (const length of [0, 1, 255, 257])
        assert.equal(holds(Buffer.concat([good, Buffer.alloc(1)]).subarray(0, length), parameters), false)
    })
  })
