/**
 * Whole protected mails: no throw, bounded time; the same result whether in memory or read piece by piece; what comes out as validly signed by Alice is one of the messages that
 * Alice signed, whatever was done to it on the way.
 */
import assert from 'node:assert/strict'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../src/base/bytes.ts'
import { readProtectedHeader } from '../src/protection/header/protected-header.ts'
import { parsePart } from '../src/message/parse.ts'
import { bodyOf } from '../src/message/part.ts'
import { type PackedRing, packCertificate, packKey, packKnown, runPeel, startWrap } from '../src/protection/jobs.ts'
import type { EncryptionChoice, SigningChoice } from '../src/protection/standard.ts'
import type { Layering } from '../src/protection/wrap.ts'
import { assertSameWhenLarge } from '../test/support/large.ts'
import { fixedIdentity } from '../test/support/smime-identity.ts'

const alice = { ...fixedIdentity('alice@example.com', 7), chain: [] }
const bob = { ...fixedIdentity('bob@example.com', 8), chain: [] }
const SIGNING_TIME_MS = Date.UTC(2026, 10, 22)
const HEADER = 'From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Hello\r\nMessage-ID: <1@example.com>\r\n'
const BODY = 'Hello, world\r\n'

const ring: PackedRing = {
  decryptionKeys: [packKey(bob)],
  known: [packKnown({ certificate: alice.certificate, trust: 'confirmed' })],
  anchors: [],
  allowWeak: false,
}

export function target(bytes: Uint8Array): void {
  const around = { outside: [], encrypted: true, isLayer: () => false }
  for (const isWhole of [true, false]) readProtectedHeader(parsePart(bytes), { ...around, isWhole })
  const [report] = runPeel({ kind: 'peel', raw: bytes, atMs: SIGNING_TIME_MS, rings: [ring] })
  assert(report !== undefined)
  assertSameWhenLarge(bytes, ring, SIGNING_TIME_MS, report, 'opened otherwise when it is large', 'anyDefect')
  assert(
    (report.message === undefined) ===
      report.layers.some(
        (layer) =>
          layer.verdict === 'invalid' ||
          layer.verdict === 'mismatch' ||
          layer.verdict === 'revoked' ||
          layer.verdict === 'broken',
      ),
  )
  if (report.layers.length === 0) assert.deepEqual(report.message, bytes)
  if (report.summary.signature !== 'valid' || report.sealed || report.message === undefined) return
  assert.equal(report.summary.signer, 'alice@example.com')
  assert.equal(latin1(bodyOf(parsePart(report.message))), BODY)
}

export function seeds(): Uint8Array[] {
  const layerings: readonly Layering[] = ['sign', 'encrypt-sign', 'sign-encrypt', 'triple']
  return layerings.flatMap((layering) => [
    wrapped(layering, true, { cipher: 'aes-256-gcm' }, {}),
    wrapped(layering, false, { cipher: 'aes-256-gcm' }, {}),
    wrapped(layering, true, { cipher: 'aes-256-cbc' }, { form: 'opaque' }),
  ])
}

function wrapped(
  layering: Layering,
  headerProtection: boolean,
  encryption: EncryptionChoice,
  signing: SigningChoice,
): Uint8Array {
  const out = new Collector()
  const copy = {
    kind: 'wrapped' as const,
    layering,
    standard: 'smime' as const,
    signers: [packKey(alice)],
    recipients: [packCertificate(bob.certificate)],
    signing,
    encryption,
    headerProtection,
  }
  const job = {
    kind: 'wrap' as const,
    header: utf8(HEADER),
    trace: new Uint8Array(0),
    signingTimeMs: SIGNING_TIME_MS,
    copies: [copy],
  }
  const body = startWrap(job, [out])
  body.write(utf8(BODY))
  body.end()
  return concatBytes(out.take())
}
