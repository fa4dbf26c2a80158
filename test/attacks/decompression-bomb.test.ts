/**
 * Decompression bombs (Fifield, "A better zip bomb", WOOT 2019, is the state of the art): few octets that become very many,
 * at once or layer by layer. CompressedData (RFC 3274) brings them to a mail server, before any signature or after.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { CONSTRUCTED, TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { alice, bob, clearSigned, cmsEntity, mailFrom, receivedByBob, shown } from '../support/attack.ts'
import { ZLIB, compressedData, compressedEntity } from '../support/compressed.ts'
import { cbcEncrypt, forgeEnvelope, forgeSignedData } from '../support/forge-cms.ts'
import { ALICE } from '../support/tampering.ts'

/** Of one mail; the machine may be busy. Honest ones take a hundredth of it. */
const MS_MAX = 10_000
const MEMORY_MAX_BYTES = 400 * 2 ** 20
const BOMB_BYTES = 256 * 2 ** 20

const TEXT = 'Content-Type: text/plain\r\n\r\n'
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const bomb = deflateSync(Buffer.concat([Buffer.from(TEXT), Buffer.alloc(BOMB_BYTES)]), { level: 9 })
const BOMB = cmsEntity('compressed-data', compressedData(bomb))

function nested(depth: number, core: string): string {
  let entity = core
  for (let i = 0; i < depth; i++) entity = latin1(compressedEntity(Buffer.from(entity, 'latin1')))
  return entity
}

const encrypted = (entity: string): string => {
  const contentKey = Buffer.alloc(32, 2)
  const ciphertext = cbcEncrypt(contentKey, Buffer.from(entity, 'latin1'))
  return cmsEntity('enveloped-data', forgeEnvelope({ to: bob, contentKey, ciphertext }))
}
const signed = (entity: string): string => {
  const content = Buffer.from(entity, 'latin1')
  return clearSigned(entity, forgeSignedData({ content, signers: [{ by: alice }], detached: true }))
}

/** OCTET STRING in pieces of one octet, each with its own tag and length. */
function shattered(): string {
  const pieces = Buffer.alloc(3 * bomb.length)
  for (const [i, octet] of bomb.entries()) pieces.set([TAG.OCTET_STRING, 1, octet], 3 * i)
  const octets = Buffer.concat([Uint8Array.of(TAG.OCTET_STRING | CONSTRUCTED, 0x80), pieces, Uint8Array.of(0, 0)])
  return cmsEntity('compressed-data', compressedData(bomb, ZLIB, octets))
}

const BOMBS: readonly [why: string, entity: string][] = [
  ['256 MiB of zeros', BOMB],
  ['the same in pieces of one octet', shattered()],
  ['the same, called signed-data', BOMB.replace('compressed-data', 'signed-data')],
  ['the same, compressed again', nested(1, BOMB)],
  ['the same, compressed to the depth of all layers', nested(7, BOMB)],
  ['the same, signed', signed(BOMB)],
  ['the same, encrypted', encrypted(BOMB)],
  ['a harmless mail, compressed more often than layers are opened', nested(20, `${TEXT}Hello\r\n`)],
  ['50 MiB of one letter, compressed twice', nested(1, `${TEXT}${'x'.repeat(50 * 2 ** 20)}`)],
]

for (const [why, entity] of BOMBS)
  test(`${why}: answered in time, in bounded memory`, (t) => {
    const mail = mailFrom(ALICE, entity)
    const before = process.memoryUsage()
    const began = performance.now()
    const received = receivedByBob(mail)
    const tookMs = performance.now() - began
    const after = process.memoryUsage()
    const grownBytes = after.rss - before.rss
    t.diagnostic(
      `${mail.length} bytes: ${tookMs.toFixed(0)} ms, ${(grownBytes / 2 ** 20).toFixed(0)} MiB, ${received.outcome}`,
    )
    assert(tookMs < MS_MAX, `${tookMs} ms`)
    assert(grownBytes < MEMORY_MAX_BYTES, `${grownBytes} bytes`)
    assert(shown(received).length < mail.length + BOMB_BYTES / 2)
    if (!why.includes('signed')) assert.notEqual(received.outcome, 'valid')
  })
