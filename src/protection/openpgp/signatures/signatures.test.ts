import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes, fromLatin1, latin1, utf8 } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { type KeyPacket, newKeyPacket } from '../keys/key-packet.ts'
import { PACKET } from '../packets/packet.ts'
import { type SignaturePlan, certifyBody, signatureMaker } from './make.ts'
import { type CertifiedThing, canonicalText, hashCertified, signatureHasher } from './signature-hash.ts'
import { SIGNATURE_TYPE, readSignature } from './signature-packet.ts'
import { SUBPACKET, type Subpacket } from './subpackets.ts'
import { verifySignature } from './verify.ts'

const AT_MS = 1_790_000_000_000
const TEXT = utf8('Greetings\r\n')

interface Pair {
  readonly packet: KeyPacket
  readonly handles: readonly KeyObject[]
}

function pair(version: 4 | 6, algorithm: number, ...kinds: readonly [type: string, options?: object][]): Pair {
  const generate = generateKeyPairSync as (
    type: string,
    options?: object,
  ) => Record<'publicKey' | 'privateKey', KeyObject>
  const made = kinds.map(([type, options]) => generate(type, options ?? {}))
  const publicKeys = made.map(({ publicKey }) => publicKey)
  return {
    packet: newKeyPacket({ version, algorithm, createdMs: 0, publicKeys }),
    handles: made.map(({ privateKey }) => privateKey),
  }
}

function sign(key: Pair, plan: Partial<SignaturePlan> = {}): Uint8Array {
  const maker = signatureMaker({ type: SIGNATURE_TYPE.BINARY, atMs: AT_MS, ...key, ...plan })
  maker.update(TEXT)
  return maker.finish()
}

function check(body: Uint8Array, { packet }: Pair, data = TEXT): string {
  const signature = readSignature(body)
  const hasher = signatureHasher(signature)
  hasher.update(data)
  const checked = verifySignature(signature, hasher.digest(), packet)
  return checked.ok ? checked.value : checked.error.kind
}

const ED25519 = pair(4, 22, ['ed25519'])
const ED25519_V6 = pair(6, 27, ['ed25519'])

const kinds: readonly [key: Pair, name: string][] = [
  [pair(4, 1, ['rsa', { modulusLength: 2048 }]), 'rsa-sha256'],
  [pair(4, 19, ['ec', { namedCurve: 'prime256v1' }]), 'ecdsa-sha256'],
  [pair(6, 19, ['ec', { namedCurve: 'secp521r1' }]), 'ecdsa-sha512'],
  [pair(4, 19, ['ec', { namedCurve: 'brainpoolP256r1' }]), 'ecdsa-sha256'],
  [ED25519, 'ed25519-sha256'],
  [ED25519_V6, 'ed25519-sha512'],
  [pair(6, 28, ['ed448']), 'ed448-sha512'],
  [pair(6, 30, ['ed25519'], ['ml-dsa-65']), 'ml-dsa-65+ed25519-sha512'],
  [pair(6, 31, ['ed448'], ['ml-dsa-87']), 'ml-dsa-87+ed448-sha512'],
  [pair(6, 33, ['slh-dsa-shake-128f']), 'slh-dsa-shake-128f-sha512'],
]
for (const [key, name] of kinds)
  test(`a signature of version ${key.packet.version} with ${name} holds, and no other`, () => {
    const body = sign(key)
    assert.equal(check(body, key), name)
    assert.equal(check(body, key, utf8('greetings\r\n')), 'wrong', 'other data')
    const values = body.length - 3 // in the last number, or the second half of a composite
    const changed = Uint8Array.from(body, (byte, at) => (at === values ? byte ^ 1 : byte))
    assert.equal(check(changed, key), 'wrong', 'another signature')
    assert.equal(check(concatBytes([body, Uint8Array.of(0)]), key), 'wrong', 'something behind it')
    assert.equal(check(body.subarray(0, -1), key), 'wrong', 'cut off')
  })

test('a composite does not hold when its first half does not', () => {
  const key = kinds[7]?.[0] as Pair
  const body = sign(key)
  const at = body.length - 3309 - 10
  assert.equal(
    check(
      Uint8Array.from(body, (byte, index) => (index === at ? byte ^ 1 : byte)),
      key,
    ),
    'wrong',
  )
})

test('a key makes no signature of another algorithm or version', () => {
  assert.equal(check(sign(ED25519), pair(4, 22, ['ed25519'])), 'wrong')
  assert.equal(check(sign(ED25519_V6), ED25519), 'wrong')
  assert.equal(check(sign({ ...ED25519, packet: { ...ED25519.packet, algorithm: 27 } }), ED25519), 'wrong')
})

test('what a key of its version, or of its algorithm, may not sign with does not hold', () => {
  const asVersion4 = { ...ED25519_V6, packet: { ...ED25519_V6.packet, version: 4 } }
  assert.equal(check(sign(asVersion4), ED25519_V6), 'wrong', 'a signature of version 4 by a key of version 6')
  assert.equal(check(sign(ED25519_V6, { hash: 2 }), ED25519_V6), 'wrong', 'SHA-1 in version 6')
  const composite = kinds[7]?.[0] as Pair
  assert.equal(check(sign(composite, { hash: 11 }), composite), 'wrong', 'a post-quantum signature over SHA-224')
})

test('the first bits of the digest must be the ones that are said', () => {
  const body = sign(ED25519)
  const at = body.length - readSignature(body).values.length - 1
  assert.equal(
    check(
      Uint8Array.from(body, (byte, index) => (index === at ? byte ^ 1 : byte)),
      ED25519,
    ),
    'wrong',
  )
})

test('weak hashes and keys are said to be weak, once the signature holds', () => {
  const short = pair(4, 1, ['rsa', { modulusLength: 1024 }])
  assert.equal(check(sign(short), short), 'weak')
  assert.equal(check(sign(ED25519, { hash: 2 }), ED25519), 'weak', 'SHA-1')
  assert.equal(check(sign(ED25519, { hash: 1 }), ED25519), 'weak', 'MD5')
  assert.equal(check(sign(ED25519, { hash: 2 }), ED25519, utf8('other')), 'wrong')
})

test('the salt of version 6 has the length of its hash and is signed along', () => {
  const body = sign(ED25519_V6)
  const saltAt = body.length - 64 - 33
  assert.equal(body[saltAt], 32)
  assert.equal(
    check(
      Uint8Array.from(body, (byte, at) => (at === saltAt + 1 ? byte ^ 1 : byte)),
      ED25519_V6,
    ),
    'wrong',
  )
  const shorter = Uint8Array.from(body)
  shorter[saltAt] = 16
  assert.throws(() => readSignature(shorter), Malformed)
})

test('two signatures of version 6 over the same never hash the same', () => {
  assert.notDeepEqual(readSignature(sign(ED25519_V6)).salt, readSignature(sign(ED25519_V6)).salt)
})

test('a signature says when it was made and by whom', () => {
  const signature = readSignature(sign(ED25519))
  assert.equal(signature.createdMs, AT_MS)
  assert.equal(signature.issuerFingerprint, ED25519.packet.fingerprint)
  assert.equal(signature.issuerKeyId, ED25519.packet.fingerprint.slice(-16))
})

const critical = (type: number, body = utf8('?')): Subpacket => ({ type, critical: true, body })
test('what is critical and not known is said, what is only known is not', () => {
  const notUnderstood = (...subpackets: readonly Subpacket[]) =>
    readSignature(sign(ED25519, { subpackets })).notUnderstood
  assert.match(notUnderstood(critical(110)) ?? '', /type 110/)
  assert.match(notUnderstood(critical(SUBPACKET.NOTATION)) ?? '', /notation/)
  assert.equal(notUnderstood(critical(SUBPACKET.POLICY_URI)), undefined)
  assert.equal(notUnderstood({ ...critical(110), critical: false }), undefined)
})

test('a certification is over the key and the user id', () => {
  const user = { type: PACKET.USER_ID, body: utf8('<alice@a.example>') }
  const thing: CertifiedThing = { primary: ED25519.packet, user }
  const body = certifyBody({ type: SIGNATURE_TYPE.POSITIVE_CERTIFICATION, atMs: AT_MS, ...ED25519 }, thing)
  const checkOver = (over: CertifiedThing): boolean => {
    const signature = readSignature(body)
    const digest = hashCertified(signature, over)
    return digest !== undefined && verifySignature(signature, digest, ED25519.packet).ok
  }
  assert.ok(checkOver(thing))
  assert.ok(!checkOver({ ...thing, user: { ...user, body: utf8('<mallory@a.example>') } }))
  assert.ok(!checkOver({ ...thing, user: { ...user, type: PACKET.USER_ATTRIBUTE } }))
  assert.ok(!checkOver({ ...thing, primary: ED25519_V6.packet }))
})

const texts: readonly [chunks: readonly string[], hashed: string][] = [
  [['a\nb\r\nc'], 'a\r\nb\r\nc'],
  [['a\r', '\nb'], 'a\r\nb'],
  [['a', '\n', '\n'], 'a\r\n\r\n'],
  [['a \t\r\n'], 'a \t\r\n'],
  [['a\r\r\nb\rc'], 'a\r\r\nb\rc'],
]
for (const [chunks, hashed] of texts)
  test(`text ${JSON.stringify(chunks)} is hashed with CRLF`, () => {
    const written: string[] = []
    const sink = canonicalText({ write: (chunk) => written.push(latin1(chunk)) })
    for (const chunk of chunks) sink.write(fromLatin1(chunk))
    sink.end()
    assert.equal(written.join(''), hashed)
  })
