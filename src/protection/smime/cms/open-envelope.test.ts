import assert from 'node:assert/strict'
import { constants, createCipheriv, hkdfSync, publicEncrypt, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { push } from '../../../../test/support/push.ts'
import { type IdentityKind, smimeIdentity } from '../../../../test/support/smime-identity.ts'
import type { EncryptionChoice } from '../../standard.ts'
import { parseDer } from '../asn1/der-reader.ts'
import { contextTagged, der, integer, octetString, oid, sequence, setOf } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { WHOLE_MAX_BYTES } from './chunked-content.ts'
import { CONTENT_TYPE } from './content-info.ts'
import { issuerAndSerial } from './entity-id.ts'
import { canEnvelopTo, envelopSink } from './envelop.ts'
import { RECIPIENTS_MAX } from './enveloped-data.ts'
import type { OpenedEnvelope } from '../../opened-envelope.ts'
import { openEnvelope } from './open-envelope.ts'

const alice = smimeIdentity('rsa-2048', 'alice@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')
const content = Buffer.from('Content-Type: text/plain\r\n\r\nHello, this is longer than one block.\r\n')

const ciphers = [
  'aes-128-cbc',
  'aes-192-cbc',
  'aes-256-cbc',
  'aes-128-gcm',
  'aes-256-gcm',
  'chacha20-poly1305',
] as const
const withTag = (cipher: string): boolean => !cipher.endsWith('-cbc')
const kinds: readonly [kind: IdentityKind, choice: EncryptionChoice][] = [
  ['rsa-2048', { keyTransport: 'rsa-pkcs1' }],
  ['rsa-2048', { keyTransport: 'rsa-oaep' }],
  ['p256', {}],
  ['p384', {}],
  ['p521', {}],
  ['brainpool256', {}],
  ['brainpool384', {}],
  ['brainpool512t1', {}],
  ['x25519', {}],
  ['x448', {}],
  ['ml-kem-512', {}],
  ['ml-kem-768', {}],
  ['ml-kem-1024', {}],
]
const smallSizes = [0, 1, 15, 16, 17, 5000]
const largeSizes = [WHOLE_MAX_BYTES, WHOLE_MAX_BYTES + 1, 3_000_000]

for (const cipher of ciphers)
  for (const [kind, choice] of kinds)
    test(`${cipher} for ${kind} ${choice.keyTransport ?? ''}: what is encrypted opens, of any size, in any chunks`, () => {
      const identity = smimeIdentity(kind)
      for (const size of kind === 'p256' ? [...smallSizes, ...largeSizes] : smallSizes) {
        const plain = randomBytes(size)
        const options = { recipients: [identity.certificate], choice: { ...choice, cipher } }
        const chunkBytes = size > 5000 ? 100_000 : 7
        const bytes = push(plain, (out) => envelopSink(options, out), chunkBytes)
        assert.equal(parseDer(bytes).ok, size <= WHOLE_MAX_BYTES, 'DER while it fits into memory')
        const opened = openEnvelope(bytes, [bob, identity])
        assert(opened.kind === 'decrypted', JSON.stringify(opened))
        assert(plain.equals(opened.content))
        assert.equal(opened.algorithm, cipher)
        assert.equal(opened.authenticated, withTag(cipher))
        assert.equal(opened.weak, undefined)
        assert.equal(opened.openedBy, identity.certificate.fingerprint)
      }
    })

test('without a choice: AES-256-CBC and PKCS #1 v1.5', () => {
  const bytes = push(content, (out) => envelopSink({ recipients: [alice.certificate], choice: {} }, out))
  const opened = openEnvelope(bytes, [alice])
  assert.equal(opened.kind === 'decrypted' && opened.algorithm, 'aes-256-cbc')
  assert(Buffer.from(bytes).includes(Buffer.from(sequence(oid('1.2.840.113549.1.1.1'), Uint8Array.of(5, 0)))))
})

test('every recipient opens with an own key, nobody else does', () => {
  const others = (['rsa-3072', 'p384', 'p521', 'brainpool256t1', 'x25519', 'x448', 'ml-kem-768'] as const).map((kind) =>
    smimeIdentity(kind),
  )
  const everybody = [alice, bob, ...others]
  const recipients = everybody.map((identity) => identity.certificate)
  for (const cipher of ciphers) {
    const bytes = push(content, (out) => envelopSink({ recipients, choice: { cipher } }, out))
    for (const identity of everybody) {
      const opened = openEnvelope(bytes, [identity])
      assert(opened.kind === 'decrypted' && content.equals(opened.content))
    }
    const stranger = openEnvelope(bytes, [smimeIdentity('rsa-2048', 'eve@example.com')])
    assert(stranger.kind === 'no-key')
    assert.equal(stranger.recipients.length, everybody.length)
  }
})

test('a key that does not fit does not keep the next one from opening', () => {
  const recipients = [alice.certificate, bob.certificate]
  const bytes = push(content, (out) => envelopSink({ recipients, choice: { cipher: 'aes-256-gcm' } }, out))
  const pretender = { certificate: alice.certificate, key: smimeIdentity('rsa-2048', 'eve@example.com').key }
  assert.deepEqual(openEnvelope(bytes, [pretender]), BROKEN)
  const opened = openEnvelope(bytes, [pretender, bob])
  assert.equal(opened.kind === 'decrypted' && opened.openedBy, bob.certificate.fingerprint)
})

test('keys that cannot be encrypted to are said beforehand, and are our own mistake', () => {
  const { certificate } = smimeIdentity('ed25519')
  assert.equal(canEnvelopTo(certificate), false)
  assert.equal(canEnvelopTo(smimeIdentity('rsa-1024').certificate), false)
  assert.equal(canEnvelopTo(alice.certificate) && canEnvelopTo(bob.certificate), true)
  const out = { write: () => assert.fail('nothing may be written'), end: () => assert.fail('nothing may be ended') }
  for (const bad of [certificate, smimeIdentity('rsa-1024').certificate])
    assert.throws(() => envelopSink({ recipients: [alice.certificate, bad], choice: {} }, out), TypeError)
  assert.throws(() => envelopSink({ recipients: [], choice: {} }, out), TypeError)
})

for (const [name, identity] of [
  ['RSA', alice],
  ['ECDH', bob],
] as const)
  test(`AuthEnvelopedData for ${name}, any byte flipped: never other content, never a throw`, () => {
    const choice = { cipher: 'aes-256-gcm', keyTransport: 'rsa-oaep' } as const
    const bytes = push(content, (out) => envelopSink({ recipients: [identity.certificate], choice }, out))
    const changedAt = bytes.length - 20 // in the tag
    let openedCount = 0
    for (let at = 0; at < bytes.length; at++)
      for (const mask of [0x01, 0xff]) {
        const flipped = Uint8Array.from(bytes)
        flipped[at] = (flipped[at] ?? 0) ^ mask
        const opened = openEnvelope(flipped, [identity])
        if (opened.kind !== 'decrypted') continue
        assert.deepEqual(Buffer.from(opened.content), content)
        assert(at < changedAt)
        openedCount++
      }
    assert(openedCount > 0 && openedCount < 200, `${openedCount} opened: version numbers and the like`)
  })

interface Forged {
  readonly type?: string
  readonly cipher?: Uint8Array
  readonly encrypted?: readonly Uint8Array[]
  readonly infos?: readonly Uint8Array[]
  readonly encryptedKey?: Uint8Array
  readonly keyAlgorithm?: Uint8Array
  readonly trailer?: readonly Uint8Array[]
}

const contentKey = Buffer.alloc(32, 7)
const iv = Buffer.alloc(16, 9)
const CBC = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(iv))
const PKCS1 = sequence(oid('1.2.840.113549.1.1.1'), Uint8Array.of(5, 0))
const padding = constants.RSA_PKCS1_PADDING
const given = (key: Uint8Array): Buffer => publicEncrypt({ key: alice.certificate.publicKey, padding }, key)
const goodKey = given(contentKey)

function cbc(plain: Uint8Array, pad = true): Buffer {
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv).setAutoPadding(pad)
  return Buffer.concat([cipher.update(plain), cipher.final()])
}

function forge({
  type = CONTENT_TYPE.envelopedData,
  cipher = CBC,
  encryptedKey = goodKey,
  ...rest
}: Forged): Uint8Array {
  const rid = issuerAndSerial(alice.certificate)
  const info = sequence(integer(0), rid, rest.keyAlgorithm ?? PKCS1, octetString(encryptedKey))
  const encrypted = rest.encrypted ?? [der(0x80, cbc(content))]
  const eci = sequence(oid(CONTENT_TYPE.data), cipher, ...encrypted)
  const envelope = sequence(integer(0), der(TAG.SET, ...(rest.infos ?? [info])), eci, ...(rest.trailer ?? []))
  return sequence(oid(type), contextTagged(0, envelope))
}

const open = (bytes: Uint8Array): OpenedEnvelope => openEnvelope(bytes, [alice])
const BROKEN: OpenedEnvelope = {
  kind: 'broken',
  why: 'the message cannot be decrypted: the key or the content was changed',
}

test('the forged envelope opens when nothing is wrong with it', () => {
  const opened = open(forge({}))
  assert(opened.kind === 'decrypted' && content.equals(opened.content))
  const inPieces = [contextTagged(0, octetString(cbc(content).subarray(0, 5)), octetString(cbc(content).subarray(5)))]
  const pieces = open(forge({ encrypted: inPieces }))
  assert(pieces.kind === 'decrypted' && content.equals(pieces.content))
})

test('a cipher that the content key is bound to opens; another one in its place does not (RFC 9709)', () => {
  const bound = sequence(oid('1.2.840.113549.1.9.16.3.31'), CBC)
  const salt = Buffer.from('The Cryptographic Message Syntax')
  const derived = Buffer.from(hkdfSync('sha256', contentKey, salt, CBC, 32))
  const cipher = createCipheriv('aes-256-cbc', derived, iv)
  const encrypted = [der(0x80, Buffer.concat([cipher.update(content), cipher.final()]))]
  const opened = open(forge({ cipher: bound, encrypted }))
  assert(opened.kind === 'decrypted' && content.equals(opened.content))
  assert.equal(opened.algorithm, 'aes-256-cbc')
  assert.deepEqual(open(forge({ encrypted })), BROKEN)
})

const lastByte = (bytes: Uint8Array, value: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = value
  return copy
}
const indistinguishable: readonly [forged: Forged, why: string][] = [
  [{ encryptedKey: randomBytes(256) }, 'PKCS #1 padding wrong'],
  [{ encryptedKey: given(Buffer.alloc(16)) }, 'content key too short'],
  [{ encryptedKey: given(Buffer.alloc(33)) }, 'content key too long'],
  [{ encryptedKey: given(new Uint8Array()) }, 'content key empty'],
  [{ encryptedKey: given(Buffer.alloc(32, 8)) }, 'another content key'],
  [{ encryptedKey: Buffer.alloc(256, 255) }, 'a number above the modulus'],
  [{ encryptedKey: goodKey.subarray(1) }, 'encrypted key too short'],
  [{ encryptedKey: Buffer.alloc(5000) }, 'encrypted key too long'],
  [{ encrypted: [der(0x80, cbc(lastByte(Buffer.alloc(32), 0), false))] }, 'padding of 0'],
  [{ encrypted: [der(0x80, cbc(lastByte(Buffer.alloc(32), 17), false))] }, 'padding of 17'],
  [{ encrypted: [der(0x80, cbc(lastByte(Buffer.alloc(32), 2), false))] }, 'padding whose octets differ'],
  [{ encrypted: [der(0x80, cbc(content).subarray(0, -1))] }, 'not whole blocks'],
  [{ encrypted: [der(0x80, new Uint8Array())] }, 'no blocks'],
  [{ encrypted: [] }, 'no content'],
]

for (const [forged, why] of indistinguishable)
  test(`what fails says nothing about where: ${why}`, () => {
    const bytes = forge(forged)
    assert.deepEqual(open(bytes), BROKEN)
    assert.deepEqual(open(bytes), BROKEN, 'and the same again')
  })

test('a key that does not unwrap is replaced by the same one each time: trying again tells nothing', () => {
  let opened = 0
  for (let i = 0; i < 120; i++) {
    const bytes = forge({ encryptedKey: goodKey.subarray(1), encrypted: [der(0x80, randomBytes(16))] })
    const first = open(bytes)
    assert.deepEqual(open(bytes), first)
    if (first.kind === 'decrypted') opened++
  }
  assert(opened < 10, 'one in 256 has padding that fits by chance')
})

const GCM_OID = oid('2.16.840.1.101.3.4.1.46')
const gcmWith = (...parameters: Uint8Array[]): Uint8Array => sequence(GCM_OID, sequence(...parameters))
const nonce = octetString(Buffer.alloc(12, 3))
const mac = octetString(Buffer.alloc(16))
const authenticated = { type: CONTENT_TYPE.authEnvelopedData, trailer: [mac] }

const refused: readonly [forged: Forged, why: RegExp][] = [
  [{ cipher: gcmWith(nonce, integer(16)) }, /does not belong/],
  [{ ...authenticated }, /does not belong/],
  [{ ...authenticated, trailer: [], cipher: gcmWith(nonce, integer(16)) }, /missing/],
  [{ ...authenticated, cipher: gcmWith(nonce, integer(4)) }, /malformed parameters/],
  [{ ...authenticated, cipher: gcmWith(nonce, integer(17)) }, /malformed parameters/],
  [{ ...authenticated, cipher: gcmWith(octetString(Buffer.alloc(3)), integer(16)) }, /malformed parameters/],
  [{ ...authenticated, cipher: gcmWith(octetString(Buffer.alloc(99)), integer(16)) }, /malformed parameters/],
  [{ ...authenticated, cipher: gcmWith(nonce, octetString(mac)) }, /malformed parameters/],
  [{ cipher: sequence(oid('2.16.840.1.101.3.4.1.42')) }, /malformed parameters/],
  [{ cipher: sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(15))) }, /malformed parameters/],
  [{ cipher: sequence(oid('1.2.840.113549.3.4')) }, /unknown content encryption algorithm 1\.2\.840\.113549\.3\.4/],
  [{ keyAlgorithm: sequence(oid('1.2.3')) }, /unknown key encryption algorithm/],
  [{ keyAlgorithm: sequence(oid('1.2.840.113549.1.1.1'), integer(1)) }, /unexpected parameters/],
  [{ keyAlgorithm: sequence(oid('1.2.840.113549.1.1.7'), integer(1)) }, /malformed RSAES-OAEP/],
  [{ infos: [sequence(integer(0))] }, /KeyTransRecipientInfo is malformed/],
  [{ infos: [contextTagged(1, integer(3))] }, /KeyAgreeRecipientInfo is malformed/],
  [{ infos: [contextTagged(2, integer(4))] }, /KEKRecipientInfo is malformed/],
  [{ infos: [contextTagged(3, integer(0))] }, /PasswordRecipientInfo is malformed/],
  [{ infos: [contextTagged(4, integer(0))] }, /OtherRecipientInfo is malformed/],
  [{ infos: Array.from({ length: RECIPIENTS_MAX + 1 }, () => sequence(integer(0))) }, /malformed|too many/],
  [{ trailer: [integer(1)] }, /unexpected element/],
  [{ type: CONTENT_TYPE.signedData }, /not an EnvelopedData/],
]

for (const [forged, why] of refused)
  test(`an envelope that is refused: ${why.source}`, () => {
    const opened = open(forge(forged))
    assert(opened.kind === 'broken', JSON.stringify(opened))
    assert.match(opened.why, why)
  })

test('recipients of kinds that are not known are read over', () => {
  const other = contextTagged(4, oid('1.2.3'), integer(0))
  const future = contextTagged(5, integer(0))
  assert.deepEqual(open(forge({ infos: [other, future] })), { kind: 'no-key', recipients: [] })
})

test('a message that names one recipient a thousand times costs a few private-key operations', () => {
  const rid = issuerAndSerial(alice.certificate)
  const info = sequence(integer(0), rid, PKCS1, octetString(randomBytes(256)))
  const bytes = forge({ infos: Array.from({ length: 1000 }, () => info) })
  const startMs = performance.now()
  assert.deepEqual(open(bytes), BROKEN)
  assert(performance.now() - startMs < 400)
})

test('authenticated attributes are covered by the tag (RFC 5083 §2.2)', () => {
  const type = sequence(oid('1.2.840.113549.1.9.3'), setOf([oid(CONTENT_TYPE.data)]))
  const extra = sequence(oid('1.2.3.4'), setOf([integer(5)]))
  const seal = (attributes: readonly Uint8Array[], covered: Uint8Array): Uint8Array => {
    const cipher = createCipheriv('aes-256-gcm', contentKey, Buffer.alloc(12, 3)).setAAD(covered)
    const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
    const trailer = [der(contextConstructed(1), ...attributes), octetString(cipher.getAuthTag())]
    const parts = { encrypted: [der(0x80, encrypted)], cipher: gcmWith(nonce, integer(16)), trailer }
    return forge({ ...parts, type: CONTENT_TYPE.authEnvelopedData })
  }
  const good = [type, extra].toSorted(Buffer.compare)
  assert.equal(open(seal(good, setOf(good))).kind, 'decrypted')
  assert.equal(open(seal(good.toReversed(), setOf(good))).kind, 'decrypted', 'DER is covered, whatever was sent')
  assert.deepEqual(open(seal([type], setOf(good))), BROKEN)
  assert.deepEqual(open(seal(good, new Uint8Array())), BROKEN)
  const relabelled = [sequence(oid('1.2.840.113549.1.9.3'), setOf([oid(CONTENT_TYPE.signedData)]))]
  assert.equal(open(seal(relabelled, setOf(relabelled))).kind, 'broken')
})

test('long content streams: what is written is out before the end', () => {
  let writtenBytes = 0
  const out = { write: (chunk: Uint8Array) => void (writtenBytes += chunk.length), end() {} }
  for (const cipher of ciphers) {
    writtenBytes = 0
    const sink = envelopSink({ recipients: [bob.certificate], choice: { cipher } }, out)
    const chunk = new Uint8Array(10_000)
    for (let pushedBytes = 0; pushedBytes < 10 * WHOLE_MAX_BYTES;) {
      sink.write(chunk)
      pushedBytes += chunk.length
      assert(pushedBytes - writtenBytes <= (writtenBytes === 0 ? WHOLE_MAX_BYTES : 2 ** 17))
    }
    sink.end()
  }
})
