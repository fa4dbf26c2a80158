/**
 * RSA padding oracles: Bleichenbacher (CRYPTO 1998) on PKCS #1 v1.5, Manger (CRYPTO 2001) on OAEP, and Marvin (Kario,
 * ESORICS 2023), who found them again by time. Whoever has a captured mail sends variants of its encrypted content key,
 * and learns from the answer, or from how long it takes, how the padding came out; some thousands of answers open the
 * mail. Here nothing that is wrong with a content key is told apart from anything else that is (RFC 3218). Times are measured
 * and printed: they depend on OpenSSL and on the machine, and no test can promise them.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { NULL, contextTagged, octetString, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { SECRET, bob, cmsEntity, mailFrom, receivedByBob } from '../support/attack.ts'
import { startAttackedReader } from '../support/attacked-reader.ts'
import { type ForgedEnvelope, cbcEncrypt, forgeEnvelope, gcmEncrypt } from '../support/forge-cms.ts'
import { rawEncrypt } from '../support/raw-rsa.ts'
import { MALLORY } from '../support/tampering.ts'

const BYTES = 256
const KEY = Buffer.alloc(32, 6)
const PLAINTEXT = Buffer.from(`Content-Type: text/plain\r\n\r\n${SECRET} ${'x'.repeat(200)}\r\n`)

/** `00 02`, non-zero octets, `00`, the content key (RFC 8017 §7.2.1). */
function pkcs1(
  key: Uint8Array,
  { first = 0, second = 2, zeroAt }: { first?: number; second?: number; zeroAt?: number } = {},
): Buffer {
  const block = Buffer.alloc(BYTES, 0x41)
  block[0] = first
  block[1] = second
  block[BYTES - key.length - 1] = 0
  block.set(key, BYTES - key.length)
  if (zeroAt !== undefined) block[zeroAt] = 0
  return block
}

const PKCS1_BLOCKS: readonly [why: string, block: Buffer][] = [
  ['another first octet', pkcs1(KEY, { first: 1 })],
  ['block type 1', pkcs1(KEY, { second: 1 })],
  ['block type 0', pkcs1(KEY, { second: 0 })],
  ['no end of the padding', Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(BYTES - 2, 0x41)])],
  ['an end within the first eight octets', pkcs1(KEY, { zeroAt: 5 })],
  ['an end one octet early', pkcs1(KEY, { zeroAt: BYTES - 34 })],
  ['right padding around a key that is too short', pkcs1(KEY.subarray(1))],
  ['right padding around a key that is too long', pkcs1(Buffer.concat([KEY, KEY]))],
  ['right padding around nothing', pkcs1(new Uint8Array())],
  ['right padding around another key', pkcs1(Buffer.alloc(32, 7))],
  ['zero', Buffer.alloc(BYTES)],
  ['one', Buffer.concat([Buffer.alloc(BYTES - 1), Buffer.from([1])])],
]

const digestOf = (name: string, ...pieces: Uint8Array[]): Buffer =>
  createHash(name).update(Buffer.concat(pieces)).digest()
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((octet, i) => octet ^ (b[i] ?? 0)))
function mgf1(name: string, seed: Uint8Array, lengthBytes: number): Buffer {
  const pieces = Array.from({ length: 16 }, (_, i) => digestOf(name, seed, Uint8Array.of(0, 0, 0, i)))
  return Buffer.concat(pieces).subarray(0, lengthBytes)
}

interface Oaep {
  readonly first?: number
  readonly label?: string
  readonly separator?: number
  readonly filler?: number
  readonly mask: string
}

/** EME-OAEP (RFC 8017 §7.1.1) with SHA-256. */
function oaep(key: Uint8Array, { first = 0, label = '', separator = 1, filler = 0, mask }: Oaep): Buffer {
  const data = Buffer.alloc(BYTES - 33, filler)
  data.set(digestOf('sha256', Buffer.from(label)))
  data[data.length - key.length - 1] = separator
  data.set(key, data.length - key.length)
  const seed = Buffer.alloc(32, 9)
  const maskedData = xor(data, mgf1(mask, seed, data.length))
  return Buffer.concat([Uint8Array.of(first), xor(seed, mgf1(mask, maskedData, 32)), maskedData])
}

const oaepBlocks = (mask: string): readonly [why: string, block: Buffer][] => [
  ['a first octet that is not zero (Manger)', oaep(KEY, { first: 1, mask })],
  ['another label', oaep(KEY, { label: 'x', mask })],
  ['no separator', oaep(KEY, { separator: 0, mask })],
  ['another separator', oaep(KEY, { separator: 2, mask })],
  ['octets before the separator', oaep(KEY, { filler: 3, mask })],
  ['a key that is too short', oaep(KEY.subarray(1), { mask })],
  ['a key that is too long', oaep(Buffer.concat([KEY, KEY]), { mask })],
  ['no key', oaep(new Uint8Array(), { mask })],
  ['another key', oaep(Buffer.alloc(32, 7), { mask })],
  ['zero', Buffer.alloc(BYTES)],
]

const HASHES: Readonly<Record<string, string>> = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' }
const hashId = (name: string): Uint8Array => sequence(oid(HASHES[name] ?? ''), NULL)
const oaepAlgorithm = (mask: string): Uint8Array =>
  sequence(
    oid('1.2.840.113549.1.1.7'),
    sequence(contextTagged(0, hashId('sha256')), contextTagged(1, sequence(oid('1.2.840.113549.1.1.8'), hashId(mask)))),
  )

type Key = Pick<ForgedEnvelope, 'encryptedKey' | 'keyAlgorithm'>
const gcm = gcmEncrypt(KEY, PLAINTEXT)
const inGcm = (key: Key, to: ForgedEnvelope['to'] = bob): Buffer =>
  forgeEnvelope({
    ...key,
    to,
    contentKey: KEY,
    cipher: gcm.algorithm,
    ciphertext: gcm.ciphertext,
    type: CONTENT_TYPE.authEnvelopedData,
    trailer: [octetString(gcm.tag)],
  })
const cbc = cbcEncrypt(KEY, PLAINTEXT)
const inCbc = (key: Key, to: ForgedEnvelope['to'] = bob): Buffer =>
  forgeEnvelope({ ...key, to, contentKey: KEY, ciphertext: cbc })
const encrypted = (block: Buffer): Buffer => rawEncrypt(bob.certificate.publicKey, block)

/** The second is unpadded by our own code. */
const PADDINGS: readonly [
  name: string,
  right: Buffer,
  wrong: readonly [why: string, block: Buffer][],
  keyAlgorithm?: Uint8Array,
][] = [
  ['PKCS #1 v1.5', pkcs1(KEY), PKCS1_BLOCKS],
  ['OAEP', oaep(KEY, { mask: 'sha256' }), oaepBlocks('sha256'), oaepAlgorithm('sha256')],
  ['OAEP with another mask', oaep(KEY, { mask: 'sha1' }), oaepBlocks('sha1'), oaepAlgorithm('sha1')],
]

for (const [name, right, wrong, keyAlgorithm] of PADDINGS)
  describe(name, () => {
    const as = (block: Buffer): Key => ({
      encryptedKey: encrypted(block),
      ...(keyAlgorithm === undefined ? {} : { keyAlgorithm }),
    })

    test('the right block opens', () => {
      for (const cms of [inGcm(as(right)), inCbc(as(right))]) assert.equal(openEnvelope(cms, [bob]).kind, 'decrypted')
    })

    test('with a tag, every wrong block gives the same report, to the letter', () => {
      const changed = Buffer.from(gcm.tag.map((octet) => octet ^ 1))
      const content = forgeEnvelope({
        ...as(right),
        to: bob,
        contentKey: KEY,
        cipher: gcm.algorithm,
        ciphertext: gcm.ciphertext,
        type: CONTENT_TYPE.authEnvelopedData,
        trailer: [octetString(changed)],
      })
      const expected = receivedByBob(mailFrom(MALLORY, cmsEntity('authEnveloped-data', content)))
      assert.equal(expected.outcome, 'refused 5.7.7')
      for (const [why, block] of wrong)
        assert.deepEqual(
          receivedByBob(mailFrom(MALLORY, cmsEntity('authEnveloped-data', inGcm(as(block))))),
          expected,
          why,
        )
    })

    test('without a tag, every wrong block is refused alike, however often it comes', () => {
      for (const [why, block] of wrong) {
        const mail = mailFrom(MALLORY, cmsEntity('enveloped-data', inCbc(as(block))))
        const first = receivedByBob(mail)
        assert.equal(first.outcome, 'refused 5.7.7', why)
        assert.deepEqual(receivedByBob(mail), first, why)
      }
    })

    test('how long it takes', (t) => {
      const key = as(right)
      const classes = wrong.slice(0, 8).map(([why, block]): [string, Buffer] => [why, inGcm(as(block))])
      for (const line of timesOf([['right', inGcm(key)], ...classes])) t.diagnostic(line)
    })
  })

/** A real measurement wants thousands: `TIMING_ROUNDS=5000`. */
const ROUNDS = Number(process.env['TIMING_ROUNDS'] ?? 20)

/** Medians, and how far each is from the first in standard errors (Welch's t); the classes take turns. */
function timesOf(classes: readonly [why: string, cms: Buffer][]): string[] {
  const times = classes.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, [, cms]] of classes.entries()) {
      const began = process.hrtime.bigint()
      openEnvelope(cms, [bob])
      times[index]?.push(Number(process.hrtime.bigint() - began) / 1000)
    }
  const stats = times.map((each) => {
    const sorted = each.toSorted((a, b) => a - b)
    const kept = sorted.slice(0, Math.floor(sorted.length * 0.8)) // what the machine did meanwhile is in the rest
    const mean = kept.reduce((sum, us) => sum + us, 0) / kept.length
    const variance = kept.reduce((sum, us) => sum + (us - mean) ** 2, 0) / (kept.length - 1)
    return { median: sorted[sorted.length >> 1] ?? 0, mean, error: variance / kept.length }
  })
  const wrongs = stats.slice(1)
  const reference = wrongs[0]
  return stats.map(({ median, mean, error }, index) => {
    const t = reference === undefined ? 0 : (mean - reference.mean) / Math.sqrt(error + reference.error)
    return `${classes[index]?.[0]}: ${median.toFixed(0)} µs, t = ${t.toFixed(1)}`
  })
}

test('through a server every wrong block has the same answer, and nothing reaches the reader', async () => {
  await using reader = await startAttackedReader()
  const { certificate } = reader
  assert.equal(certificate.algorithm, 'rsa-2048')
  const send = (block: Buffer): Promise<string> => {
    const cms = inCbc({ encryptedKey: rawEncrypt(certificate.publicKey, block) }, { certificate })
    return reader.send(mailFrom(MALLORY, cmsEntity('enveloped-data', cms)))
  }
  const replies = []
  for (const [, block] of PKCS1_BLOCKS) replies.push(await send(block))
  assert.deepEqual(
    [...new Set(replies)],
    ['550 5.7.7 Message integrity failure: the message was changed after it was protected'],
  )
  assert.match(await send(pkcs1(KEY)), /^250 /)
  assert.equal((await reader.fetched()).length, 1)
})
