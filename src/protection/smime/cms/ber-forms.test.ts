/** What is sent in BER says the same as in DER, however its strings are cut and its lengths are written (X.690 §8). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fixedIdentity } from '../../../../test/support/smime-identity.ts'
import { push } from '../../../../test/support/push.ts'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { derHeader } from '../asn1/der-writer.ts'
import { CONSTRUCTED, TAG, contextConstructed } from '../asn1/tlv.ts'
import { INDEFINITE } from './chunked-content.ts'
import { envelopSink } from './envelop.ts'
import { openEnvelope } from './open-envelope.ts'
import { findSigner, readSignedData, verifySigner } from './signed-data.ts'
import { signedDataSink } from './sign.ts'

const alice = fixedIdentity('alice@example.com', 7)
const bob = fixedIdentity('bob@example.com', 8)
const RUNS = 300
const DEPTH_MAX = 3
/** `[0] IMPLICIT OCTET STRING`, as encryptedContent is. */
const IMPLICIT_STRING = 0x80

type Dice = (sides: number) => number

/** Re-encodes all but what must stay DER: certificates, and algorithms, whose encoding goes into key derivation. */
function toBer(node: Node, dice: Dice, depth = 0): Uint8Array {
  const isAlgorithm = node.tag === TAG.SEQUENCE && node.children[0]?.tag === TAG.OID && node.children.length <= 2
  const isCertificates = node.tag === contextConstructed(0) && node.children[0]?.children.length === 3 && depth === 3
  if ((isAlgorithm && depth > 1) || isCertificates) return node.raw
  if ((node.tag & CONSTRUCTED) !== 0)
    return wrapped(
      node.tag,
      node.children.map((child) => toBer(child, dice, depth + 1)),
      dice,
    )
  const isString = node.tag === TAG.OCTET_STRING || node.tag === IMPLICIT_STRING
  return isString && dice(3) > 0 ? cutString(node.tag, node.content, dice, 0) : node.raw
}

function cutString(tag: number, content: Uint8Array, dice: Dice, depth: number): Uint8Array {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < content.length;) {
    const length = dice(4) === 0 ? 0 : 1 + dice(content.length)
    const piece = content.subarray(at, at + length)
    at += piece.length
    const deeper = depth < DEPTH_MAX && dice(4) === 0
    pieces.push(
      deeper
        ? cutString(TAG.OCTET_STRING, piece, dice, depth + 1)
        : concatBytes([header(TAG.OCTET_STRING, piece.length, dice), piece]),
    )
  }
  return wrapped(tag | CONSTRUCTED, pieces, dice)
}

function wrapped(tag: number, members: readonly Uint8Array[], dice: Dice): Uint8Array {
  if (dice(2) === 0) return concatBytes([Uint8Array.of(tag, INDEFINITE), ...members, new Uint8Array(2)])
  const length = members.reduce((total, member) => total + member.length, 0)
  return concatBytes([header(tag, length, dice), ...members])
}

/** Lengths may have leading zeros. */
function header(tag: number, length: number, dice: Dice): Uint8Array {
  return dice(3) > 0
    ? derHeader(tag, length)
    : Uint8Array.of(tag, 0x84, 0, length >> 16, (length >> 8) & 255, length & 255)
}

/** As many rolls as the test needs, all from one seed, so that a failure can be repeated. */
function diceOf(seed: number): Dice {
  let state = seed >>> 0
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

function berOf(der: Uint8Array, seed: number): Uint8Array {
  const parsed = parseDer(der)
  assert(parsed.ok)
  return toBer(parsed.value, diceOf(seed))
}

const contents = fc.uint8Array({ maxLength: 3000 })

test('a signature in any BER verifies', () => {
  const property = fc.property(contents, fc.boolean(), fc.nat(), (content, detached, seed) => {
    const signing = { keys: [alice], detached, choice: {}, signingTimeMs: Date.UTC(2026, 10, 22) }
    const signed = readSignedData(
      berOf(
        push(content, (out) => signedDataSink(signing, out)),
        seed,
      ),
    )
    assert(signed.ok, signed.ok ? '' : signed.error)
    const [signerInfo] = signed.value.signerInfos
    assert(signerInfo !== undefined)
    assert.equal(findSigner(signerInfo, [alice.certificate]), alice.certificate)
    assert.deepEqual(Buffer.from(signed.value.content ?? content), Buffer.from(content))
    const check = (over: Uint8Array) =>
      verifySigner(signed.value, signerInfo, over, alice.certificate, { allowWeak: false })
    assert.equal(check(content).why, undefined)
    assert.equal(check(concatBytes([content, utf8('x')])).intact, false)
  })
  fc.assert(property, { numRuns: RUNS })
})

test('an envelope in any BER opens', () => {
  const ciphers = fc.constantFrom('aes-256-cbc' as const, 'aes-256-gcm' as const)
  const property = fc.property(contents, ciphers, fc.nat(), (content, cipher, seed) => {
    const der = push(content, (out) => envelopSink({ recipients: [bob.certificate], choice: { cipher } }, out))
    const opened = openEnvelope(berOf(der, seed), [bob])
    assert(opened.kind === 'decrypted', JSON.stringify(opened))
    assert.deepEqual(Buffer.from(opened.content), Buffer.from(content))
  })
  fc.assert(property, { numRuns: RUNS })
})
