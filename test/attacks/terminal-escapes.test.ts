/**
 * Terminal escape injection: a mail, a certificate or a user id whose words are commands for the terminal of the administrator who
 * looks at it (David, "Terminal Emulator Security Issues", 2003, and every few years since). They set titles, hide lines, and have
 * made some terminals run programs.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { concatBytes } from '../../src/base/bytes.ts'
import { certifying, CERTIFY_AND_SIGN, flags, keyOf, makePair, userIdOf } from '../support/openpgp-maker.ts'
import { jsonLines, runCommand } from '../support/run-command.ts'
import { makeAuthority } from '../support/x509-maker.ts'

const TRICKS = '\u001b]0;pwned\u0007\u001b[2J\u009b31m\u202e'
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]/u

const folder = mkdtempSync(join(tmpdir(), 'sealpost-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

test('what a mail says reaches the terminal as text, and machines as it was', async () => {
  const nobody = file('nobody.pem', writeCertificatePem(makeAuthority({ name: 'Nobody' }).certificate.encoded))
  const text = `Subject: ${TRICKS}\r\nFrom: alice@peer.example\r\n\r\nHello ${TRICKS}\r\n`
  const mail = file('mail.eml', text)
  for (const more of [[], ['--json']]) {
    const { stdout, stderr } = await runCommand(['open', mail, '--with', nobody, '--plaintext', ...more])
    assert.ok(stdout.includes('Hello'), stderr)
    assert.doesNotMatch(stdout + stderr, OBEYED)
    if (more.length > 0) assert.ok(String(jsonLines(stdout)[0]?.['plaintext']).includes(`Hello ${TRICKS}`))
  }
})

test('so do the names in keys, and in what is wrong with them', async () => {
  const pair = makePair('ed25519')
  const userId = `${TRICKS} <alice@peer.example>`
  const signature = certifying(pair, userId, { by: pair, subpackets: [flags(CERTIFY_AND_SIGN)] })
  const keys = [
    file('key.pgp', concatBytes([keyOf(pair), userIdOf(userId), signature])),
    file('key.pem', writeCertificatePem(makeAuthority({ name: TRICKS }).certificate.encoded)),
  ]
  const dir = join(folder, 'provider')
  const made = await runCommand(['init', '--dir', dir, '--domain', 'example.org'])
  assert.equal(made.code, 0, made.stderr)
  const config = join(dir, 'sealpost.yaml')
  let shown = ''
  for (const key of keys)
    for (const args of [
      ['key', 'import', key, '--address', 'alice@peer.example'],
      ['trust', 'add', key],
    ]) {
      const { stdout, stderr } = await runCommand([...args, '--config', config])
      assert.doesNotMatch(stdout + stderr, OBEYED, args.join(' '))
      shown += stdout + stderr
    }
  assert.match(shown, /\\1b\]0/, 'as RFC 4514 writes it')
})
