/** What gpg seals under a password, with each cipher and each way to make a key of the password, opens. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CIPHERS } from '../../src/protection/openpgp/algorithms/ciphers.ts'
import { openWhole } from '../../src/protection/openpgp/encryption/open-container.ts'
import { PACKET, readPackets } from '../../src/protection/openpgp/packets/packet.ts'
import { needs } from '../support/apt.ts'

const GPG_NAMES: Readonly<Record<string, string>> = {
  'aes-256': 'AES256',
  'aes-192': 'AES192',
  'aes-128': 'AES',
  'camellia-256': 'CAMELLIA256',
  'camellia-192': 'CAMELLIA192',
  'camellia-128': 'CAMELLIA128',
  'des-ede3': '3DES',
  cast5: 'CAST5',
  blowfish: 'BLOWFISH',
  idea: 'IDEA',
}
const PASSWORD = 'correct horse'

describe('gpg --symmetric', needs('gpg', 'gpg'), () => {
  const home = mkdtempSync(join(tmpdir(), 'sealpost-gpg-'))
  const env = { ...process.env, GNUPGHOME: home }
  after(() => {
    execFileSync('gpgconf', ['--kill', 'all'], { env })
    rmSync(home, { recursive: true, force: true })
  })

  function seal(content: Uint8Array, ...options: readonly string[]): Buffer {
    const how = [
      '--batch',
      '--quiet',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      PASSWORD,
      '--compress-algo',
      'none',
    ]
    return execFileSync('gpg', [...how, ...options, '--symmetric'], { input: content, env })
  }

  function open(message: Uint8Array): { readonly algorithm: string; readonly weak: boolean; readonly literal: Buffer } {
    const packets = readPackets(message)
    const [before, container] = [packets.slice(0, -1), packets.at(-1) ?? assert.fail()]
    const opened = openWhole(before, container, { keys: [], passwords: [PASSWORD] })
    assert(opened.kind === 'decrypted', JSON.stringify(opened))
    assert(opened.authenticated)
    const literal = readPackets(opened.content).find(({ type }) => type === PACKET.LITERAL) ?? assert.fail()
    return { algorithm: opened.algorithm, weak: opened.weak === true, literal: Buffer.from(literal.body) }
  }

  for (const { name, weak } of CIPHERS)
    test(`${name} opens, and is ${weak === undefined ? 'not ' : ''}weak`, () => {
      const content = randomBytes(10_000)
      const opened = open(seal(content, '--cipher-algo', GPG_NAMES[name] ?? assert.fail()))
      assert.deepEqual([opened.algorithm, opened.weak], [`${name}-cfb`, weak !== undefined])
      assert(opened.literal.subarray(-content.length).equals(content))
    })

  for (const [mode, digest] of [
    ['0', 'SHA1'],
    ['1', 'SHA256'],
    ['3', 'SHA512'],
    ['3', 'RIPEMD160'],
  ] as const)
    test(`a key made in mode ${mode} with ${digest} opens`, () => {
      const how = ['--s2k-mode', mode, '--s2k-digest-algo', digest, '--cipher-algo', 'AES256']
      assert(
        open(seal(Buffer.from('content'), ...how))
          .literal.toString()
          .endsWith('content'),
      )
    })
})
