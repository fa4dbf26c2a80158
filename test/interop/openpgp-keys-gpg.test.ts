/** Keys and signatures both ways with GnuPG 2.2: what we make it takes, what it makes we read. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { utf8 } from '../../src/base/bytes.ts'
import { parseAddress } from '../../src/message/address.ts'
import { armor } from '../../src/protection/openpgp/armor.ts'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { makeRevocation, renewCertificate, revokeCertificate } from '../../src/protection/openpgp/certificate/change.ts'
import { makeCertificate } from '../../src/protection/openpgp/certificate/make.ts'
import { signingComponent } from '../../src/protection/openpgp/certificate/state.ts'
import {
  readTransferableKeys,
  writeTransferableSecretKey,
} from '../../src/protection/openpgp/certificate/transferable.ts'
import type { KeyPacket } from '../../src/protection/openpgp/keys/key-packet.ts'
import { PACKET, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { signatureMaker } from '../../src/protection/openpgp/signatures/make.ts'
import { canonicalText, signatureHasher } from '../../src/protection/openpgp/signatures/signature-hash.ts'
import { SIGNATURE_TYPE, readSignature } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { verifySignature } from '../../src/protection/openpgp/signatures/verify.ts'
import type { ComponentKey } from '../../src/protection/standard.ts'
import { needs } from '../support/apt.ts'

const { skip } = needs('gpg', 'gpg')
const TEXT = utf8('Line one \nLine two\t\nLine three')
const PASSWORD = 'sesame'
const DAY_MS = 86_400_000
const thisSecond = (): number => Math.floor(Date.now() / 1000) * 1000
const now = thisSecond()

function value<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  assert.ok(result.ok, result.ok ? '' : result.error)
  return result.value
}

describe('GnuPG', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-gpg-'))
  const gpg = (...args: readonly string[]): Buffer =>
    execFileSync('gpg', ['--homedir', folder, '--batch', '--yes', '--quiet', '--trust-model', 'always', '--pinentry-mode', 'loopback', '--passphrase', PASSWORD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }) // prettier-ignore
  // the agent would else spend a tenth of a second on every use of a password
  writeFileSync(join(folder, 'gpg-agent.conf'), 's2k-count 65536\n')
  const file = (name: string, content: Uint8Array): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  after(() => {
    execFileSync('gpgconf', ['--homedir', folder, '--kill', 'gpg-agent'])
    rmSync(folder, { recursive: true, force: true })
  })

  /** Fields 2 (validity) and 7 (expiry, seconds) of the primary key and its subkeys. */
  const listed = ({ fingerprint }: OpenpgpCertificate): readonly (readonly [string, string, number])[] =>
    gpg('--with-colons', '--list-keys', fingerprint)
      .toString()
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([kind]) => kind === 'pub' || kind === 'sub')
      .map((fields) => [fields[1] ?? '', fields[11]?.replace(/[A-Z]/g, '') ?? '', Number(fields[6])])

  const signed = (key: ComponentKey, packet: KeyPacket, type: number): Uint8Array => {
    const maker = signatureMaker({ type, packet, handles: key.handles, atMs: thisSecond() })
    const sink = type === SIGNATURE_TYPE.TEXT ? canonicalText({ write: maker.update }) : { write: maker.update }
    sink.write(TEXT)
    return writePacket(PACKET.SIGNATURE, maker.finish())
  }

  const verifies = (signature: Uint8Array, certificate: OpenpgpCertificate): string => {
    const [packet] = readPackets(signature)
    const read = readSignature(packet?.body ?? new Uint8Array())
    const hasher = signatureHasher(read)
    const sink = read.type === SIGNATURE_TYPE.TEXT ? canonicalText({ write: hasher.update }) : { write: hasher.update }
    sink.write(TEXT)
    const found = signingComponent(certificate, read.issuerFingerprint ?? read.issuerKeyId ?? '', thisSecond())
    if (found?.state.valid !== true) return found?.state.why ?? 'no such key'
    const checked = verifySignature(read, hasher.digest(), found.component.packet)
    return checked.ok ? checked.value : checked.error.why
  }

  const address = parseAddress('alice@a.example')
  assert.ok(address !== undefined)
  const alice = makeCertificate({ profile: 'v4', address, createdMs: now - DAY_MS, expiresMs: now + 30 * DAY_MS })
  const content = file('content.txt', TEXT)

  test('imports a secret key of ours under its password, and signs with it', () => {
    const secret = armor(
      'PGP PRIVATE KEY BLOCK',
      writeTransferableSecretKey(alice.certificate, alice.subkeys, PASSWORD),
    )
    gpg('--import', file('alice.asc', secret))
    const endSeconds = (now + 30 * DAY_MS) / 1000
    const uses = new Map(listed(alice.certificate).map(([, use, end]) => [use, end]))
    assert.deepEqual([uses.get('c'), uses.get('s'), uses.get('e'), uses.size], [endSeconds, endSeconds, endSeconds, 3])
    for (const mode of ['--no-textmode', '--textmode']) {
      gpg(mode, '--local-user', 'alice@a.example', '--output', `${content}.sig`, '--detach-sign', content)
      assert.match(verifies(readFileSync(`${content}.sig`), alice.certificate), /^ed25519-sha/)
    }
  })

  test('verifies what our keys sign, binary and text', () => {
    const signing = alice.certificate.components.find(
      ({ packet }) => packet.fingerprint === alice.subkeys[1]?.fingerprint,
    )
    for (const type of [SIGNATURE_TYPE.BINARY, SIGNATURE_TYPE.TEXT]) {
      const path = file('ours.sig', signed(alice.subkeys[1] as ComponentKey, signing?.packet as KeyPacket, type))
      gpg('--verify', path, content)
    }
  })

  test('takes a renewal, and a revocation', () => {
    const plan = { atMs: now, expiresMs: now + 60 * DAY_MS }
    const renewed = value(renewCertificate(alice.certificate, alice.subkeys, plan))
    gpg('--import', file('renewed.pgp', renewed.encoded))
    assert.ok(listed(renewed).every(([, , end]) => end === (now + 60 * DAY_MS) / 1000))
    const revocation = value(makeRevocation(renewed, alice.subkeys, { reason: 'retired', text: 'left', atMs: now }))
    gpg('--import', file('revoked.pgp', value(revokeCertificate(renewed, revocation)).encoded))
    assert.equal(listed(renewed)[0]?.[0], 'r')
  })

  const kinds: readonly [algorithm: string, subkey: string, name: string][] = [
    ['rsa2048', 'rsa2048', 'rsa-2048 rsa-2048'],
    ['ed25519', 'cv25519', 'ed25519 x25519'],
    ['nistp256', 'nistp384', 'ec-p256 ec-p384'],
    ['nistp521', 'nistp521', 'ec-p521 ec-p521'],
    ['brainpoolP256r1', 'brainpoolP512r1', 'ec-brainpoolp256r1 ec-brainpoolp512r1'],
    ['secp256k1', 'secp256k1', 'ec-secp256k1 ec-secp256k1'],
    ['dsa2048', 'elg2048', 'dsa-2048 elgamal-2048'],
  ]
  for (const [algorithm, subkey, name] of kinds)
    test(`${name}: a key of gpg's is read with its password, and signs both ways`, () => {
      const user = `${algorithm}@gpg.example`
      gpg('--quick-generate-key', `Some One <${user}>`, algorithm, 'sign', '1y')
      const [, fingerprint = ''] =
        /^fpr:+([0-9A-F]+):/m.exec(gpg('--with-colons', '--list-keys', user).toString()) ?? []
      gpg('--quick-add-key', fingerprint, subkey, 'encr', '1y')
      const [key] = value(readTransferableKeys(gpg('--armor', '--export-secret-keys', user), PASSWORD))
      assert.ok(key !== undefined && key.locked === 0)
      assert.equal(key.certificate.components.map(({ packet }) => packet.algorithmName).join(' '), name)
      assert.deepEqual([key.certificate.addresses, key.subkeys.length], [[user], 2])
      gpg('--local-user', user, '--output', `${content}.sig`, '--detach-sign', content)
      const isWeak = algorithm === 'dsa2048'
      assert.match(verifies(readFileSync(`${content}.sig`), key.certificate), isWeak ? /weak/ : /^(rsa|ecdsa|ed25519)-/)
      const packet = key.certificate.components[0]?.packet as KeyPacket
      gpg('--verify', file('ours.sig', signed(key.subkeys[0] as ComponentKey, packet, SIGNATURE_TYPE.BINARY)), content)
      const again = writeTransferableSecretKey(key.certificate, key.subkeys, 'other')
      assert.equal(value(readTransferableKeys(again, 'other'))[0]?.subkeys.length, 2)
    })
})
