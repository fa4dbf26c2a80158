import assert from 'node:assert/strict'
import { createCipheriv, createHash, diffieHellman, generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { type IdentityKind, smimeIdentity } from '../../../../test/support/smime-identity.ts'
import { parseDer } from '../asn1/der-reader.ts'
import { bitString, contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import type { ContentKey } from './content-key.ts'
import { issuerAndSerial } from './entity-id.ts'
import { OneTimeKeys, readKeyAgreement, unwrapAgreedKey, writeKeyAgreement } from './key-agreement.ts'

const CONTENT_KEY = randomBytes(32)
const WRAP_AES256 = Buffer.from('300b060960864801650304012d', 'hex')
const SCHEME = {
  x963Sha256: '1.3.132.1.11.1',
  hkdfSha256: '1.2.840.113549.1.9.16.3.19',
  hkdfSha384: '1.2.840.113549.1.9.16.3.20',
  hkdfSha512: '1.2.840.113549.1.9.16.3.21',
}

interface Forged {
  readonly scheme: string
  readonly wrappingKey: (secret: Uint8Array) => Uint8Array
  readonly ukm?: Uint8Array
  readonly point?: Uint8Array
}

/** A KeyAgreeRecipientInfo made step by step, by nothing that reads it. */
function forge(kind: IdentityKind, { scheme, wrappingKey, ukm, point }: Forged): Uint8Array {
  const { certificate } = smimeIdentity(kind)
  const oneTime = kind === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('x25519')
  const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey: certificate.publicKey })
  const cipher = createCipheriv('id-aes256-wrap', wrappingKey(secret), Buffer.alloc(8, 0xa6))
  const encryptedKey = Buffer.concat([cipher.update(CONTENT_KEY), cipher.final()])
  const sent = point ?? oneTime.publicKey.export({ format: 'raw-public' })
  return sequence(
    integer(3),
    contextTagged(0, contextTagged(1, sequence(oid('1.3.101.110')), bitString(sent))),
    ...(ukm === undefined ? [] : [contextTagged(1, octetString(ukm))]),
    sequence(oid(scheme), WRAP_AES256),
    sequence(sequence(issuerAndSerial(certificate), octetString(encryptedKey))),
  )
}

function unwrap(info: Uint8Array, kind: IdentityKind): ContentKey {
  const parsed = parseDer(info)
  const read = parsed.ok ? readKeyAgreement(parsed.value) : parsed
  assert(read.ok, JSON.stringify(read))
  const [recipient] = read.value.recipients
  const unwrapped = unwrapAgreedKey(read.value, recipient?.encryptedKey ?? assert.fail(), smimeIdentity(kind).key)
  assert(unwrapped.ok, JSON.stringify(unwrapped))
  return unwrapped.value
}

/** ECC-CMS-SharedInfo for AES-256 key wrap: 256 bits in [2]; with a ukm of four octets in [0]. */
const INFO = Buffer.from('3015300b060960864801650304012da206040400000100', 'hex')
const UKM = Buffer.from('cafebabe', 'hex')
const INFO_WITH_UKM = Buffer.from('301d300b060960864801650304012da0060404cafebabea206040400000100', 'hex')

const hkdf = (digest: string, salt: Uint8Array, info: Uint8Array) => (secret: Uint8Array) =>
  new Uint8Array(hkdfSync(digest, secret, salt, info, 32))
const x963 = (info: Uint8Array) => (secret: Uint8Array) =>
  createHash('sha256').update(secret).update(Buffer.from('00000001', 'hex')).update(info).digest()

const agreed: readonly [kind: IdentityKind, forged: Forged, why: string][] = [
  [
    'x25519',
    { scheme: SCHEME.hkdfSha256, wrappingKey: hkdf('sha256', Buffer.alloc(0), INFO) },
    'HKDF without a salt (RFC 8418 §2.2)',
  ],
  ['x25519', { scheme: SCHEME.hkdfSha384, wrappingKey: hkdf('sha384', Buffer.alloc(0), INFO) }, 'SHA-384'],
  ['x25519', { scheme: SCHEME.hkdfSha512, wrappingKey: hkdf('sha512', Buffer.alloc(0), INFO) }, 'SHA-512'],
  [
    'x25519',
    { scheme: SCHEME.hkdfSha256, wrappingKey: hkdf('sha256', UKM, INFO_WITH_UKM), ukm: UKM },
    'the ukm is the salt, and in the info',
  ],
  ['x25519', { scheme: SCHEME.x963Sha256, wrappingKey: x963(INFO) }, 'X9.63 with X25519 (RFC 8418 §2.1)'],
  [
    'x25519',
    { scheme: SCHEME.x963Sha256, wrappingKey: x963(INFO_WITH_UKM), ukm: UKM },
    'X9.63 with a ukm, in the info only',
  ],
  [
    'p256',
    { scheme: SCHEME.x963Sha256, wrappingKey: x963(INFO_WITH_UKM), ukm: UKM },
    'the same with P-256 (RFC 5753 §7.2)',
  ],
  ['p256', { scheme: SCHEME.hkdfSha256, wrappingKey: hkdf('sha256', Buffer.alloc(0), INFO) }, 'HKDF with P-256'],
]

for (const [kind, forged, why] of agreed)
  test(`${kind}, ${why}`, () => {
    const { key, weak } = unwrap(forge(kind, forged), kind)
    assert.deepEqual(Buffer.from(key ?? []), CONTENT_KEY)
    assert.equal(weak, false)
  })

test('a salt where there is no ukm is another key', () => {
  const forged = { scheme: SCHEME.hkdfSha256, wrappingKey: hkdf('sha256', UKM, INFO) }
  assert.equal(unwrap(forge('x25519', forged), 'x25519').key, undefined)
})

/** Public keys of X25519 whose secret with everybody is zero, or that are none. RFC 7748 §6.1; RFC 8418 §2: abort. */
const badX25519: readonly [hex: string, why: string][] = [
  ['00'.repeat(32), 'zero'],
  ['01' + '00'.repeat(31), 'one'],
  ['e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'of order eight'],
  ['5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', 'the other of order eight'],
  ['ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'p - 1'],
  ['00'.repeat(31), 'too short'],
  ['09' + '00'.repeat(32), 'too long'],
]
const badP256: readonly [hex: string, why: string][] = [
  ['00', 'the point at infinity'],
  ['04' + '00'.repeat(63) + '01', 'a point off the curve'],
  ['04' + 'ff'.repeat(64), 'coordinates above p'],
  ['04' + '11'.repeat(63), 'too short'],
  ['', 'nothing'],
]

for (const [kind, points] of [
  ['x25519', badX25519],
  ['p256', badP256],
] as const)
  for (const [point, why] of points)
    test(`${kind}: ${why} is answered as a wrapped key that was changed`, () => {
      const zero = (): Uint8Array => hkdf('sha256', Buffer.alloc(0), INFO)(Buffer.alloc(32))
      const forged = { scheme: SCHEME.hkdfSha256, wrappingKey: zero, point: Buffer.from(point, 'hex') }
      assert.deepEqual(unwrap(forge(kind, forged), kind), { key: undefined, weak: false })
    })

for (const kind of ['p256', 'brainpool512t1', 'x25519', 'x448'] as const)
  test(`${kind}: what we write we unwrap, for a content key of any length that a cipher has`, () => {
    for (const keyBytes of [16, 24, 32]) {
      const contentKey = randomBytes(keyBytes)
      const info = writeKeyAgreement(smimeIdentity(kind).certificate, contentKey, new OneTimeKeys())
      assert.deepEqual(Buffer.from(unwrap(info, kind).key ?? []), contentKey)
    }
  })

/** The one-time key that stands in a KeyAgreeRecipientInfo. */
function pointOf(info: Uint8Array): Uint8Array {
  const parsed = parseDer(info)
  const read = parsed.ok ? readKeyAgreement(parsed.value) : parsed
  assert(read.ok, JSON.stringify(read))
  return read.value.point ?? assert.fail()
}

test('recipients of one envelope who are on one curve share its one-time key; those of another envelope have another', () => {
  const oneTimeKeys = new OneTimeKeys()
  const to = (kind: IdentityKind, address: string, keys: OneTimeKeys): Uint8Array =>
    writeKeyAgreement(smimeIdentity(kind, address).certificate, CONTENT_KEY, keys)
  const first = to('p256', 'u-suzuki@abc.com', oneTimeKeys)
  const otherCurve = to('x25519', 'u-suzuki@abc.com', oneTimeKeys)
  const second = to('p256', 't-azuma@biglobe.ne.jp', oneTimeKeys)
  assert.deepEqual(pointOf(second), pointOf(first))
  assert.notDeepEqual(pointOf(otherCurve), pointOf(first))
  assert.notDeepEqual(pointOf(to('p256', 'u-suzuki@abc.com', new OneTimeKeys())), pointOf(first))
})
