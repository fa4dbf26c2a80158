/**
 * Psychic signatures (CVE-2022-21449): an ECDSA signature whose r and s are zero fits every message and every key, where
 * nobody checks their range. And its relatives: values of n and more, negative ones, and the many ways to write two numbers
 * that BER has (CVE-2020-13822, CVE-2020-14966), by which a signature changes that nobody changed.
 */
import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { test } from 'node:test'
import { digestByName } from '../../src/protection/smime/algorithms.ts'
import { checkSignature } from '../../src/protection/smime/check-signature.ts'
import { parseDer } from '../../src/protection/smime/asn1/der-reader.ts'
import { der, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { smimeIdentity } from '../support/smime-identity.ts'

const { key, certificate } = smimeIdentity('p256', 'alice@peer.example')
const MESSAGE = Buffer.from('Pay 9999 yen')
const N = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
const P = BigInt('0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff')

const verifies = (signature: Uint8Array): boolean =>
  checkSignature({
    algorithm: { oid: '1.2.840.10045.4.3.2' },
    digest: digestByName('sha256'),
    key: certificate.publicKey,
    message: MESSAGE,
    signature,
  }).ok

/** Two's complement, as short as may be. */
function number(value: bigint): Uint8Array {
  const hex = BigInt.asUintN(512, value).toString(16).padStart(128, '0')
  let bytes = Buffer.from(hex, 'hex')
  while (
    bytes.length > 1 &&
    ((bytes[0] === 0 && (bytes[1] ?? 0) < 0x80) || (bytes[0] === 0xff && (bytes[1] ?? 0) >= 0x80))
  )
    bytes = bytes.subarray(1)
  return der(TAG.INTEGER, bytes)
}
const signature = (r: bigint, s: bigint): Uint8Array => sequence(number(r), number(s))

test('no pair of special numbers is a signature', () => {
  const special = [0n, 1n, 2n, -1n, N - 1n, N, N + 1n, 2n * N, P - N, P, 1n << 256n, 1n << 300n]
  for (const r of special) for (const s of special) assert.equal(verifies(signature(r, s)), false, `${r} ${s}`)
})

function valuesOf(good: Uint8Array): [r: bigint, s: bigint] {
  const parsed = parseDer(good)
  assert(parsed.ok)
  const [r, s] = parsed.value.children.map(({ content }) => BigInt(`0x${Buffer.from(content).toString('hex')}`))
  assert(r !== undefined && s !== undefined)
  return [r, s]
}

const good = sign('sha256', MESSAGE, key)
const [r, s] = valuesOf(good)
const [rDer, sDer] = [number(r), number(s)]

test('the signature itself holds; so does its twin with n - s, over the same message and nothing else', () => {
  assert.equal(verifies(good), true)
  assert.equal(verifies(signature(r, N - s)), true)
})

const padded = (value: Uint8Array): Uint8Array => der(TAG.INTEGER, Uint8Array.of(0), value.subarray(2))
const WRITTEN: readonly [why: string, bytes: Uint8Array][] = [
  ['r + n', signature(r + N, s)],
  ['s + n', signature(r, s + N)],
  ['-s', signature(r, -s)],
  ['a zero more before r', sequence(padded(rDer), sDer)],
  ['a zero more before s', sequence(rDer, padded(sDer))],
  ['a length in two octets', Buffer.concat([Uint8Array.of(TAG.SEQUENCE, 0x81, good.length - 2), good.subarray(2)])],
  ['an indefinite length', Buffer.concat([Uint8Array.of(TAG.SEQUENCE, 0x80), good.subarray(2), Uint8Array.of(0, 0)])],
  ['octets behind it', Buffer.concat([good, Uint8Array.of(0)])],
  ['a third number', sequence(rDer, sDer, number(1n))],
  ['one number', sequence(rDer)],
  ['the numbers without DER', Buffer.concat([rDer.subarray(-32), sDer.subarray(-32)])],
  ['a SET', der(TAG.SET, rDer, sDer)],
  ['nothing', new Uint8Array()],
]
for (const [why, bytes] of WRITTEN) test(`${why}: no signature`, () => assert.equal(verifies(bytes), false))

test('EdDSA: no small-order or zero signature, no s beyond the group order, for an honest key', () => {
  const edwards = smimeIdentity('ed25519', 'alice@peer.example')
  const check = (value: Uint8Array): boolean =>
    checkSignature({
      algorithm: { oid: '1.3.101.112' },
      key: edwards.certificate.publicKey,
      message: MESSAGE,
      signature: value,
    }).ok
  const right = sign(undefined, MESSAGE, edwards.key)
  assert.equal(check(right), true)
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const little = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
  const beyond = Buffer.from((little(right.subarray(32)) + order).toString(16).padStart(64, '0'), 'hex').toReversed()
  const identity = Buffer.alloc(32)
  identity[0] = 1
  for (const value of [
    Buffer.alloc(64),
    Buffer.concat([identity, Buffer.alloc(32)]),
    Buffer.concat([Buffer.alloc(32), identity]),
    Buffer.concat([right.subarray(0, 32), beyond]),
    right.subarray(0, 63),
    Buffer.concat([right, Buffer.alloc(1)]),
  ])
    assert.equal(check(value), false)
})
