/**
 * A subkey can be put under anybody's primary key. Without its own signature it signs nothing there, and it does not keep its
 * owner's certificate from being found either.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rangeInMemory } from '../../src/base/byte-range.ts'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { parseAddress } from '../../src/message/address.ts'
import { makeCertificate } from '../../src/protection/openpgp/certificate/make.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import { findSigners } from '../../src/protection/openpgp/message/signer-findings.ts'
import { PACKET, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { certify, signatureMaker } from '../../src/protection/openpgp/signatures/make.ts'
import { SIGNATURE_TYPE } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { SUBPACKET } from '../../src/protection/openpgp/signatures/subpackets.ts'

const AT_MS = Date.UTC(2026, 5, 1)
const TEXT = utf8('Greetings')

function make(name: string) {
  const address = parseAddress(`${name}@a.example`)
  assert.ok(address !== undefined)
  const made = makeCertificate({ profile: 'v4', address, createdMs: AT_MS })
  const [primary, signing] = made.certificate.components
  assert.ok(primary !== undefined && signing !== undefined)
  return { ...made, primary, signing }
}

test("a key that adopts another's signing subkey does not hide its owner", () => {
  const [alice, mallory] = [make('alice'), make('mallory')]
  const subpackets = [{ type: SUBPACKET.KEY_FLAGS, critical: true, body: Uint8Array.of(2) }]
  const plan = { packet: mallory.primary.packet, handles: mallory.subkeys[0]?.handles ?? [], atMs: AT_MS, subpackets }
  const thing = { primary: mallory.primary.packet, subkey: alice.signing.packet }
  const adopted = readOpenpgpCertificate(
    concatBytes([
      mallory.certificate.encoded,
      writePacket(PACKET.PUBLIC_SUBKEY, alice.signing.packet.body),
      certify({ ...plan, type: SIGNATURE_TYPE.SUBKEY_BINDING }, thing),
    ]),
  )
  assert.ok(adopted.ok)
  const handles = alice.subkeys[1]?.handles ?? []
  const maker = signatureMaker({ type: SIGNATURE_TYPE.BINARY, packet: alice.signing.packet, handles, atMs: AT_MS })
  maker.update(TEXT)
  const known = [adopted.value, alice.certificate].map((certificate) => ({ certificate, trust: 'found' as const }))
  const ring = { decryptionKeys: [], known, anchors: [] }
  const [found] = findSigners([{ body: maker.finish() }], { content: rangeInMemory(TEXT), ring, carried: [] })
  assert.equal(found?.intact, true)
  assert.equal(found.certificate?.fingerprint, alice.certificate.fingerprint)
})
