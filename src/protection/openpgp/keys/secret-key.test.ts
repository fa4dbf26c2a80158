import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes, equalBytes } from '../../../base/bytes.ts'
import { isSameKey } from '../../key-object.ts'
import { Malformed } from '../../malformed.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET } from '../packets/packet.ts'
import { newKeyPacket } from './key-packet.ts'
import { readSecretKeyPacket, writeSecretKeyPacket } from './secret-key.ts'

/** RFC 9580 A.4: the primary key and the subkey of the unlocked version 6 secret key. */
const V6_SECRETS = [
  '0663877fe31b00000020f94da7bb48d60a61e567706a6587d0331999bb9d891a08242ead84543df895a3' +
    '001972817b12be707e8d5f586ce61361201d344eb266a2c82fde6835762b65b0b7',
  '0663877fe319000000208693248367f9e5015db922f8f48095dda784987f2d5985b12fbad16caf5e4435' +
    '004d600a4f794d44775c57a26e0feefed558e9afffd6ad0d582d57fb2ba2dcedb8',
]

interface Kind {
  readonly version: 4 | 6
  readonly algorithm: number
  readonly types: readonly [type: string, options?: object][]
}

const kinds: Readonly<Record<string, Kind>> = {
  'RSA': { version: 4, algorithm: 1, types: [['rsa', { modulusLength: 2048 }]] },
  'RSA in version 6': { version: 6, algorithm: 1, types: [['rsa', { modulusLength: 2048 }]] },
  'Ed25519Legacy': { version: 4, algorithm: 22, types: [['ed25519']] },
  'Curve25519Legacy': { version: 4, algorithm: 18, types: [['x25519']] },
  'ECDSA on P-521': { version: 4, algorithm: 19, types: [['ec', { namedCurve: 'secp521r1' }]] },
  'ECDH on brainpoolP384r1': { version: 6, algorithm: 18, types: [['ec', { namedCurve: 'brainpoolP384r1' }]] },
  'X25519': { version: 6, algorithm: 25, types: [['x25519']] },
  'Ed448': { version: 6, algorithm: 28, types: [['ed448']] },
  'ML-DSA-65+Ed25519': { version: 6, algorithm: 30, types: [['ed25519'], ['ml-dsa-65']] },
  'ML-KEM-768+X25519': { version: 4, algorithm: 35, types: [['x25519'], ['ml-kem-768']] },
  'SLH-DSA-SHAKE-128f': { version: 6, algorithm: 33, types: [['slh-dsa-shake-128f']] },
} // prettier-ignore

const generate = generateKeyPairSync as (
  type: string,
  options?: object,
) => Record<'publicKey' | 'privateKey', KeyObject>

function make({ version, algorithm, types }: Kind) {
  const pairs = types.map(([type, options]) => generate(type, options ?? {}))
  const publicKeys = pairs.map(({ publicKey }) => publicKey)
  return {
    packet: newKeyPacket({ version, algorithm, createdMs: 0, publicKeys }),
    handles: pairs.map(({ privateKey }) => privateKey),
  }
}

const sameKeys = (a: readonly KeyObject[], b: readonly KeyObject[]): boolean =>
  a.length === b.length && a.every((key, at) => isSameKey(key, b[at] as KeyObject))

for (const [name, kind] of Object.entries(kinds))
  test(`a secret key of ${name} reads back, open and under a password`, () => {
    const { packet, handles } = make(kind)
    for (const password of [undefined, 'sésame']) {
      const body = writeSecretKeyPacket(PACKET.SECRET_KEY, packet, handles, password)
      const read = readSecretKeyPacket({ type: PACKET.SECRET_KEY, body }, password)
      assert.equal(read.packet.fingerprint, packet.fingerprint)
      assert.ok(sameKeys(read.handles, handles))
    }
  })

test('the secret keys of RFC 9580 A.4 read, and are written the same', () => {
  for (const digits of V6_SECRETS) {
    const body = Buffer.from(digits, 'hex')
    const { packet, handles, state } = readSecretKeyPacket({ type: PACKET.SECRET_KEY, body })
    assert.equal(state, 'open')
    assert.ok(equalBytes(writeSecretKeyPacket(PACKET.SECRET_KEY, packet, handles), body))
  }
})

for (const version of [4, 6] as const) {
  const ed25519 = make({ version, algorithm: version === 4 ? 22 : 27, types: [['ed25519']] })
  const locked = writeSecretKeyPacket(PACKET.SECRET_KEY, ed25519.packet, ed25519.handles, 'right')
  const read = (body: Uint8Array, password?: string, type: number = PACKET.SECRET_KEY) =>
    readSecretKeyPacket({ type, body }, password)

  test(`version ${version}: without its password, or changed, a key stays locked`, () => {
    assert.equal(read(locked).state, 'locked')
    assert.equal(read(locked, 'wrong').state, 'locked')
    const changed = Uint8Array.from(locked, (byte, at) => (at === locked.length - 30 ? byte ^ 1 : byte))
    assert.equal(read(changed, 'right').state, 'locked')
  })

  test(`version ${version}: numbers of a public key that is not the secret one's are refused`, () => {
    const other = make({ version, algorithm: version === 4 ? 22 : 27, types: [['ed25519']] }).packet
    const open = writeSecretKeyPacket(PACKET.SECRET_KEY, ed25519.packet, ed25519.handles)
    const swapped = concatBytes([other.body, open.subarray(ed25519.packet.body.length)])
    assert.throws(() => read(swapped), Malformed)
  })
}

test('a sealed version 6 key is bound to its place: a subkey does not become the primary key', () => {
  const { packet, handles } = make({ version: 6, algorithm: 27, types: [['ed25519']] })
  const body = writeSecretKeyPacket(PACKET.SECRET_SUBKEY, packet, handles, 'right')
  assert.equal(readSecretKeyPacket({ type: PACKET.SECRET_SUBKEY, body }, 'right').state, 'open')
  assert.equal(readSecretKeyPacket({ type: PACKET.SECRET_KEY, body }, 'right').state, 'locked')
})

test("RSA numbers that are not the key's are refused", () => {
  const [one, other] = [make(kinds['RSA'] as Kind), make(kinds['RSA'] as Kind)]
  const body = writeSecretKeyPacket(PACKET.SECRET_KEY, one.packet, other.handles)
  assert.throws(() => readSecretKeyPacket({ type: PACKET.SECRET_KEY, body }), Malformed)
})

test('RSA numbers of which one is another are refused, and numbers behind the last', () => {
  const { packet, handles } = make(kinds['RSA in version 6'] as Kind)
  const body = writeSecretKeyPacket(PACKET.SECRET_KEY, packet, handles)
  const at = packet.body.length + 1
  const cursor = new Cursor(body.subarray(at))
  const ends = Array.from({ length: 4 }, () => {
    cursor.mpi()
    return body.length - cursor.left
  })
  const read = (changed: Uint8Array) => readSecretKeyPacket({ type: PACKET.SECRET_KEY, body: changed })
  assert.equal(read(body).state, 'open')
  for (const end of ends) {
    const changed = Uint8Array.from(body, (byte, index) => (index === end - 1 ? byte ^ 2 : byte))
    assert.throws(() => read(changed), Malformed)
  }
  assert.throws(() => read(concatBytes([body, Uint8Array.of(0)])), Malformed)
})

test('a note of GnuPG that the key is somewhere else is read and written', () => {
  const { packet } = make(kinds['Ed25519Legacy'] as Kind)
  const body = writeSecretKeyPacket(PACKET.SECRET_KEY, packet, undefined)
  assert.equal(readSecretKeyPacket({ type: PACKET.SECRET_KEY, body }, 'x').state, 'absent')
})
