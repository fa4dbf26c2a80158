/**
 * CMS messages: no throw; whole and in chunks the same; a signature is never intact over other content, and a tag never
 * lets other content through.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { hex } from '../src/base/bytes.ts'
import { BerFeed, type BerReader, type OnSlice, type Reading } from '../src/protection/smime/asn1/ber-stream.ts'
import { DECOMPRESSED_MAX_BYTES } from '../src/protection/expansion.ts'
import { readCompressedData } from '../src/protection/smime/cms/compressed-data.ts'
import { parseDer } from '../src/protection/smime/asn1/der-reader.ts'
import { capabilitiesDer, readCapabilities } from '../src/protection/smime/cms/capabilities.ts'
import {
  contextTagged,
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
} from '../src/protection/smime/asn1/der-writer.ts'
import { CONTENT_TYPE, readContentInfo } from '../src/protection/smime/cms/content-info.ts'
import { envelopSink } from '../src/protection/smime/cms/envelop.ts'
import { readEnvelope, readEnvelopeFrame } from '../src/protection/smime/cms/enveloped-data.ts'
import { openEnvelope } from '../src/protection/smime/cms/open-envelope.ts'
import { signedDataSink } from '../src/protection/smime/cms/sign.ts'
import {
  findSigner,
  readSignedData,
  readSignedDataFrame,
  verifySigner,
} from '../src/protection/smime/cms/signed-data.ts'
import { compressedData } from '../test/support/compressed.ts'
import { fixedIdentity, smimeIdentity } from '../test/support/smime-identity.ts'
import { push } from '../test/support/push.ts'

const alice = fixedIdentity('alice@example.com', 7)
const bob = fixedIdentity('bob@example.com', 8)
const CONTENT = Buffer.from('Content-Type: text/plain\r\n\r\nHello, world\r\n')
const SIGNING_TIME_MS = Date.UTC(2026, 10, 22)

export function target(bytes: Uint8Array): void {
  const node = parseDer(bytes)
  if (node.ok) readCapabilities(node.value)
  const info = readContentInfo(bytes)
  const signedData = readSignedData(bytes)
  const envelope = readEnvelope(bytes)
  if (signedData.ok) assert(info.ok && info.value.contentType === 'signed-data')
  if (envelope.ok) assert(info.ok && info.value.contentType === envelope.value.kind)
  if (signedData.ok) checkSigners(signedData.value)
  const content = readCompressedData(bytes)
  if (content.ok) assert(content.value.length <= DECOMPRESSED_MAX_BYTES)
  const opened = openEnvelope(bytes, [bob, alice, sharedKey])
  if (opened.kind === 'decrypted' && opened.authenticated) assert.deepEqual(Buffer.from(opened.content), CONTENT)
  assert(summary(bytes, readSignedDataFrame, 1000) === summary(bytes, readSignedDataFrame, 1))
  assert(summary(bytes, readEnvelopeFrame, 1000) === summary(bytes, readEnvelopeFrame, 3))
}

function checkSigners(signedData: Extract<ReturnType<typeof readSignedData>, { ok: true }>['value']): void {
  for (const signerInfo of signedData.signerInfos) {
    const certificate = findSigner(signerInfo, [alice.certificate, bob.certificate]) ?? alice.certificate
    for (const content of [signedData.content ?? CONTENT, Buffer.from('other')]) {
      const check = verifySigner(signedData, signerInfo, content, certificate, { allowWeak: true })
      assert.equal(check.intact, check.why === undefined)
      if (!check.intact) continue
      assert.deepEqual(Buffer.from(content), CONTENT)
      assert.equal(check.signingTimeMs, SIGNING_TIME_MS)
    }
  }
}

/** What was read, and a hash over the content, however it was cut into slices. */
function summary(
  bytes: Uint8Array,
  read: (reader: BerReader, onContent: OnSlice) => Reading<unknown>,
  chunkBytes: number,
): string {
  const content = createHash('sha256')
  const feed = new BerFeed((reader) => read(reader, (slice) => content.update(slice)))
  for (let at = 0; at < bytes.length; at += chunkBytes) feed.push(bytes.subarray(at, at + chunkBytes))
  const frame = feed.end()
  return frame.ok ? `${describe(frame.value)} ${content.digest('hex')}` : frame.error
}

function describe(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value)
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, field]) => `${name}: ${describe(field)}`)
    .join('; ')
}

export function seeds(): Uint8Array[] {
  const recipients = [alice.certificate, bob.certificate]
  const postQuantum = [smimeIdentity('ml-kem-512').certificate, smimeIdentity('x25519').certificate]
  const signing = { keys: [alice], choice: {}, signingTimeMs: SIGNING_TIME_MS }
  return [
    capabilitiesDer(),
    push(CONTENT, (out) => signedDataSink({ ...signing, detached: true }, out)),
    push(CONTENT, (out) => signedDataSink({ ...signing, detached: false }, out)),
    push(CONTENT, (out) => signedDataSink({ ...signing, keys: [alice, bob], detached: false }, out)),
    push(CONTENT, (out) => envelopSink({ recipients, choice: { cipher: 'aes-256-gcm' } }, out)),
    push(CONTENT, (out) => envelopSink({ recipients: [bob.certificate], choice: {} }, out)),
    push(CONTENT, (out) => envelopSink({ recipients: postQuantum, choice: { cipher: 'chacha20-poly1305' } }, out)),
    envelopeWith(
      contextTagged(2, integer(4), sequence(octetString(KEY_ID)), AES_WRAP, octetString(new Uint8Array(24))),
    ),
    envelopeWith(contextTagged(3, integer(0), PBKDF2, PWRI, octetString(new Uint8Array(32)))),
    compressedData(deflateSync(CONTENT)),
  ]
}

const KEY_ID = Buffer.from('key')
const sharedKey = { kind: 'shared-key', keyId: KEY_ID, key: Buffer.alloc(16, 7) } as const
const AES_WRAP = sequence(oid('2.16.840.1.101.3.4.1.5'))
const RC2 = sequence(oid('1.2.840.113549.3.2'), sequence(integer(58), octetString(new Uint8Array(8))))
const AES_CBC = sequence(oid('2.16.840.1.101.3.4.1.2'), octetString(new Uint8Array(16)))
const PBKDF2 = contextTagged(0, oid('1.2.840.113549.1.5.12'), sequence(octetString(KEY_ID), integer(5)))
const PWRI = sequence(oid('1.2.840.113549.1.9.16.3.9'), AES_CBC)

/** An envelope for one recipient, whose content key is bound to RC2 (RFC 9709). */
function envelopeWith(recipient: Uint8Array): Uint8Array {
  const cipher = sequence(oid('1.2.840.113549.1.9.16.3.31'), RC2)
  const info = sequence(oid(CONTENT_TYPE.data), cipher, der(0x80, new Uint8Array(16)))
  const envelope = sequence(integer(3), setOf([recipient]), info)
  return sequence(oid(CONTENT_TYPE.envelopedData), contextTagged(0, envelope))
}
