/** The forms that are not as RFC 3156 has them: inline, in parts, as a file, and rewritten by relays; what each is worth. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_AT_MS, receive } from '../../../../test/support/protected-mail.ts'
import { openpgpIdentity, partsOf } from '../../../../test/support/openpgp-identity.ts'
import { Collector } from '../../../base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../../../base/bytes.ts'
import { encodeBase64Lines } from '../../../message/encode.ts'
import type { KnownCertificate } from '../../standard.ts'
import { cipherByName } from '../algorithms/ciphers.ts'
import { armor } from '../armor.ts'
import { encryptingSink } from '../encryption/encrypt.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { signatureMaker } from '../signatures/make.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { literalMessageSink } from './write-message.ts'

const alice = openpgpIdentity('alice@example.com')
const bob = openpgpIdentity('bob@example.com')
const known: KnownCertificate[] = [{ certificate: alice.certificate, trust: 'confirmed' }]
const reader = { keys: [bob], known }
const stranger = { keys: [], known }
const { signing } = partsOf(alice, SIGNED_AT_MS)
const recipient = partsOf(bob, SIGNED_AT_MS).encryption

/** Signed, and encrypted to Bob where it is to be. */
function message(content: string, encrypted = true): Uint8Array {
  const out = new Collector()
  const into = encrypted ? encryptingSink({ recipients: [recipient], cipher: cipherByName('aes-256') }, out) : out
  const sink = literalMessageSink({ keys: [signing], atMs: SIGNED_AT_MS }, into)
  sink.write(utf8(content))
  sink.end()
  return concatBytes(out.take())
}

const block = (content: string, encrypted = true): string => latin1(armor('PGP MESSAGE', message(content, encrypted)))

function clearSigned(text: string): string {
  const maker = signatureMaker({ ...signing, type: SIGNATURE_TYPE.TEXT, atMs: SIGNED_AT_MS })
  maker.update(utf8(text))
  const signature = latin1(armor('PGP SIGNATURE', writePacket(PACKET.SIGNATURE, maker.finish())))
  return `-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n${text.replaceAll(/^-/gm, '- -')}\r\n${signature}`
}

const FROM = 'From: alice@example.com\r\nTo: bob@example.com\r\nMIME-Version: 1.0\r\n'
const text = (body: string): string => `${FROM}Content-Type: text/plain; charset=iso-8859-1\r\n\r\n${body}`
const mixed = (...parts: readonly string[]): string =>
  `${FROM}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`
const VERSION = 'Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n'
const OCTETS = 'Content-Type: application/octet-stream\r\n'
const ENTITY = 'Content-Type: text/plain\r\n\r\nthe words\r\n'
const BASE64 = 'Content-Transfer-Encoding: base64\r\n'
const encoded = (bytes: Uint8Array): string => latin1(encodeBase64Lines(bytes))

const whole: readonly [mail: string, form: string, shown: RegExp, why: string][] = [
  [text(block('the words')), 'inline', /\r\n\r\nthe words$/, 'one block'],
  [text(`\r\n${block('the words\n')}\r\n-- \r\n`), 'inline', /\r\n\r\nthe words\r\n$/, 'nothing around it'],
  [text(block('the words', false)), 'inline', /\r\n\r\nthe words$/, 'signed only'],
  [text(clearSigned('the words')), 'inline', /\r\n\r\nthe words$/, 'signed in the clear'],
  [text(clearSigned('-----BEGIN\r\nthe words')), 'inline', /\r\n\r\n-----BEGIN\r\nthe words$/, 'dashes are escaped'],
  [text(block('größer')), 'inline', /charset=utf-8[^]*größer/, 'UTF-8, whatever the part says'],
  [
    mixed('\r\n', VERSION, `${OCTETS}\r\n${block(ENTITY)}`),
    'pgp-mime-repaired',
    /\r\n\r\nthe words\r\n$/,
    'an empty text in front (Exchange)',
  ],
  [
    mixed('\r\nEmpty Message\r\n', VERSION, `${OCTETS}${BASE64}\r\n${encoded(message(ENTITY))}`),
    'pgp-mime-repaired',
    /\r\n\r\nthe words\r\n$/,
    'a text that says that it is empty (Proton Bridge), no armor',
  ],
  [
    mixed(VERSION, `${OCTETS}\r\n${block('the words, and no header\r\nthe words\r\n')}`),
    'pgp-mime-repaired',
    /\r\n\r\nthe words, and no header\r\nthe words\r\n$/,
    'a text without a header of its own',
  ],
  [
    `${FROM}Content-Type: application/octet-stream; name=encrypted.asc\r\n\r\n${block(ENTITY)}`,
    'pgp-file',
    /\r\n\r\nthe words\r\n$/,
    'a file with an entity',
  ],
  [
    mixed(
      `\r\n${block('the words')}`,
      `${OCTETS}Content-Disposition: attachment; filename="a.txt.gpg"\r\n${BASE64}\r\n${encoded(message('a file'))}`,
    ),
    'inline-parts',
    /the words\r\n--[^]*filename="a.txt"[^]*YSBmaWxl/,
    'a text and a file, each by itself',
  ],
]
for (const [mail, form, shown, why] of whole)
  test(`believed as a whole: ${why}`, () => {
    const { outcome, report } = receive(Buffer.from(mail, 'utf8'), reader)
    assert.equal(report.layers[0]?.form, form)
    assert.equal(outcome, 'valid')
    assert.match(Buffer.from(report.message ?? []).toString(), shown)
  })

const partial: readonly [mail: string, shown: RegExp, why: string][] = [
  [text(`Pay to me:\r\n${clearSigned('the words')}`), /the words\r\n--[^]*not protected\]\r\n\r\nPay to me:/, 'before'],
  [text(`${clearSigned('the words')}\r\nBut pay me.`), /the words\r\n--[^]*not protected\][^]*But pay me/, 'behind'],
  [text(`${block('the words')}\r\n_____\r\nlist footer`), /the words\r\n--[^]*list footer/, 'a list’s footer'],
  [
    text(`${clearSigned('the words')}\r\n${clearSigned('others')}`),
    /the words\r\n--[^]*BEGIN PGP SIGNED MESSAGE-----[^]*others/,
    'a second block, which stays as it is',
  ],
  [
    text(`Please answer${'\r\n.'.repeat(80)}\r\n${block('the secret')}`),
    /boundary=[^]*?--[^]*?the secret[^]*not protected\]\r\n\r\nPlease answer/,
    'what is hidden below many lines comes first',
  ],
  [
    mixed('\r\nA footer\r\n', VERSION, `${OCTETS}\r\n${block(ENTITY)}`),
    /the words\r\n[^]*not protected\][^]*A footer/,
    'a relay’s own text',
  ],
]
for (const [mail, shown, why] of partial)
  test(`a part of a text: ${why}`, () => {
    const { outcome, report } = receive(Buffer.from(mail), reader)
    assert.equal(
      report.layers.every((layer) => layer.partial === true),
      true,
    )
    assert.deepEqual([outcome, report.summary.signature, report.summary.encrypted], ['not verified', 'none', false])
    assert.equal(report.summary.reason, 'only a part of it was protected')
    assert.match(report.summary.notes.join(' '), /valid signature by alice@example.com, which covers nothing else/)
    assert.match(Buffer.from(report.message ?? []).toString('latin1'), shown)
    assert.deepEqual(report.signers, [])
  })

const asItCame: readonly [mail: string, why: string][] = [
  [text(`Look:\r\n${clearSigned('the words').replace('words', 'Words')}`), 'a changed quotation is no tampering'],
  [text(`Look:\r\n${block('the words').replace(/\r\n\r\n..../, '\r\n\r\nAAAA')}`), 'a block that is none'],
  [`${FROM}Content-Type: text/html\r\n\r\n${block('the words')}`, 'HTML is not looked into'],
  [mixed(`\r\n${block('the words')}`, `${OCTETS}\r\nplain`), 'a file beside it that is not encrypted'],
  [
    mixed('Content-Type: text/html\r\n\r\n<img src="', VERSION, `${OCTETS}\r\n${block(ENTITY)}`),
    'HTML before it (EFAIL)',
  ],
]
for (const [mail, why] of asItCame)
  test(`as it came: ${why}`, () => {
    const { report } = receive(Buffer.from(mail), reader)
    assert.deepEqual(report.layers, [])
    assert.equal(Buffer.from(report.message ?? []).toString(), mail)
  })

test('one block that was changed is tampered with; one for somebody else stays closed', () => {
  const changed = clearSigned('the words').replace('words', 'Words')
  assert.equal(receive(Buffer.from(text(changed)), reader).outcome, 'refused 5.7.7')
  const sealed = receive(Buffer.from(text(block('the words'))), stranger).report
  assert.equal(sealed.sealed, true)
  assert.equal(sealed.layers[0]?.verdict, 'no-key')
})
