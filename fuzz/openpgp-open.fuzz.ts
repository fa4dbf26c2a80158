/**
 * OpenPGP mail in every form: no throw, bounded time; the same result whether in memory or read piece by piece; what comes out as
 * validly signed by Alice as a whole is what Alice signed.
 */
import assert from 'node:assert/strict'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../src/base/bytes.ts'
import { parsePart } from '../src/message/parse.ts'
import { bodyOf } from '../src/message/part.ts'
import { type PackedRing, packKey, packKnown, runPeel } from '../src/protection/jobs.ts'
import { armor } from '../src/protection/openpgp/armor.ts'
import { cipherByName } from '../src/protection/openpgp/algorithms/ciphers.ts'
import { encryptingSink } from '../src/protection/openpgp/encryption/encrypt.ts'
import { literalMessageSink } from '../src/protection/openpgp/message/write-message.ts'
import { assertSameWhenLarge } from '../test/support/large.ts'
import { openpgpIdentity, partsOf } from '../test/support/openpgp-identity.ts'
import { protectedMail } from '../test/support/protected-mail.ts'

const alice = openpgpIdentity('alice@example.com')
const bob = openpgpIdentity('bob@example.com')
const AT_MS = Date.UTC(2026, 10, 22)
const FROM = 'From: alice@example.com\r\n'
const BODY = 'Hello, world\r\n'

const ring: PackedRing = {
  decryptionKeys: [packKey(bob)],
  known: [packKnown({ certificate: alice.certificate, trust: 'confirmed' })],
  anchors: [],
  allowWeak: false,
}

export function target(bytes: Uint8Array): void {
  const [report] = runPeel({ kind: 'peel', raw: bytes, atMs: AT_MS, rings: [ring] })
  assert(report !== undefined)
  assertSameWhenLarge(bytes, ring, AT_MS, report, 'opened otherwise when it is large', 'anyDefect')
  if (report.layers.length === 0) assert.deepEqual(report.message, bytes)
  if (report.layers.some(({ partial }) => partial === true)) assert.notEqual(report.summary.signature, 'valid')
  if (report.summary.signature !== 'valid' || report.sealed || report.message === undefined) return
  assert.equal(report.summary.signer, 'alice@example.com')
  assert.equal(latin1(bodyOf(parsePart(report.message))).trimEnd(), BODY.trimEnd())
}

export function seeds(): Uint8Array[] {
  const order = { signer: alice, header: `${FROM}Content-Type: text/plain\r\n`, body: BODY }
  const wrapped = (['sign', 'sign-encrypt', 'encrypt-sign'] as const).map((layering) =>
    protectedMail({ ...order, layering, recipients: layering === 'sign' ? [] : [bob] }),
  )
  const block = armor('PGP MESSAGE', message(BODY))
  const entity = armor('PGP MESSAGE', message(`Content-Type: text/plain\r\n\r\n${BODY}`))
  const inline = concatBytes([utf8(`${FROM}\r\n`), block])
  const amid = concatBytes([utf8(`${FROM}\r\nbefore\r\n`), block, utf8('after\r\n')])
  const mangled = utf8(
    `${FROM}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\n` +
      `Version: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n${latin1(entity)}\r\n--b--\r\n`,
  )
  return [...wrapped, inline, amid, mangled]
}

/** Signed by Alice, encrypted to Bob. */
function message(content: string): Uint8Array {
  const out = new Collector()
  const recipient = partsOf(bob, AT_MS).encryption
  const encrypting = encryptingSink({ recipients: [recipient], cipher: cipherByName('aes-256') }, out)
  const sink = literalMessageSink({ keys: [partsOf(alice, AT_MS).signing], atMs: AT_MS }, encrypting)
  sink.write(utf8(content))
  sink.end()
  return concatBytes(out.take())
}
