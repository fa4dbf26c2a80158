import assert from 'node:assert/strict'
import { type KeyObject, constants, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { smimeIdentity } from '../../../test/support/smime-identity.ts'
import {
  type AlgorithmId,
  checkSignature,
  pssAlgorithmDer,
  digestByName,
  readAlgorithm,
  verifySignature,
} from './algorithms.ts'
import { parseDer } from './asn1/der-reader.ts'
import { NULL, contextTagged, integer, oid, sequence } from './asn1/der-writer.ts'

const message = Buffer.from('what was signed')
const rsa = smimeIdentity('rsa-2048').key
const p256 = smimeIdentity('p256').key
const ed25519 = smimeIdentity('ed25519').key
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const pssOnly = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })

const publicOf = (key: KeyObject): KeyObject => {
  for (const { certificate, key: own } of [smimeIdentity('rsa-2048'), smimeIdentity('p256'), smimeIdentity('ed25519')])
    if (own === key) return certificate.publicKey
  for (const pair of [weakRsa, pssOnly, otherCurve]) if (pair.privateKey === key) return pair.publicKey
  throw new Error('no such key')
}

const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const MD5 = '1.2.840.113549.2.5'
const RSA = '1.2.840.113549.1.1.1'
const PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'

const pss = (saltLength: number, digest = 'sha256') =>
  sign(digest, message, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

interface PssFields {
  readonly hash?: string
  readonly mask?: string
  readonly salt?: number
  readonly trailer?: number
}

function pssParameters({ hash, mask, salt, trailer }: PssFields): Uint8Array {
  return sequence(
    ...(hash === undefined ? [] : [contextTagged(0, sequence(oid(hash), NULL))]),
    ...(mask === undefined ? [] : [contextTagged(1, sequence(oid(MGF1), sequence(oid(mask), NULL)))]),
    ...(salt === undefined ? [] : [contextTagged(2, integer(salt))]),
    ...(trailer === undefined ? [] : [contextTagged(3, integer(trailer))]),
  )
}

const usual = { hash: SHA256, mask: SHA256, salt: 32 }

interface Row {
  readonly algorithm: AlgorithmId
  readonly key: KeyObject
  readonly signature: Uint8Array
  readonly digestOid?: string
  readonly allowWeak?: boolean
}

const pssRow = (fields: PssFields, signature = pss(32), more: Partial<Row> = {}): Row => ({
  algorithm: { oid: PSS, parameters: pssParameters(fields) },
  key: rsa,
  signature,
  ...more,
})

const rsaSha256 = sign('sha256', message, rsa)
const ecdsa = sign('sha256', message, p256)

const rows: readonly [row: Row, answer: string, why: string][] = [
  [
    { algorithm: { oid: '1.2.840.113549.1.1.11', parameters: NULL }, key: rsa, signature: rsaSha256 },
    'rsa-sha256',
    'NULL',
  ],
  [{ algorithm: { oid: '1.2.840.113549.1.1.11' }, key: rsa, signature: rsaSha256 }, 'rsa-sha256', 'absent parameters'],
  [{ algorithm: { oid: RSA }, digestOid: SHA256, key: rsa, signature: rsaSha256 }, 'rsa-sha256', 'rsaEncryption'],
  [{ algorithm: { oid: RSA }, key: rsa, signature: rsaSha256 }, 'unsupported', 'rsaEncryption without a digest'],
  [{ algorithm: { oid: RSA }, digestOid: SHA384, key: rsa, signature: rsaSha256 }, 'wrong', 'another digest'],
  [
    { algorithm: { oid: RSA }, digestOid: MD5, key: rsa, signature: rsaSha256, allowWeak: true },
    'unsupported',
    'MD5 never',
  ],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.4' }, key: rsa, signature: rsaSha256, allowWeak: true },
    'unsupported',
    'md5WithRSAEncryption never',
  ],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.11', parameters: integer(1) }, key: rsa, signature: rsaSha256 },
    'wrong',
    'parameters that are not NULL',
  ],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.12' }, digestOid: SHA256, key: rsa, signature: rsaSha256 },
    'wrong',
    'two digests',
  ],
  [{ algorithm: { oid: '1.2.840.113549.1.1.5' }, key: rsa, signature: sign('sha1', message, rsa) }, 'weak', 'SHA-1'],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.5' }, key: rsa, signature: sign('sha1', message, rsa), allowWeak: true },
    'rsa-sha1',
    'SHA-1 where it is allowed',
  ],
  [
    {
      algorithm: { oid: RSA },
      digestOid: SHA256,
      key: weakRsa.privateKey,
      signature: sign('sha256', message, weakRsa.privateKey),
    },
    'weak',
    'RSA of 1024 bits',
  ],
  [{ algorithm: { oid: RSA }, digestOid: SHA256, key: rsa, signature: rsaSha256.subarray(1) }, 'wrong', 'too short'],
  [{ algorithm: { oid: RSA }, digestOid: SHA256, key: rsa, signature: new Uint8Array() }, 'wrong', 'empty'],
  [
    { algorithm: { oid: RSA }, digestOid: SHA256, key: pssOnly.privateKey, signature: rsaSha256 },
    'wrong',
    'PSS-only key',
  ],
  [pssRow(usual), 'rsa-pss-sha256', 'PSS'],
  [pssRow({ ...usual, trailer: 1 }), 'rsa-pss-sha256', 'PSS with its trailer said'],
  [pssRow({ ...usual, salt: 20 }, pss(20)), 'rsa-pss-sha256', 'PSS with another salt length'],
  [pssRow({ ...usual, salt: 0 }, pss(0)), 'rsa-pss-sha256', 'PSS without salt'],
  [pssRow(usual, pss(20)), 'wrong', 'PSS whose salt is not as long as said'],
  [pssRow({ ...usual, salt: 4000 }), 'wrong', 'PSS with a salt longer than the key'],
  [pssRow({ ...usual, mask: SHA384 }), 'unsupported', 'PSS with two digests'],
  [pssRow({ hash: SHA256, salt: 32 }), 'unsupported', 'PSS with MGF1-SHA-1 by default'],
  [pssRow({ ...usual, trailer: 2 }), 'unsupported', 'PSS with another trailer'],
  [pssRow({ ...usual, hash: MD5, mask: MD5 }), 'unsupported', 'PSS with MD5'],
  [pssRow(usual, pss(32), { digestOid: SHA256 }), 'rsa-pss-sha256', 'PSS and the digest beside it'],
  [pssRow(usual, pss(32), { digestOid: SHA384 }), 'wrong', 'PSS and another digest beside it'],
  [pssRow({}, pss(20, 'sha1')), 'weak', 'PSS with all defaults is SHA-1'],
  [pssRow({}, pss(20, 'sha1'), { allowWeak: true }), 'rsa-pss-sha1', 'PSS with all defaults where it is allowed'],
  [{ algorithm: { oid: PSS }, key: rsa, signature: pss(32) }, 'unsupported', 'PSS without parameters'],
  [{ algorithm: { oid: PSS, parameters: NULL }, key: rsa, signature: pss(32) }, 'unsupported', 'PSS with NULL'],
  [{ algorithm: { oid: '1.2.840.10045.4.3.2' }, key: p256, signature: ecdsa }, 'ecdsa-sha256', 'ECDSA'],
  [{ algorithm: { oid: '1.2.840.10045.4.3.3' }, key: p256, signature: ecdsa }, 'wrong', 'ECDSA with another digest'],
  [
    { algorithm: { oid: '1.2.840.10045.4.3.2' }, key: p256, signature: Buffer.concat([ecdsa, NULL]) },
    'wrong',
    'bytes behind',
  ],
  [{ algorithm: { oid: '1.2.840.10045.4.3.2' }, key: rsa, signature: rsaSha256 }, 'wrong', 'ECDSA with an RSA key'],
  [
    { algorithm: { oid: '1.2.840.10045.4.3.2' }, key: otherCurve.privateKey, signature: ecdsa },
    'unsupported',
    'a curve that mail does not use',
  ],
  [
    { algorithm: { oid: '1.3.101.112' }, key: ed25519, signature: sign(undefined, message, ed25519) },
    'ed25519',
    'Ed25519',
  ],
  [
    { algorithm: { oid: '1.3.101.112', parameters: NULL }, key: ed25519, signature: sign(undefined, message, ed25519) },
    'wrong',
    'Ed25519 with parameters (RFC 8410 §3)',
  ],
  [{ algorithm: { oid: '1.2.3.4' }, key: rsa, signature: rsaSha256 }, 'unsupported', 'an unknown algorithm'],
]

for (const [row, answer, why] of rows)
  test(`a signature is checked: ${why}`, () => {
    const input = { ...row, key: publicOf(row.key), message }
    const checked = checkSignature(input)
    assert.equal(checked.ok ? checked.value : checked.error.kind, answer)
    assert.deepEqual(verifySignature(input), checked.ok ? checked : { ok: false, error: checked.error.why })
    const changed = checkSignature({ ...input, message: Buffer.from('something else') })
    assert.equal(changed.ok, false)
  })

test('the PSS parameters that are written are those that are read', () => {
  const parsed = parseDer(pssAlgorithmDer(digestByName('sha256')))
  assert(parsed.ok)
  const algorithm = readAlgorithm(parsed.value)
  assert(algorithm.ok)
  assert.deepEqual(Buffer.from(algorithm.value.parameters ?? []), Buffer.from(pssParameters(usual)))
})

for (const [der, why] of [
  [sequence(), 'empty'],
  [sequence(NULL), 'no OID'],
  [sequence(oid(RSA), NULL, NULL), 'one field too many'],
  [contextTagged(0, oid(RSA)), 'no SEQUENCE'],
  [sequence(Uint8Array.of(6, 2, 0x2a, 0x86)), 'OID cut off'],
] as const)
  test(`an AlgorithmIdentifier is refused: ${why}`, () => {
    const parsed = parseDer(der)
    assert(parsed.ok)
    assert.equal(readAlgorithm(parsed.value).ok, false)
  })
