/** Keys and signatures both ways with openpgp.js, which knows version 6 (RFC 9580). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as openpgp from 'openpgp'
import { utf8 } from '../../src/base/bytes.ts'
import { parseAddress } from '../../src/message/address.ts'
import { makeRevocation, renewCertificate, revokeCertificate } from '../../src/protection/openpgp/certificate/change.ts'
import { makeCertificate } from '../../src/protection/openpgp/certificate/make.ts'
import { signingComponent, stateAt } from '../../src/protection/openpgp/certificate/state.ts'
import {
  readTransferableKeys,
  writeTransferableSecretKey,
} from '../../src/protection/openpgp/certificate/transferable.ts'
import { PACKET, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { signatureMaker } from '../../src/protection/openpgp/signatures/make.ts'
import { signatureHasher } from '../../src/protection/openpgp/signatures/signature-hash.ts'
import { SIGNATURE_TYPE, readSignature } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { verifySignature } from '../../src/protection/openpgp/signatures/verify.ts'

const TEXT = utf8('Greetings\r\n')
const PASSWORD = 'sesame'
const DAY_MS = 86_400_000
const now = Math.floor(Date.now() / 1000) * 1000

const address = parseAddress('alice@a.example')
assert.ok(address !== undefined)

function value<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  assert.ok(result.ok, result.ok ? '' : result.error)
  return result.value
}

for (const profile of ['v4', 'v6'] as const)
  describe(`openpgp.js and keys of ${profile}`, () => {
    const times = { createdMs: now - DAY_MS, expiresMs: now + 30 * DAY_MS }
    const { certificate, subkeys } = makeCertificate({ profile, address, ...times })

    test('reads a certificate of ours, its renewal and its revocation', async () => {
      const key = await openpgp.readKey({ binaryKey: certificate.encoded })
      assert.equal(key.getFingerprint(), certificate.fingerprint)
      assert.deepEqual(await key.getExpirationTime(), new Date(times.expiresMs))
      assert.equal((await key.getSigningKey()).getFingerprint(), subkeys[1]?.fingerprint)
      assert.equal((await key.getEncryptionKey()).getFingerprint(), subkeys[2]?.fingerprint)
      const later = { atMs: now, expiresMs: now + 60 * DAY_MS }
      const renewed = value(renewCertificate(certificate, subkeys, later))
      const renewedKey = await openpgp.readKey({ binaryKey: renewed.encoded })
      assert.deepEqual(await renewedKey.getExpirationTime(), new Date(later.expiresMs))
      const revocation = value(makeRevocation(renewed, subkeys, { reason: 'compromised', atMs: now }))
      const revoked = value(revokeCertificate(renewed, revocation))
      assert.ok(await (await openpgp.readKey({ binaryKey: revoked.encoded })).isRevoked())
    })

    test('opens a secret key of ours with its password, and signs with it', async () => {
      const binaryKey = writeTransferableSecretKey(certificate, subkeys, PASSWORD)
      const locked = await openpgp.readPrivateKey({ binaryKey })
      const signingKeys = await openpgp.decryptKey({ privateKey: locked, passphrase: PASSWORD })
      const message = await openpgp.createMessage({ binary: TEXT })
      const signed: unknown = await openpgp.sign({ message, signingKeys, detached: true, format: 'binary' })
      assert.ok(signed instanceof Uint8Array)
      const packets = readPackets(signed)
      const signature = readSignature(packets[0]?.body ?? new Uint8Array())
      const found = signingComponent(certificate, signature.issuerFingerprint ?? '', Date.now())
      assert.ok(found?.state.valid)
      const hasher = signatureHasher(signature)
      hasher.update(TEXT)
      assert.ok(verifySignature(signature, hasher.digest(), found.component.packet).ok)
    })

    test('verifies what our keys sign', async () => {
      const { packet } =
        certificate.components.find((each) => each.packet.fingerprint === subkeys[1]?.fingerprint) ?? {}
      assert.ok(packet !== undefined)
      const { handles = [] } = subkeys[1] ?? {}
      const maker = signatureMaker({ type: SIGNATURE_TYPE.BINARY, packet, handles, atMs: now })
      maker.update(TEXT)
      const binarySignature = writePacket(PACKET.SIGNATURE, maker.finish())
      const verified = await openpgp.verify({
        message: await openpgp.createMessage({ binary: TEXT }),
        signature: await openpgp.readSignature({ binarySignature }),
        verificationKeys: await openpgp.readKey({ binaryKey: certificate.encoded }),
      })
      assert.ok(await verified.signatures[0]?.verified)
    })

    test('makes keys that we read, open and under a password', async () => {
      const config = { v6Keys: profile === 'v6', aeadProtect: profile === 'v6' }
      const user = { name: 'Bob', email: 'bob@b.example' }
      for (const type of ['curve25519', 'curve448', 'rsa'] as const) {
        if (type === 'curve448' && profile === 'v4') continue // its version 4 form is of no standard
        const made = { type, userIDs: user, format: 'object', config, rsaBits: 2048 } as const
        const { privateKey } = await openpgp.generateKey(made)
        const locked = await openpgp.encryptKey({ privateKey, passphrase: PASSWORD, config })
        for (const key of [privateKey, locked]) {
          const [read] = value(readTransferableKeys(key.write(), PASSWORD))
          assert.deepEqual([read?.certificate.addresses, read?.subkeys.length], [['bob@b.example'], 2], type)
          assert.ok(read !== undefined && stateAt(read.certificate, Date.now() + 1000).valid)
        }
      }
    })
  })
