/**
 * Forged RSA signatures with exponent 3 (Bleichenbacher, rump session of CRYPTO 2006, CVE-2006-4339; BERserk,
 * CVE-2014-1568). With a small exponent a number whose cube begins like a padded digest is easy to find; a fooled program
 * reads the padding from the left and does not look at what is left over, or at how the lengths are written.
 */
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, publicDecrypt, constants } from 'node:crypto'
import { test } from 'node:test'
import { rawSign, toBytes, toNumber } from '../support/raw-rsa.ts'
import { NULL, der, integer, octetString, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { parseDer } from '../../src/protection/smime/asn1/der-reader.ts'
import { attempt } from '../../src/protection/malformed.ts'
import { readPublicKey } from '../../src/protection/smime/public-key.ts'
import { verifySignature } from '../../src/protection/smime/check-signature.ts'

const BITS = 2048
const BYTES = BITS / 8
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: BITS, publicExponent: 3 })
const MESSAGE = Buffer.from('Pay 9999 yen')
const DIGEST = createHash('sha256').update(MESSAGE).digest()
const SHA256_OID = oid('2.16.840.1.101.3.4.2.1')
const DIGEST_INFO = sequence(sequence(SHA256_OID, NULL), octetString(DIGEST))
const RSA_SHA256 = { oid: '1.2.840.113549.1.1.11', parameters: NULL }

const verifies = (signature: Uint8Array): boolean =>
  verifySignature({ algorithm: RSA_SHA256, key: publicKey, message: MESSAGE, signature }).ok

/** The smallest number whose cube is not less than `value`. */
function cubeRoot(value: bigint): bigint {
  let low = 0n
  let high = 1n << BigInt(Math.ceil(BITS / 3) + 1)
  while (low < high) {
    const middle = (low + high) >> 1n
    if (middle ** 3n < value) low = middle + 1n
    else high = middle
  }
  return low
}

/** A number whose cube begins with `prefix`; the rest is garbage. */
function forge(prefix: Uint8Array): Buffer {
  const block = Buffer.alloc(BYTES)
  block.set(prefix)
  const root = cubeRoot(toNumber(block))
  const found = publicDecrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, toBytes(root, BYTES))
  assert(found.subarray(0, prefix.length).equals(Buffer.from(prefix)), 'the forgery is one')
  return toBytes(root, BYTES)
}

/** A number whose cube ends with `suffix`, which must be odd: the root modulo a power of two, bit by bit. */
function forgeEnd(suffix: Uint8Array): Buffer {
  const wanted = toNumber(suffix)
  let root = 1n
  for (let bit = 1n; bit < BigInt(suffix.length * 8); bit++)
    if ((((root ** 3n) ^ wanted) >> bit) & 1n) root |= 1n << bit
  const cube = root ** 3n % (1n << BigInt(suffix.length * 8))
  assert.equal(cube, wanted, 'the forgery is one')
  return toBytes(root, BYTES)
}

const paddedWith = (count: number, info: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(count, 0xff), Buffer.from([0]), info])

/** What a lenient reader takes for the digest. */
const PREFIXES: readonly [why: string, block: Uint8Array][] = [
  ['garbage behind the digest', paddedWith(8, DIGEST_INFO)],
  ['no padding but one octet', paddedWith(1, DIGEST_INFO)],
  ['no padding at all', paddedWith(0, DIGEST_INFO)],
  ['DigestInfo without NULL', paddedWith(8, sequence(sequence(SHA256_OID), octetString(DIGEST)))],
  ['the digest alone', paddedWith(8, DIGEST)],
  ['another block type', Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(8, 0xff), Buffer.from([0]), DIGEST_INFO])],
  ['a length of many octets (BERserk)', paddedWith(8, berserk(0x8f))],
  [
    'parameters that would hold the garbage',
    paddedWith(
      8,
      Buffer.from(sequence(sequence(SHA256_OID, der(TAG.OCTET_STRING, Buffer.alloc(20))), octetString(DIGEST))),
    ),
  ],
]

/** DigestInfo whose outermost length says how many length octets follow, and nothing reads them. */
function berserk(lengthOctets: number): Buffer {
  const inner = Buffer.from(DIGEST_INFO.subarray(2))
  return Buffer.concat([
    Buffer.from([TAG.SEQUENCE, lengthOctets]),
    Buffer.alloc((lengthOctets & 0x7f) - 1),
    Buffer.from([inner.length]),
    inner,
  ])
}

for (const [why, block] of PREFIXES)
  test(`a cube with ${why} is no signature`, () => assert.equal(verifies(forge(block)), false))

test('a cube that ends with the digest is no signature', () => {
  const odd = Buffer.from(DIGEST)
  odd[31] = (odd[31] ?? 0) | 1
  assert.equal(verifies(forgeEnd(odd)), false)
})

test('the same blocks, made with the private key: only the one right encoding counts', async (t) => {
  const raw = (block: Uint8Array): Buffer => rawSign(privateKey, block)
  const full = (info: Uint8Array): Buffer => paddedWith(BYTES - 3 - info.length, info)
  assert.equal(verifies(raw(full(DIGEST_INFO))), true)
  const wrong: readonly [why: string, block: Buffer][] = [
    ['the digest alone', full(DIGEST)],
    ['a BER length', full(Buffer.concat([Buffer.from([0x30, 0x81, DIGEST_INFO.length - 2]), DIGEST_INFO.subarray(2)]))],
    ['octets behind it', full(Buffer.concat([DIGEST_INFO, Buffer.from([0])]))],
    ['parameters that are not NULL', full(sequence(sequence(SHA256_OID, integer(0)), octetString(DIGEST)))],
    ['another digest’s name', full(sequence(sequence(oid('1.3.14.3.2.26'), NULL), octetString(DIGEST)))],
    [
      'padding of zeros',
      Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(BYTES - 3 - DIGEST_INFO.length), Buffer.from([0]), DIGEST_INFO]),
    ],
  ]
  for (const [why, block] of wrong) await t.test(why, () => assert.equal(verifies(raw(block)), false))
})

test('with exponent 1 every block is its own signature: such a key is none, nor is one with an even exponent', () => {
  const n = String(publicKey.export({ format: 'jwk' }).n)
  const spki = (exponent: string): Uint8Array => {
    const e = Buffer.from(exponent, 'hex').toString('base64url')
    return createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' }).export({ format: 'der', type: 'spki' })
  }
  const isRead = (der: Uint8Array): boolean => {
    const parsed = parseDer(der)
    assert(parsed.ok)
    return attempt(() => readPublicKey(parsed.value)).ok
  }
  for (const exponent of ['01', '02', '010000']) assert.equal(isRead(spki(exponent)), false, exponent)
  for (const exponent of ['03', '010001']) assert.equal(isRead(spki(exponent)), true, exponent)
})
