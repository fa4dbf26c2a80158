import assert from 'node:assert/strict'
import {
  type KeyObject,
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  sign,
} from 'node:crypto'
import { test } from 'node:test'
import { smimeIdentity } from '../../../test/support/smime-identity.ts'
import { type AlgorithmId, type DigestName, digestByName, hashOf, readAlgorithm } from './algorithms.ts'
import { parseDer } from './asn1/der-reader.ts'
import { NULL, contextTagged, integer, oid, sequence } from './asn1/der-writer.ts'
import { checkSignature, verifySignature } from './check-signature.ts'
import { pssAlgorithmDer } from './pss.ts'
import { SIGNATURES } from './signature-algorithms.ts'

const message = Buffer.from('what was signed')
const rsa = smimeIdentity('rsa-2048').key
const p256 = smimeIdentity('p256').key
const ed25519 = smimeIdentity('ed25519').key
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const pssOnly = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })

const restricted = { hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256', saltLength: 32 }
// @types/node wants the salt's length to be a string; Node wants a number
const pssRestricted = generateKeyPairSync('rsa-pss', { modulusLength: 2048, ...restricted } as never) as KeyPair
interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}
const dsa = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })

const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const MD5 = '1.2.840.113549.2.5'
const RSA = '1.2.840.113549.1.1.1'
const PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'

const SHAKE128 = '2.16.840.1.101.3.4.2.11'
const PSS_SHAKE128 = '1.3.6.1.5.5.7.6.30'
const PSS_SHAKE256 = '1.3.6.1.5.5.7.6.31'
const DSA_SHA256 = '2.16.840.1.101.3.4.3.2'

const pss = (saltLength: number, digest = 'sha256'): Uint8Array => pssBy(rsa, saltLength, digest)
const pssBy = (key: KeyObject, saltLength: number, digest = 'sha256'): Uint8Array =>
  sign(digest, message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

/** RFC 8017 §9.1.1 with a mask of its own, or with SHAKE's (RFC 8702 §3.2.1); the salt is zeros. */
function pssByHand(digestName: DigestName, maskName: DigestName, saltBytes: number): Uint8Array {
  const [digest, salt] = [digestByName(digestName), Buffer.alloc(saltBytes)]
  const hashed = hashOf(digest, Buffer.concat([Buffer.alloc(8), hashOf(digest, message), salt]))
  const block = Buffer.alloc(2048 / 8 - hashed.length - 1)
  block[block.length - saltBytes - 1] = 1
  const mask = maskName.startsWith('shake')
    ? createHash(maskName, { outputLength: block.length }).update(hashed).digest()
    : Buffer.concat([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((i) => mgf1Block(maskName, hashed, i)))
  const masked = block.map((octet, i) => octet ^ (mask[i] ?? 0))
  masked[0] = (masked[0] ?? 0) & 0x7f
  const encoded = Buffer.concat([masked, hashed, Uint8Array.of(0xbc)])
  return privateEncrypt({ key: rsa, padding: constants.RSA_NO_PADDING }, encoded)
}

const mgf1Block = (maskName: DigestName, seed: Uint8Array, i: number) =>
  hashOf(digestByName(maskName), Buffer.concat([seed, Uint8Array.of(0, 0, 0, i)]))

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
  readonly digest?: DigestName
  readonly allowWeak?: boolean
}

const pssRow = (fields: PssFields, signature = pss(32), more: Partial<Row> = {}): Row => ({
  algorithm: { oid: PSS, parameters: pssParameters(fields) },
  key: rsa,
  signature,
  ...more,
})

/** The public half of `rsa` as a key for PSS only. */
const spki = parseDer(createPublicKey(rsa).export({ format: 'der', type: 'spki' }))
assert(spki.ok)
const pssSpki = sequence(sequence(oid(PSS)), spki.value.children[1]?.raw ?? NULL)
const asPss = createPublicKey({ key: Buffer.from(pssSpki), format: 'der', type: 'spki' })

const rsaMd5 = sign('md5', message, rsa)
const rsaSha256 = sign('sha256', message, rsa)
const dsaSha256 = sign('sha256', message, dsa.privateKey)
const ecdsa = sign('sha256', message, p256)

const rows: readonly [row: Row, answer: string, why: string][] = [
  [
    { algorithm: { oid: '1.2.840.113549.1.1.11', parameters: NULL }, key: rsa, signature: rsaSha256 },
    'rsa-sha256',
    'NULL',
  ],
  [{ algorithm: { oid: '1.2.840.113549.1.1.11' }, key: rsa, signature: rsaSha256 }, 'rsa-sha256', 'absent parameters'],
  [{ algorithm: { oid: RSA }, digest: 'sha256', key: rsa, signature: rsaSha256 }, 'rsa-sha256', 'rsaEncryption'],
  [{ algorithm: { oid: RSA }, key: rsa, signature: rsaSha256 }, 'unsupported', 'rsaEncryption without a digest'],
  [{ algorithm: { oid: RSA }, digest: 'sha384', key: rsa, signature: rsaSha256 }, 'wrong', 'another digest'],
  [{ algorithm: { oid: RSA }, digest: 'md5', key: rsa, signature: rsaMd5 }, 'weak', 'MD5'],
  [
    { algorithm: { oid: RSA }, digest: 'md5', key: rsa, signature: rsaMd5, allowWeak: true },
    'rsa-md5',
    'MD5 where it is allowed',
  ],
  [
    { algorithm: { oid: RSA }, digest: 'md5', key: rsa, signature: rsaSha256, allowWeak: true },
    'wrong',
    'MD5 that does not match, where it is allowed',
  ],
  [{ algorithm: { oid: '1.2.840.113549.1.1.4' }, key: rsa, signature: rsaMd5 }, 'weak', 'md5WithRSAEncryption'],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.11', parameters: integer(1) }, key: rsa, signature: rsaSha256 },
    'wrong',
    'parameters that are not NULL',
  ],
  [
    { algorithm: { oid: '1.2.840.113549.1.1.12' }, digest: 'sha256', key: rsa, signature: rsaSha256 },
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
      digest: 'sha256',
      key: weakRsa.privateKey,
      signature: sign('sha256', message, weakRsa.privateKey),
    },
    'weak',
    'RSA of 1024 bits',
  ],
  [{ algorithm: { oid: RSA }, digest: 'sha256', key: rsa, signature: rsaSha256.subarray(1) }, 'wrong', 'too short'],
  [{ algorithm: { oid: RSA }, digest: 'sha256', key: rsa, signature: new Uint8Array() }, 'wrong', 'empty'],
  [
    { algorithm: { oid: RSA }, digest: 'sha256', key: pssOnly.privateKey, signature: rsaSha256 },
    'wrong',
    'PSS-only key',
  ],
  [pssRow(usual), 'rsa-pss-sha256', 'PSS'],
  [pssRow({ ...usual, trailer: 1 }), 'rsa-pss-sha256', 'PSS with its trailer said'],
  [pssRow({ ...usual, salt: 20 }, pss(20)), 'rsa-pss-sha256', 'PSS with another salt length'],
  [pssRow({ ...usual, salt: 0 }, pss(0)), 'rsa-pss-sha256', 'PSS without salt'],
  [pssRow(usual, pss(20)), 'wrong', 'PSS whose salt is not as long as said'],
  [pssRow({ ...usual, salt: 4000 }), 'wrong', 'PSS with a salt longer than the key'],
  [pssRow({ ...usual, mask: SHA384 }), 'wrong', 'PSS with another mask than it says'],
  [pssRow({ ...usual, mask: SHA384 }, pssByHand('sha256', 'sha384', 32)), 'rsa-pss-sha256', 'PSS with two digests'],
  [
    pssRow({ ...usual, mask: SHA384 }, pssByHand('sha256', 'sha384', 32), { key: asPss }),
    'rsa-pss-sha256',
    'PSS with two digests by a key for PSS only',
  ],
  [pssRow({ ...usual, mask: SHA384 }, pssByHand('sha256', 'sha384', 31)), 'wrong', 'the same with another salt length'],
  [pssRow({ ...usual, mask: SHA384, salt: 4000 }), 'wrong', 'the same with a salt longer than the key'],
  [pssRow({ ...usual, mask: SHA384 }, pssByHand('sha256', 'sha384', 32).subarray(1)), 'wrong', 'the same, too short'],
  [pssRow({ hash: SHA256, salt: 32 }, pssByHand('sha256', 'sha1', 32)), 'weak', 'PSS with MGF1-SHA-1 by default'],
  [
    pssRow({ hash: SHA256, salt: 32 }, pssByHand('sha256', 'sha1', 32), { allowWeak: true }),
    'rsa-pss-sha256',
    'PSS with MGF1-SHA-1 by default where it is allowed',
  ],
  [
    { algorithm: { oid: PSS_SHAKE128 }, key: rsa, signature: pssByHand('shake128', 'shake128', 32) },
    'rsa-pss-shake128',
    'PSS with SHAKE128 (RFC 8702 §3.2.1)',
  ],
  [
    { algorithm: { oid: PSS_SHAKE256 }, key: rsa, signature: pssByHand('shake256', 'shake256', 64) },
    'rsa-pss-shake256',
    'PSS with SHAKE256',
  ],
  [
    { algorithm: { oid: PSS_SHAKE256, parameters: NULL }, key: rsa, signature: pssByHand('shake256', 'shake256', 64) },
    'wrong',
    'PSS with SHAKE256 and parameters',
  ],
  [
    pssRow({ hash: SHAKE128, mask: SHAKE128, salt: 32 }, pssByHand('shake128', 'shake128', 32)),
    'unsupported',
    'SHAKE where the parameters name a digest',
  ],
  [pssRow(usual, pssBy(pssOnly.privateKey, 32), { key: pssOnly.privateKey }), 'rsa-pss-sha256', 'a key for PSS only'],
  [pssRow(usual, pssBy(pssRestricted.privateKey, 32), { key: pssRestricted.privateKey }), 'rsa-pss-sha256', 'its own'],
  [
    pssRow({ ...usual, salt: 20 }, pssBy(pssRestricted.privateKey, 32), { key: pssRestricted.privateKey }),
    'wrong',
    'a salt shorter than the key allows',
  ],
  [
    pssRow({ hash: SHA384, mask: SHA384, salt: 48 }, pss(48), { key: pssRestricted.privateKey }),
    'wrong',
    'another digest than the key allows',
  ],
  [pssRow({ ...usual, trailer: 2 }), 'unsupported', 'PSS with another trailer'],
  [pssRow({ ...usual, hash: MD5, mask: MD5 }), 'weak', 'PSS with MD5'],
  [pssRow(usual, pss(32), { digest: 'sha256' }), 'rsa-pss-sha256', 'PSS and the digest beside it'],
  [pssRow(usual, pss(32), { digest: 'sha384' }), 'wrong', 'PSS and another digest beside it'],
  [pssRow({}, pss(20, 'sha1')), 'weak', 'PSS with all defaults is SHA-1'],
  [pssRow({}, pss(20, 'sha1'), { allowWeak: true }), 'rsa-pss-sha1', 'PSS with all defaults where it is allowed'],
  [{ algorithm: { oid: PSS }, key: rsa, signature: pss(32) }, 'unsupported', 'PSS without parameters'],
  [{ algorithm: { oid: PSS, parameters: NULL }, key: rsa, signature: pss(32) }, 'unsupported', 'PSS with NULL'],
  [{ algorithm: { oid: '1.2.840.10045.4.3.2' }, key: p256, signature: ecdsa }, 'ecdsa-sha256', 'ECDSA'],
  [{ algorithm: { oid: '1.2.840.10045.4.3.3' }, key: p256, signature: ecdsa }, 'wrong', 'ECDSA with another digest'],
  [
    { algorithm: { oid: '1.2.840.10045.4.3.2', parameters: NULL }, key: p256, signature: ecdsa },
    'ecdsa-sha256',
    'NULL, as gpgsm 2.2 writes it',
  ],
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
  [
    { algorithm: { oid: '1.3.101.112' }, key: ed25519, digest: 'sha256', signature: sign(undefined, message, ed25519) },
    'ed25519',
    'Ed25519 beside another digest, which it does not use',
  ],
  [{ algorithm: { oid: DSA_SHA256 }, key: dsa.privateKey, signature: dsaSha256 }, 'weak', 'DSA'],
  [
    { algorithm: { oid: DSA_SHA256 }, key: dsa.privateKey, signature: dsaSha256, allowWeak: true },
    'dsa-sha256',
    'DSA where it is allowed',
  ],
  [{ algorithm: { oid: '1.2.3.4' }, key: rsa, signature: rsaSha256 }, 'unsupported', 'an unknown algorithm'],
]

for (const [row, answer, why] of rows)
  test(`a signature is checked: ${why}`, () => {
    const { digest, ...rest } = row
    const beside = digest === undefined ? {} : { digest: digestByName(digest) }
    const input = { ...rest, ...beside, key: row.key.type === 'public' ? row.key : createPublicKey(row.key), message }
    const checked = checkSignature(input)
    assert.equal(checked.ok ? checked.value : checked.error.kind, answer)
    assert.deepEqual(verifySignature(input), checked.ok ? checked : { ok: false, error: checked.error.why })
    const changed = checkSignature({ ...input, message: Buffer.from('something else') })
    assert.equal(changed.ok, false)
  })

for (const row of SIGNATURES) {
  const [type = ''] = row.keyTypes
  if (row.scheme === 'rsa-pss' || /slh-dsa-.*s$/.test(type)) continue // above; and slow to sign with: test/corpora
  test(`what OpenSSL signs verifies, and under no other name: ${row.oid} ${type}`, () => {
    const { privateKey: key, publicKey } = pairOf(type)
    const digest = row.digest ?? 'sha256'
    const signature = sign(row.scheme === 'pure' ? undefined : digest, message, key)
    const input = { key: publicKey, message, signature, digest: digestByName(digest), allowWeak: true }
    const checked = checkSignature({ ...input, algorithm: { oid: row.oid } })
    const names = { 'rsa-pkcs1': `rsa-${digest}`, ecdsa: `ecdsa-${digest}`, dsa: `dsa-${digest}`, pure: type }
    assert.deepEqual(checked, { ok: true, value: names[row.scheme as keyof typeof names] })
    for (const other of SIGNATURES) {
      if (other.oid === row.oid || other.parameters === 'pss') continue
      const confused = checkSignature({ ...input, algorithm: { oid: other.oid } })
      const same = other.scheme === row.scheme && other.keyTypes[0] === type && (other.digest ?? digest) === digest
      assert.equal(confused.ok, same, other.oid)
    }
  })
}

function pairOf(type: string): KeyPair {
  if (type === 'ec') return generateKeyPairSync('ec', { namedCurve: 'brainpoolP384r1' })
  if (type === 'rsa') return { privateKey: rsa, publicKey: createPublicKey(rsa) }
  if (type === 'dsa') return dsa
  return generateKeyPairSync(type as 'ed25519')
}

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
