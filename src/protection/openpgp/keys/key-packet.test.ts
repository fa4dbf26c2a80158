import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { hex } from '../../../base/bytes.ts'
import { isSameKey } from '../../key-object.ts'
import { Malformed } from '../../malformed.ts'
import { type NewKey, newKeyPacket, readPublicKeyPacket } from './key-packet.ts'

/** RFC 9580 A.3: the primary key and the subkey of the version 6 certificate. */
const PRIMARY = '0663877fe31b00000020f94da7bb48d60a61e567706a6587d0331999bb9d891a08242ead84543df895a3'
const SUBKEY = '0663877fe319000000208693248367f9e5015db922f8f48095dda784987f2d5985b12fbad16caf5e4435'

const read = (digits: string) => readPublicKeyPacket(Buffer.from(digits, 'hex'))
const publicKey = (type: string, options = {}): KeyObject =>
  (generateKeyPairSync as (type: string, options: object) => { publicKey: KeyObject })(type, options).publicKey

test('the key ids and fingerprints of RFC 9580 A.3', () => {
  const primary = read(PRIMARY)
  assert.equal(primary.fingerprint, 'cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9')
  assert.equal(hex(primary.keyId), 'cb186c4f0609a697')
  assert.deepEqual([primary.algorithmName, primary.createdMs], ['ed25519', Date.UTC(2022, 10, 30, 16, 8, 3)])
  assert.equal(read(SUBKEY).fingerprint, '12c83f1e706f6308fe151a417743a1f033790e93e9978488d1db378da9930885')
})

const kinds: readonly [kind: Omit<NewKey, 'createdMs'>, name: string][] = [
  [{ version: 4, algorithm: 1, publicKeys: [publicKey('rsa', { modulusLength: 2048 })] }, 'rsa-2048'],
  [{ version: 4, algorithm: 18, publicKeys: [publicKey('x25519')] }, 'x25519'],
  [{ version: 4, algorithm: 18, publicKeys: [publicKey('ec', { namedCurve: 'prime256v1' })] }, 'ec-p256'],
  [{ version: 6, algorithm: 19, publicKeys: [publicKey('ec', { namedCurve: 'secp521r1' })] }, 'ec-p521'],
  [
    { version: 4, algorithm: 19, publicKeys: [publicKey('ec', { namedCurve: 'brainpoolP384r1' })] },
    'ec-brainpoolp384r1',
  ],
  [{ version: 4, algorithm: 22, publicKeys: [publicKey('ed25519')] }, 'ed25519'],
  [{ version: 6, algorithm: 26, publicKeys: [publicKey('x448')] }, 'x448'],
  [{ version: 6, algorithm: 28, publicKeys: [publicKey('ed448')] }, 'ed448'],
  [{ version: 6, algorithm: 30, publicKeys: [publicKey('ed25519'), publicKey('ml-dsa-65')] }, 'ml-dsa-65+ed25519'],
  [{ version: 4, algorithm: 35, publicKeys: [publicKey('x25519'), publicKey('ml-kem-768')] }, 'ml-kem-768+x25519'],
]
for (const [kind, name] of kinds)
  test(`a ${name} key of version ${kind.version} reads back`, () => {
    const { fingerprint, body } = newKeyPacket({ ...kind, createdMs: 1_700_000_000_999 })
    const again = readPublicKeyPacket(body)
    assert.deepEqual(
      [again.algorithmName, again.fingerprint, again.createdMs, again.version],
      [name, fingerprint, 1_700_000_000_000, kind.version],
    )
    for (const [at, key] of kind.publicKeys.entries()) assert.ok(isSameKey(key, again.publicKeys[at] as KeyObject))
  })

const P256 = newKeyPacket({ ...(kinds[2]?.[0] as NewKey), createdMs: 0 }).body
const LEGACY = newKeyPacket({ ...(kinds[5]?.[0] as NewKey), createdMs: 0 }).body
const refused: readonly [body: Uint8Array, why: string][] = [
  [Buffer.from(PRIMARY.slice(0, -2), 'hex'), 'a key that ends too early'],
  [Buffer.from(`${PRIMARY}00`, 'hex'), 'a key with something behind it'],
  [Buffer.from(`05${PRIMARY.slice(2)}`, 'hex'), 'a version that is not known'],
  [Buffer.from(`03${PRIMARY.slice(2)}`, 'hex'), 'version 3'],
  [Buffer.concat([P256.subarray(0, -10), Buffer.alloc(6), P256.subarray(-4)]), 'a point that is not on its curve'],
  [LEGACY.with(LEGACY.length - 33, 0x41), 'a point in a form that is not known'],
  [Buffer.concat([P256.subarray(0, -2), Uint8Array.of(8)]), 'a key derivation that is cut off'],
  [Buffer.concat([P256.subarray(0, -3), Uint8Array.of(2, 8, 7)]), 'a key derivation of another version'],
]
for (const [body, why] of refused)
  test(`refused: ${why}`, () => assert.throws(() => readPublicKeyPacket(body), Malformed))

test('a key of an unknown algorithm has its fingerprint and cannot be used', () => {
  const unknown = read(`0663877fe363${PRIMARY.slice(12)}`)
  assert.deepEqual(
    [unknown.algorithmName, unknown.publicKeys.length, unknown.fingerprint.length],
    ['unknown-99', 0, 64],
  )
})

test('post-quantum signing keys are of version 6 only (RFC 9980)', () => {
  const key = newKeyPacket({ ...(kinds[8]?.[0] as NewKey), createdMs: 0 })
  const asVersion4 = Buffer.concat([Uint8Array.of(4), key.body.subarray(1, 6), key.body.subarray(10)])
  assert.equal(readPublicKeyPacket(asVersion4).publicKeys.length, 0)
})
