/**
 * The AEAD-to-CBC downgrade of CMS (Roth and Strenzke, 2023; RFC 9709 was written against it). The content key does not know which
 * cipher it is for. Who has captured an AuthEnvelopedData relabels it: an EnvelopedData in CBC with the same recipient and
 * the same key, of which a fooled program decrypts blocks of the attacker's choice and gives back something that tells what
 * AES made of them. And the smaller steps: a shorter tag, none at all, AES-GCM without the tag's place.
 */
import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { integer, octetString, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { SECRET, bob, cmsEntity, mailFrom, receivedByBob, shown } from '../support/attack.ts'
import {
  type ForgedEnvelope,
  TAG_BYTES,
  attribute,
  cbcAlgorithm,
  contentTypeAttribute,
  forgeEnvelope,
  gcmAlgorithm,
  gcmEncrypt,
  transported,
} from '../support/forge-cms.ts'
import { der } from '../../src/protection/smime/asn1/der-writer.ts'
import { MALLORY } from '../support/tampering.ts'

const KEY = createHash('sha256').update('content key').digest()
const PLAINTEXT = Buffer.from(`Content-Type: text/plain\r\n\r\n${SECRET} ${'and so on '.repeat(20)}\r\n`)
const { algorithm, nonce, ciphertext, tag } = gcmEncrypt(KEY, PLAINTEXT)
const encryptedKey = transported(bob, KEY)
const AUTH = CONTENT_TYPE.authEnvelopedData

const received = (envelope: Partial<ForgedEnvelope>) => {
  const cms = forgeEnvelope({ to: bob, contentKey: KEY, encryptedKey, ciphertext, ...envelope })
  return receivedByBob(
    mailFrom(MALLORY, cmsEntity(envelope.type === AUTH ? 'authEnveloped-data' : 'enveloped-data', cms)),
  )
}

test('the captured mail opens', () => {
  assert(shown(received({ cipher: algorithm, type: AUTH, trailer: [octetString(tag)] })).includes(SECRET))
})

/** What GCM adds to the plaintext of block `count`, as whoever knows a plaintext knows it. */
function counterBlock(count: number): Buffer {
  const block = Buffer.alloc(16)
  nonce.copy(block)
  block.writeUInt32BE(count, 12)
  return block
}

describe('GCM relabelled as CBC', () => {
  test('one attempt in 256 has a padding that looks right, and even then nobody gets it back, nor takes it for true', (t) => {
    const outcomes = new Map<string, number>()
    for (let attempt = 0; attempt < 512; attempt++) {
      const iv = createHash('sha256').update(`iv ${attempt}`).digest().subarray(0, 16)
      const blocks = Buffer.concat(Array.from({ length: 6 }, (_, i) => counterBlock(6 * attempt + i + 2)))
      const report = received({ cipher: cbcAlgorithm(iv), ciphertext: blocks })
      assert.notEqual(report.outcome, 'valid')
      assert.equal(report.report.summary.signature === 'none' || report.report.summary.signature === 'invalid', true)
      assert(!shown(report).includes(SECRET))
      outcomes.set(report.outcome, (outcomes.get(report.outcome) ?? 0) + 1)
    }
    t.diagnostic([...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', '))
    assert((outcomes.get('refused 5.7.7') ?? 0) >= 500)
  })

  const relabelled: readonly [why: string, envelope: Partial<ForgedEnvelope>][] = [
    ['the ciphertext as it is, as CBC', { cipher: cbcAlgorithm(counterBlock(1)) }],
    ['with its tag behind it', { cipher: cbcAlgorithm(counterBlock(1)), ciphertext: Buffer.concat([ciphertext, tag]) }],
    ['CBC in AuthEnvelopedData', { cipher: cbcAlgorithm(counterBlock(1)), type: AUTH, trailer: [octetString(tag)] }],
    ['GCM in EnvelopedData', { cipher: algorithm }],
    ['GCM in EnvelopedData, the tag behind it', { cipher: algorithm, ciphertext: Buffer.concat([ciphertext, tag]) }],
    ['CCM with the key of GCM', { cipher: ccm(TAG_BYTES), type: AUTH, trailer: [octetString(tag)] }],
    [
      'ChaCha20-Poly1305 with the key of GCM',
      {
        cipher: sequence(oid('1.2.840.113549.1.9.16.3.18'), octetString(nonce)),
        type: AUTH,
        trailer: [octetString(tag)],
      },
    ],
  ]
  for (const [why, envelope] of relabelled)
    test(`${why}: refused`, () => assert.equal(received(envelope).outcome, 'refused 5.7.7'))
})

function ccm(tagBytes: number): Uint8Array {
  return sequence(oid('2.16.840.1.101.3.4.1.47'), sequence(octetString(nonce), integer(tagBytes)))
}

describe('the tag', () => {
  const withTag = (bytes: Uint8Array, named: number = bytes.length) =>
    received({ cipher: gcmAlgorithm(nonce, named), type: AUTH, trailer: [octetString(bytes)] })

  test('a shorter one than twelve octets proves too little (RFC 5084 §3.2)', () => {
    for (let length = 0; length < TAG_BYTES; length++) {
      const expected = length < 12 ? 'refused 5.7.7' : 'not verified'
      assert.equal(withTag(tag.subarray(0, length)).outcome, expected, `${length}`)
      assert.equal(withTag(tag.subarray(0, length), TAG_BYTES).outcome, 'refused 5.7.7', `${length}, called 16`)
      assert.equal(withTag(tag, length).outcome, 'refused 5.7.7', `16, called ${length}`)
    }
  })

  test('a longer one, a wrong one, none: refused', () => {
    for (const bytes of [Buffer.concat([tag, tag]), Buffer.alloc(TAG_BYTES), new Uint8Array()])
      assert.equal(withTag(bytes, TAG_BYTES).outcome, 'refused 5.7.7')
    assert.equal(received({ cipher: algorithm, type: AUTH }).outcome, 'refused 5.7.7')
  })

  test('a nonce of no length, or another: refused', () => {
    for (const other of [
      new Uint8Array(),
      nonce.subarray(1),
      Buffer.concat([nonce, Buffer.alloc(1)]),
      Buffer.alloc(12),
    ])
      assert.equal(
        received({ cipher: gcmAlgorithm(other, TAG_BYTES), type: AUTH, trailer: [octetString(tag)] }).outcome,
        'refused 5.7.7',
      )
  })

  test('authenticated attributes put in, or taken out: refused', () => {
    for (const attributes of [
      [contentTypeAttribute()],
      [contentTypeAttribute(CONTENT_TYPE.signedData)],
      [attribute('1.2.3', integer(1))],
    ])
      assert.equal(
        received({ cipher: algorithm, type: AUTH, trailer: [der(0xa1, ...attributes), octetString(tag)] }).outcome,
        'refused 5.7.7',
      )
    const authenticated = createCipheriv('aes-256-gcm', KEY, nonce, { authTagLength: TAG_BYTES })
    authenticated.setAAD(der(0x31, contentTypeAttribute()))
    const content = Buffer.concat([authenticated.update(PLAINTEXT), authenticated.final()])
    const trailer = [octetString(authenticated.getAuthTag())]
    const envelope = { cipher: algorithm, type: AUTH, ciphertext: content }
    assert(shown(received({ ...envelope, trailer: [der(0xa1, contentTypeAttribute()), ...trailer] })).includes(SECRET))
    assert.equal(received({ ...envelope, trailer }).outcome, 'refused 5.7.7')
  })
})
