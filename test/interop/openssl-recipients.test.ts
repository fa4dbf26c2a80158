/** What `openssl cms` can encrypt with and to, beyond what everybody uses: old ciphers, curves, key derivations, OAEP. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { envelopSink } from '../../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import type { SharedSecret } from '../../src/protection/standard.ts'
import { needs } from '../support/apt.ts'
import { identityFiles, openssl } from '../support/openssl.ts'
import { push } from '../support/push.ts'
import { jsonLines, runCommand } from '../support/run-command.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'

const OPENSSL = needs('openssl', 'openssl')

const folder = mkdtempSync(join(tmpdir(), 'sealpost-openssl-'))
after(() => rmSync(folder, { recursive: true }))

const MAIL = Buffer.from('Content-Type: text/plain\r\n\r\n' + 'Guten Tag, Welt! 日本\r\n'.repeat(20))
const ENCRYPT = ['cms', '-encrypt', '-binary', '-outform', 'DER']
const LEGACY = ['-provider', 'legacy', '-provider', 'default']

interface Expected {
  readonly algorithm?: string
  readonly weak?: boolean
}

function opensTheirs(kind: IdentityKind, options: readonly string[], expected: Expected = {}): void {
  const identity = smimeIdentity(kind)
  const { certificateFile } = identityFiles(identity, folder)
  const cipher = expected.algorithm === undefined ? ['-aes-128-cbc'] : []
  const bytes = openssl([...ENCRYPT, ...cipher, '-recip', certificateFile, ...options], MAIL)
  const opened = openEnvelope(bytes, [identity])
  assert(opened.kind === 'decrypted', JSON.stringify(opened))
  assert.deepEqual(Buffer.from(opened.content), MAIL)
  assert.equal(opened.algorithm, expected.algorithm ?? 'aes-128-cbc')
  assert.equal(opened.weak === true, expected.weak === true)
}

const WEAK: readonly (readonly [algorithm: string, options: readonly string[]])[] = [
  ['des-ede3-cbc', ['-des3']],
  ['rc2-128-cbc', ['-rc2-128', ...LEGACY]],
  ['rc2-64-cbc', ['-rc2-64', ...LEGACY]],
  ['rc2-40-cbc', ['-rc2-40', ...LEGACY]],
]

for (const [algorithm, options] of WEAK)
  test(`theirs opens: ${algorithm}, which is weak`, OPENSSL, () => {
    opensTheirs('rsa-2048', options, { algorithm, weak: true })
  })

test('theirs opens: to an RSA key of 1024 bits, which is weak', OPENSSL, () => {
  opensTheirs('rsa-1024', [], { weak: true })
})

const OAEP = ['-keyopt', 'rsa_padding_mode:oaep']
const OAEP_DIGESTS = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512']
for (const digest of OAEP_DIGESTS)
  test(`theirs opens: OAEP with ${digest}, whatever the mask is made with`, OPENSSL, () => {
    for (const mask of OAEP_DIGESTS)
      opensTheirs('rsa-2048', [...OAEP, '-keyopt', `rsa_oaep_md:${digest}`, '-keyopt', `rsa_mgf1_md:${mask}`])
    opensTheirs('rsa-2048', [...OAEP, '-keyopt', `rsa_oaep_md:${digest}`, '-keyopt', 'rsa_oaep_label:6c6162656c'])
  })

const CURVES: readonly IdentityKind[] = [
  'p256',
  'p384',
  'p521',
  'brainpool256',
  'brainpool256t1',
  'brainpool384',
  'brainpool512t1',
]
const KDF_DIGESTS = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512']

for (const kind of CURVES) {
  test(`theirs opens: ${kind} by any digest of the KDF`, OPENSSL, () => {
    for (const digest of KDF_DIGESTS) opensTheirs(kind, ['-keyopt', `ecdh_kdf_md:${digest}`])
  })
  test(`ours opens with them: ${kind}`, OPENSSL, () => {
    const identity = smimeIdentity(kind)
    const { certificateFile, keyFile } = identityFiles(identity, folder)
    for (const cipher of ['aes-128-cbc', 'aes-256-gcm'] as const) {
      const recipients = [smimeIdentity('x25519').certificate, identity.certificate]
      const bytes = push(MAIL, (out) => envelopSink({ recipients, choice: { cipher } }, out))
      const args = ['cms', '-decrypt', '-binary', '-inform', 'DER', '-recip', certificateFile, '-inkey', keyFile]
      assert.deepEqual(openssl(args, bytes), MAIL)
    }
  })
}

test('theirs opens: any key wrap, of which that with 3DES is weak', OPENSSL, () => {
  for (const wrap of ['aes128-wrap', 'aes192-wrap', 'aes256-wrap']) opensTheirs('p256', ['-wrap', wrap])
  opensTheirs('p256', ['-wrap', 'des3-wrap'], { weak: true })
})

test('theirs opens: ECDH with the cofactor, and a recipient named by key identifier', OPENSSL, () => {
  opensTheirs('p256', ['-keyopt', 'ecdh_cofactor_mode:1', '-keyopt', 'ecdh_kdf_md:sha256', '-keyid'])
})

const opensWith = (bytes: Uint8Array, secret: SharedSecret): string => {
  const opened = openEnvelope(bytes, [smimeIdentity('rsa-2048'), secret])
  return opened.kind === 'decrypted' ? Buffer.from(opened.content).toString() : JSON.stringify(opened)
}

test('theirs opens: by a password', OPENSSL, () => {
  for (const cipher of ['-aes-256-cbc', '-des3']) {
    const bytes = openssl([...ENCRYPT, cipher, '-pwri_password', 'open sesame'], MAIL)
    assert.equal(opensWith(bytes, { kind: 'password', password: 'open sesame' }), MAIL.toString())
    for (const password of ['', 'open sesam', 'open sesame '])
      assert.equal(
        opensWith(bytes, { kind: 'password', password }),
        '{"kind":"no-key","recipients":["whoever knows the password"]}',
      )
  }
})

test('theirs opens: by a key that was agreed on beforehand', OPENSSL, () => {
  for (const keyBytes of [16, 24, 32]) {
    const key = randomBytes(keyBytes)
    const named = ['-secretkey', key.toString('hex'), '-secretkeyid', 'C0FFEE']
    const bytes = openssl([...ENCRYPT, '-aes-256-cbc', ...named], MAIL)
    const keyId = Buffer.from('c0ffee', 'hex')
    assert.equal(opensWith(bytes, { kind: 'shared-key', keyId, key }), MAIL.toString())
    // a content key that cannot be unwrapped is replaced, and one CBC padding in 256 then looks right by chance
    const wrong = opensWith(bytes, { kind: 'shared-key', keyId, key: randomBytes(keyBytes) })
    assert.ok(!wrong.includes(MAIL.toString().slice(0, 40)), wrong)
    const other = { kind: 'shared-key', keyId: Buffer.from('c0ffef', 'hex'), key } as const
    assert.equal(opensWith(bytes, other), '{"kind":"no-key","recipients":["shared key c0ffee"]}')
  }
})

test('theirs opens: to a key and to a password, with either', OPENSSL, () => {
  const identity = smimeIdentity('p256')
  const { certificateFile } = identityFiles(identity, folder)
  const bytes = openssl([...ENCRYPT, '-aes-256-cbc', '-pwri_password', 'either', '-recip', certificateFile], MAIL)
  assert.equal(opensWith(bytes, { kind: 'password', password: 'either' }), MAIL.toString())
  assert.equal(openEnvelope(bytes, [identity]).kind, 'decrypted')
})

async function openedBy(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(['open', ...args, '--plaintext', '--json'], input)
  assert.equal(code, 0, stderr)
  const [opened] = jsonLines(stdout) as unknown as {
    layers: { verdict: string; weak?: boolean }[]
    plaintext?: string
  }[]
  const [layer] = opened?.layers ?? []
  return [layer?.verdict, layer?.weak, opened?.plaintext?.includes('Guten Tag')].join(' ')
}

test(
  '`sealpost open` takes the password of a mail, or a key that was agreed on; the server takes neither',
  OPENSSL,
  async () => {
    const mail = join(folder, 'mail.eml')
    const header = ['-subject', 'Hello', '-from', 'ann@a.example', '-to', 'bob@b.example']
    const [secretFile, key] = [join(folder, 'secret.key'), randomBytes(32)]
    writeFileSync(secretFile, key)
    const named = ['-secretkey', key.toString('hex'), '-secretkeyid', 'C0FFEE', '-pwri_password', 'sesame']
    writeFileSync(mail, openssl(['cms', '-encrypt', '-aes-256-cbc', ...header, ...named], MAIL))
    assert.equal(await openedBy([mail, '--password-stdin'], 'sesame\n'), 'decrypted  true')
    assert.equal(await openedBy([mail, '--password-stdin'], 'sesame, open\n'), 'no-key  false')
    assert.equal(await openedBy([mail, '--shared-key', `c0ffee=${secretFile}`]), 'decrypted  true')
    writeFileSync(mail, openssl(['cms', '-encrypt', '-des3', ...header, '-pwri_password', 'sesame'], MAIL))
    assert.equal(await openedBy([mail, '--password-stdin'], 'sesame\n'), 'decrypted true true')
    const { code, stderr } = await runCommand(['open', mail, '--shared-key', 'secret'])
    assert.equal(code, 1)
    assert.match(stderr, /secret is not an identifier in hex, "=" and a file/)
  },
)

test('they open ours: each of several recipients, two of them by the one-time key that they share', OPENSSL, () => {
  const readers = [smimeIdentity('p256', 'ann@a.example'), smimeIdentity('rsa-2048'), smimeIdentity('p256')]
  const recipients = readers.map(({ certificate }) => certificate)
  const bytes = push(MAIL, (out) => envelopSink({ recipients, choice: {} }, out))
  for (const reader of readers) {
    const { certificateFile, keyFile } = identityFiles(reader, folder)
    const how = ['-inform', 'DER', '-recip', certificateFile, '-inkey', keyFile]
    assert.deepEqual(openssl(['cms', '-decrypt', '-binary', ...how], bytes), MAIL)
  }
})
