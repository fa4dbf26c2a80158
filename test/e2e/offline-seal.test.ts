/** `sealpost seal`, and `sealpost open` with the keys of the server: both through the real command. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { writeKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { jsonLines, runCommand } from '../support/run-command.ts'
import { type SmimeIdentity, smimeIdentity } from '../support/smime-identity.ts'
import { makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const dir = mkdtempSync(join(tmpdir(), 'sealpost-offline-'))
after(() => rmSync(dir, { recursive: true, force: true }))

function fileWith(name: string, content: string | Uint8Array): string {
  const file = join(dir, name)
  writeFileSync(file, content)
  return file
}

const bob = smimeIdentity('p256', 'bob@b.example')

interface OpenedFile {
  readonly outcome: string
  readonly summary: { readonly encrypted: boolean; readonly signature: string; readonly signer: string | null }
  readonly layers: readonly { readonly form: string; readonly verdict: string }[]
  readonly plaintext?: string
}

describe('seal, then open', () => {
  let provider: Provider
  const config = { policy: { perDomain: {} as Record<string, object> } }
  before(async () => {
    provider = await makeProvider({ domains: ['a.example'], config })
    for (const name of ['ann', 'ben', 'cara']) await provider.cli(['user', 'add', `${name}@a.example`])
    await provider.cli(['key', 'import', '-'], writeCertificatePem(bob.certificate.encoded))
  })
  after(() => provider[Symbol.asyncDispose]())

  const draft = (header: string, body = 'Grüße\r\n.\r\nFrom here on\r\n'): string =>
    `From: ann@a.example\r\n${header}Subject: Plan\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${body}`
  const seal = async (file: string, ...more: string[]): Promise<{ recipients: string[]; message: string }[]> =>
    (await provider.cli(['seal', file, '--from', 'ann@a.example', ...more])) as never
  const openFor = async (message: string, reader: string): Promise<OpenedFile> => {
    const file = fileWith(`for-${reader}.eml`, Buffer.from(message, 'latin1'))
    const [found] = await provider.cli(['open', file, '--for', reader, '--plaintext'])
    return found as unknown as OpenedFile
  }

  const layerings: Readonly<Record<string, readonly string[]>> = {
    'encrypt-sign': ['multipart/signed', 'auth-enveloped-data'],
    'sign-encrypt': ['auth-enveloped-data', 'multipart/signed'],
    triple: ['multipart/signed', 'auth-enveloped-data', 'multipart/signed'],
  }
  for (const [layering, forms] of Object.entries(layerings))
    test(`${layering}: what comes out is what went in, whatever its line ends`, async () => {
      const text = draft('To: ben@a.example\r\n')
      await provider.configure({ policy: { layering } })
      for (const [name, content] of Object.entries({ crlf: text, lf: text.replaceAll('\r\n', '\n') })) {
        const [made, ...others] = await seal(fileWith(`${layering}-${name}.eml`, content))
        assert.deepEqual([made?.recipients, others.length], [['ben@a.example'], 0])
        assert.doesNotMatch(made?.message ?? '', /From here on|Subject: Plan/)
        assert.match(made?.message ?? '', /\r\nSubject: \[\.\.\.\]\r\n/)
        const found = await openFor(made?.message ?? '', 'ben@a.example')
        assert.deepEqual(
          found.layers.map((layer) => layer.form),
          forms,
        )
        assert.deepEqual(found.summary, { encrypted: true, signature: 'valid', signer: 'ann@a.example', reason: null })
        assert.ok(found.plaintext?.endsWith('\r\n\r\nGrüße\r\n.\r\nFrom here on\r\n'))
        assert.ok(found.plaintext?.includes('Subject: Plan\r\n'))
      }
    })

  test('the settings are those of the server: opaque, AES-CBC, no header protection', async () => {
    await provider.configure({
      policy: { layering: 'auto', cipher: 'aes-256-cbc', signatureForm: 'opaque', headerProtection: false },
    })
    const [made] = await seal(fileWith('cbc.eml', draft('To: ben@a.example\r\n')))
    assert.ok(made?.message.includes('Subject: Plan'))
    const found = await openFor(made?.message ?? '', 'ben@a.example')
    assert.deepEqual(
      found.layers.map((layer) => layer.form),
      ['signed-data', 'enveloped-data'],
    )
    await provider.configure({ policy: { cipher: 'auto', signatureForm: 'detached', headerProtection: true } })
  })

  test('one copy for To and Cc; a blind recipient has one alone, that names nobody else’s key and no Bcc', async () => {
    const header = 'To: ben@a.example\r\nCc: cara@a.example\r\nBcc: bob@b.example\r\n'
    await provider.configure({ policy: { layering: 'encrypt-sign' } })
    const to = ['ben@a.example', 'cara@a.example', 'bob@b.example']
    const copies = await seal(fileWith('bcc.eml', draft(header)), '--to', ...to)
    assert.deepEqual(
      copies.map(({ recipients }) => recipients),
      [to.slice(0, 2), to.slice(2)],
    )
    for (const { message } of copies) assert.doesNotMatch(message, /bob@|^Bcc:/im)
    const [shared, alone] = copies
    const bobPem = fileWith('bob.pem', `${writePrivateKeyPem(bob.key)}${pem(bob)}`)
    for (const [copy, outcome] of [
      [shared, 'no-key'],
      [alone, 'decrypted'],
    ] as const) {
      const file = fileWith('copy.eml', Buffer.from(copy?.message ?? '', 'latin1'))
      const [found] = jsonLines((await runCommand(['open', file, '--with', bobPem, '--plaintext', '--json'])).stdout)
      assert.equal((found as unknown as OpenedFile).layers.at(-1)?.verdict, outcome)
      assert.doesNotMatch(String(found?.['plaintext']), /bob@|^Bcc:/im)
    }
    assert.equal((await openFor(alone?.message ?? '', 'ben@a.example')).layers.at(-1)?.verdict, 'no-key')
    assert.equal((await openFor(shared?.message ?? '', 'ann@a.example')).layers.at(-1)?.verdict, 'decrypted')
    assert.equal((await openFor(alone?.message ?? '', 'ann@a.example')).layers.at(-1)?.verdict, 'no-key')
  })

  test('the message goes to stdout as it is, without --json', async () => {
    const file = fileWith('plain.eml', draft('To: ben@a.example\r\n'))
    const args = ['seal', file, '--from', 'ann@a.example', '--config', provider.configFile]
    const { code, stdout } = await runCommand(args)
    assert.equal(code, 0)
    assert.match(stdout, /^Autocrypt: addr=ann@a\.example;[^]*?\r\nFrom: ann@a\.example\r\nTo: ben@a\.example\r\n/)
    assert.equal((await openFor(stdout, 'ben@a.example')).summary.signature, 'valid')
  })

  test('a recipient without a key: signed only where that is preferred, nothing at all where a key is required', async () => {
    const file = fileWith('nokey.eml', draft('To: nobody@c.example\r\n'))
    const [made] = await seal(file)
    const found = await openFor(made?.message ?? '', 'ben@a.example')
    assert.deepEqual([found.summary.encrypted, found.summary.signature], [false, 'valid'])
    await provider.configure({ policy: { perDomain: { 'c.example': { noKey: 'require' } } } })
    const args = ['seal', file, '--from', 'ann@a.example', '--config', provider.configFile]
    const refused = await runCommand(args)
    assert.deepEqual([refused.code, refused.stdout], [1, ''])
    assert.match(refused.stderr, /nobody@c\.example/)
    assert.doesNotMatch(refused.stderr, /\n {4}at /)
  })

  test('a recipient whose only key is too weak to be encrypted to has no usable key (RSA-1024)', async () => {
    const dan = makeCertificate({
      name: 'Dan',
      key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      issuer: makeAuthority({ name: 'Root' }),
      extensions: [subjectAltName([mailboxName('dan@d.example')], false)],
      notAfterMs: Date.UTC(2060, 0, 1),
    })
    await provider.cli(['key', 'import', '-'], pem(dan))
    const file = fileWith('weak.eml', draft('To: dan@d.example\r\n'))
    const [made] = await seal(file)
    assert.match(made?.message ?? '', /multipart\/signed/)
    assert.doesNotMatch(made?.message ?? '', /pkcs7-mime/)
    await provider.configure({ policy: { perDomain: { 'd.example': { noKey: 'require' } } } })
    const refused = await runCommand(['seal', file, '--from', 'ann@a.example', '--config', provider.configFile])
    assert.deepEqual([refused.code, refused.stdout], [1, ''])
    assert.match(refused.stderr, /dan@d\.example/)
  })

  const wrong: readonly [what: string, args: readonly string[], says: RegExp][] = [
    ['a stranger cannot sign', ['--from', 'x@b.example'], /no private key of x@b\.example/],
    ['no address', ['--from', 'ann'], /"ann" is not an e-mail address/],
    ['a mail of somebody else', ['--from', 'ben@a.example'], /mail of ann@a\.example, and ben@a\.example cannot sign/],
    ['nobody to seal it for', ['--from', 'ann@a.example'], /Nobody to seal it for/],
  ]
  for (const [what, args, says] of wrong)
    test(`seal refuses: ${what}`, async () => {
      const file = fileWith('nobody.eml', 'From: ann@a.example\r\n\r\nHi\r\n')
      const { code, stdout, stderr } = await runCommand(['seal', file, ...args, '--config', provider.configFile])
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })

  test('a user whose signing key cannot encrypt seals, and opens the copy with another of their keys', async () => {
    const signing = makeCertificate({
      name: 'Cara',
      issuer: makeAuthority({ name: 'Root' }),
      extensions: [subjectAltName([mailboxName('cara@a.example')], false)],
      notBeforeMs: Date.UTC(2020, 0, 1),
      notAfterMs: Date.UTC(2060, 0, 1),
    })
    const file = fileWith('cara.p12', writeKeyFile({ keys: [{ ...signing, chain: [] }], password: '' }))
    await provider.cli(['key', 'import', file])
    const mail = fileWith('by-cara.eml', draft('To: ben@a.example\r\n').replace('ann@', 'cara@'))
    const [made] = await provider.cli(['seal', mail, '--from', 'cara@a.example'])
    const message = String(made?.['message'])
    const found = await openFor(message, 'cara@a.example')
    assert.deepEqual([found.layers.at(-1)?.verdict, found.summary.signature], ['decrypted', 'valid'])
    const read = await openFor(message, 'ben@a.example')
    assert.deepEqual([read.summary.signature, read.summary.signer], ['valid', 'cara@a.example'])
  })
})

function pem({ certificate }: Pick<SmimeIdentity, 'certificate'>): string {
  return writeCertificatePem(certificate.encoded)
}
