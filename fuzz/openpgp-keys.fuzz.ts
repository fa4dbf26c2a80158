/** Keys, signatures and certificates of OpenPGP: nothing but Malformed is thrown, little time, and nothing that was changed holds. */
import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { concatBytes, equalBytes, utf8 } from '../src/base/bytes.ts'
import { attempt } from '../src/protection/malformed.ts'
import { isOpenpgpCertificate } from '../src/protection/openpgp/certificate/certificate.ts'
import { readStructure, writeStructure } from '../src/protection/openpgp/certificate/structure.ts'
import { readOpenpgpCertificate } from '../src/protection/openpgp/certificate/read.ts'
import { encryptionComponents, signingComponent, stateAt } from '../src/protection/openpgp/certificate/state.ts'
import { preferencesAt } from '../src/protection/openpgp/certificate/preferences.ts'
import { newKeyPacket, readPublicKeyPacket } from '../src/protection/openpgp/keys/key-packet.ts'
import { certify } from '../src/protection/openpgp/signatures/make.ts'
import { hashCertified } from '../src/protection/openpgp/signatures/signature-hash.ts'
import { SIGNATURE_TYPE, readSignature } from '../src/protection/openpgp/signatures/signature-packet.ts'
import { SUBPACKET } from '../src/protection/openpgp/signatures/subpackets.ts'
import { verifySignature } from '../src/protection/openpgp/signatures/verify.ts'
import { PACKET, readPackets, writePacket } from '../src/protection/openpgp/packets/packet.ts'

const CPU_MAX_US = 2_000_000

const AT_MS = 1_700_000_000_000
const keys = [
  made(4, 22, generateKeyPairSync('ed25519')),
  made(6, 27, generateKeyPairSync('ed25519')),
  made(4, 1, generateKeyPairSync('rsa', { modulusLength: 2048 })),
  made(6, 19, generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' })),
]
const signatures = keys.map(({ packet, handles }) => {
  const subpackets = Object.values(SUBPACKET)
    .filter((type) => type > SUBPACKET.EXPIRATION_TIME && type !== SUBPACKET.ISSUER_KEY_ID)
    .map((type) => ({ type, critical: type % 2 === 0, body: Uint8Array.of(1, 2, 3, 4) }))
  const plan = { type: SIGNATURE_TYPE.DIRECT_KEY, packet, handles, atMs: AT_MS, subpackets }
  const [signature] = readPackets(certify(plan, { primary: packet }))
  assert.ok(signature !== undefined)
  return signature.body
})

const certificates = keys.map(({ packet, handles }) => {
  const user = { type: PACKET.USER_ID, body: utf8('Alice <alice@a.example>') }
  const plan = { type: SIGNATURE_TYPE.POSITIVE_CERTIFICATION, packet, handles, atMs: AT_MS }
  const certification = certify(plan, { primary: packet, user })
  return concatBytes([writePacket(PACKET.PUBLIC_KEY, packet.body), writePacket(user.type, user.body), certification])
})

function made(version: 4 | 6, algorithm: number, pair: Record<'publicKey' | 'privateKey', KeyObject>) {
  const packet = newKeyPacket({ version, algorithm, createdMs: AT_MS, publicKeys: [pair.publicKey] })
  return { packet, handles: [pair.privateKey] }
}

export function target(bytes: Uint8Array): void {
  const before = process.cpuUsage()
  const key = attempt(() => readPublicKeyPacket(bytes))
  if (key.ok) assert.ok(equalBytes(key.value.body, bytes))
  const read = attempt(() => readSignature(bytes))
  if (read.ok)
    for (const { packet } of keys) {
      const checked = attempt((): boolean => {
        const digest = hashCertified(read.value, { primary: packet })
        return digest !== undefined && verifySignature(read.value, digest, packet).ok
      })
      assert.ok(!checked.ok || !checked.value || signatures.some((genuine) => isSameUpToHints(genuine, bytes)))
    }
  checkCertificate(bytes)
  assert.ok(process.cpuUsage(before).user < CPU_MAX_US, 'takes too long')
}

/** No address without a certification of ours. */
function checkCertificate(bytes: Uint8Array): void {
  const read = readOpenpgpCertificate(bytes)
  if (!read.ok) return
  const { value: certificate } = read
  assert.ok(equalBytes(certificate.encoded, bytes))
  assert.doesNotMatch(certificate.subject, /\p{C}/u)
  assert.ok(certificate.addresses.every((address) => address === 'alice@a.example'))
  assert.ok(isOpenpgpCertificate(certificate))
  const again = readOpenpgpCertificate(writeStructure(readStructure(bytes)))
  assert.deepEqual(again.ok && again.value.addresses, certificate.addresses)
  stateAt(certificate, AT_MS)
  signingComponent(certificate, certificate.fingerprint, AT_MS)
  encryptionComponents(certificate, AT_MS)
  preferencesAt(certificate, AT_MS)
}

/** What is not signed, the hints and how the numbers are written, is anybody's to change. */
const isSameUpToHints = (genuine: Uint8Array, bytes: Uint8Array): boolean =>
  equalBytes(readSignature(genuine).trailer, readSignature(bytes).trailer)

export function seeds(): Uint8Array[] {
  return [...keys.map(({ packet }) => packet.body), ...signatures, ...certificates]
}
