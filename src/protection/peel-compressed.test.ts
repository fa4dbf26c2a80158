/** Compressed entities between, around and without the layers that protect (RFC 8551 §3.6). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compressedEntity } from '../../test/support/compressed.ts'
import { stripped } from '../../test/support/mail-surgery.ts'
import { type Received, protectedMail, receive } from '../../test/support/protected-mail.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'

const alice = smimeIdentity('p256', 'alice@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')
const reader = { keys: [bob], known: [{ certificate: alice.certificate, trust: 'confirmed' as const }] }
const FROM = 'From: alice@example.com\r\n'
const TEXT = 'Content-Type: text/plain\r\n\r\nHello\r\n'

/** Such as `encrypted decrypted, compressed decompressed: valid`. */
const told = ({ report: { layers, summary } }: Received): string =>
  `${layers.map(({ kind, verdict }) => `${kind} ${verdict}`).join(', ')}: ${summary.signature}`
const shown = ({ report }: Received): string => Buffer.from(report.message ?? []).toString('latin1')

/** A mail whose author's client has compressed the text; with header protection off, the layers stand alone. */
function around(layering: 'sign' | 'sign-encrypt', entity: Buffer): Buffer {
  const text = entity.toString('latin1')
  const split = text.indexOf('\r\n\r\n')
  const header = FROM + text.slice(0, split + 2)
  const order = { layering, signer: alice, recipients: [bob], headerProtection: false }
  return protectedMail({ ...order, header, body: text.slice(split + 4) })
}

test('compressed, signed and encrypted', () => {
  const got = receive(around('sign-encrypt', compressedEntity(Buffer.from(TEXT))), reader)
  assert.equal(told(got), 'encrypted decrypted, signed valid, compressed decompressed: valid')
  assert.match(shown(got), /Content-Type: text\/plain\r\n\r\nHello\r\n$/)
  assert.doesNotMatch(shown(got), /pkcs7/)
})

test('signed, then compressed', () => {
  const signed = around('sign', Buffer.from(TEXT)).toString('latin1')
  const entity = Buffer.from(signed.slice(signed.indexOf('Content-Type: multipart/signed')), 'latin1')
  const got = receive(Buffer.concat([Buffer.from(FROM), compressedEntity(entity)]), reader)
  assert.equal(told(got), 'compressed decompressed, signed valid: valid')
  assert.match(shown(got), /\r\n\r\nHello\r\n$/)
})

test('only compressed: readable, and no protection; a header inside is no header', () => {
  const inside = `Content-Type: text/plain; hp="clear"\r\nFrom: mallory@example.com\r\nSubject: x\r\n\r\nHello\r\n`
  const got = receive(Buffer.concat([Buffer.from(FROM), compressedEntity(Buffer.from(inside))]), reader)
  assert.equal(told(got), 'compressed decompressed: none')
  assert.equal(got.decision.rule, 'unprotected')
  assert.match(shown(got), /^From: alice@example\.com\r\nContent-Type: text\/plain.*\r\n\r\nHello\r\n$/)
})

test('a bomb is delivered as it came, whether anything protects it or not', () => {
  const bomb = compressedEntity(Buffer.alloc(100 * 2 ** 20))
  const alone = Buffer.concat([Buffer.from(FROM), bomb])
  assert.equal(told(receive(alone, reader)), 'compressed broken: none')
  assert.equal(shown(receive(alone, reader)), alone.toString('latin1'))
  const signed = around('sign', bomb)
  assert.equal(told(receive(signed, reader)), 'signed valid, compressed broken: valid')
  assert.match(shown(receive(signed, reader)), /smime-type=compressed-data/)
  assert.ok(Buffer.from(shown(receive(signed, reader)), 'latin1').includes(stripped(signed).subarray(-1000)))
})

test('what is compressed in a part of the mail stays there, and counts as no layer', () => {
  const mail = `${FROM}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n`
  const raw = Buffer.concat([Buffer.from(mail), compressedEntity(Buffer.from(TEXT)), Buffer.from('\r\n--b--\r\n')])
  const { report } = receive(raw, reader)
  assert.deepEqual([report.layers, report.errant], [[], 0])
})
