/** `sealpost open`: mail opened without a server, through the real command. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { writeKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../../src/protection/smime/key-files/pem.ts'
import { EXTENSION } from '../../src/protection/smime/x509/extensions.ts'
import { mailboxName, subjectAltName, writeExtension } from '../../src/protection/smime/x509/write-certificate.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { jsonLines, runCommand } from '../support/run-command.ts'
import { type SmimeIdentity, smimeIdentity } from '../support/smime-identity.ts'
import { NOW_MS, makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const dir = mkdtempSync(join(tmpdir(), 'sealpost-offline-'))
after(() => rmSync(dir, { recursive: true, force: true }))

function fileWith(name: string, content: string | Uint8Array): string {
  const file = join(dir, name)
  writeFileSync(file, content)
  return file
}

const ann = smimeIdentity('rsa-2048', 'ann@a.example')
const bob = smimeIdentity('p256', 'bob@b.example')
const HEADER = 'From: ann@a.example\r\nTo: bob@b.example\r\nSubject: Hello\r\n'

interface OpenedFile {
  readonly outcome: string
  readonly summary: { readonly encrypted: boolean; readonly signature: string; readonly signer: string | null }
  readonly layers: readonly { readonly form: string; readonly verdict: string }[]
  readonly plaintext?: string
}

async function open(args: readonly string[], input?: string): Promise<OpenedFile> {
  const { code, stdout, stderr } = await runCommand(['open', ...args, '--json'], input)
  assert.equal(code, 0, stderr)
  const [object, ...more] = jsonLines(stdout)
  assert.equal(more.length, 0)
  return object as unknown as OpenedFile
}

describe('open --with', { concurrency: 2 }, () => {
  const mail = protectedMail({
    layering: 'encrypt-sign',
    signer: ann,
    recipients: [bob],
    header: `${HEADER}Content-Type: text/plain; charset=utf-8\r\n`,
    body: '今日は\r\n',
  })
  const sealed = fileWith('sealed.eml', mail)
  const annPem = fileWith('ann.pem', writeCertificatePem(ann.certificate.encoded))
  const bobPem = fileWith('bob.pem', `${writePrivateKeyPem(bob.key)}${writeCertificatePem(bob.certificate.encoded)}`)

  test('--json has the members that the contract names, and no others', async () => {
    const { code, stdout } = await runCommand(['open', sealed, '--with', annPem, bobPem, '--json', '--plaintext'])
    assert.equal(code, 0)
    const [object] = jsonLines(stdout)
    const { layers, plaintext, ...rest } = object as { layers: Record<string, unknown>[]; plaintext: string }
    assert.deepEqual(rest, {
      file: sealed,
      outcome: 'accept',
      summary: { encrypted: true, signature: 'valid', signer: 'ann@a.example', reason: null },
      errant: 0,
      defects: [],
    })
    const signed = { kind: 'signed', standard: 'smime', form: 'multipart/signed', algorithm: 'rsa-sha256' }
    const [outer] = layers
    assert.deepEqual(layers, [
      { ...signed, verdict: 'valid', signer: 'ann@a.example', signingTime: outer?.['signingTime'] },
      {
        kind: 'encrypted',
        standard: 'smime',
        form: 'enveloped-data',
        algorithm: 'aes-256-cbc',
        verdict: 'decrypted',
      },
    ])
    assert.match(String(outer?.['signingTime']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.match(plaintext, /\r\nFrom: ann@a\.example\r\n[\s\S]*\r\n\r\n今日は\r\n$/)
    assert.ok(plaintext.includes('Subject: Hello\r\n'))
  })

  test('without --plaintext nothing of the content is printed', async () => {
    const { stdout } = await runCommand(['open', sealed, '--with', annPem, bobPem, '--json'])
    assert.ok(!stdout.includes('今日は') && !stdout.includes('plaintext') && !stdout.includes('Hello'))
  })

  test('people get sentences instead', async () => {
    const { stdout } = await runCommand(['open', sealed, '--with', annPem, bobPem, '--plaintext'])
    assert.match(stdout, /accept\. .*written by ann@a\.example/)
    assert.match(stdout, /\n {2}multipart\/signed rsa-sha256 valid\n {2}enveloped-data aes-256-cbc decrypted\n\n/)
    assert.ok(stdout.endsWith('今日は\r\n\n'))
  })

  const kinds: readonly [kind: string, files: Readonly<Record<string, string | Uint8Array>>, password?: string][] = [
    ['PEM, key and certificate apart', { 'k.pem': writePrivateKeyPem(bob.key), 'c.pem': pem(bob) }],
    ['DER', { 'k.der': bob.key.export({ format: 'der', type: 'pkcs8' }), 'c.der': bob.certificate.encoded }],
    ['PKCS#12 under the empty password', { 'e.p12': writeKeyFile({ keys: [bob], password: '' }) }],
    ['PKCS#12 under a password', { 'p.p12': writeKeyFile({ keys: [bob], password: 'sesame' }) }, 'sesame\n'],
    [
      'an encrypted PEM key',
      {
        'x.pem': `${bob.key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'sesame' })}${pem(bob)}`,
      },
      'sesame\r\n',
    ],
  ]
  for (const [kind, contents, password] of kinds)
    test(`takes keys as ${kind}`, async () => {
      const files = Object.entries(contents).map(([name, content]) => fileWith(name, content))
      const args = [sealed, '--plaintext', '--with', annPem, ...files]
      const found = await open(password === undefined ? args : [...args, '--password-stdin'], password)
      assert.ok(found.plaintext?.endsWith('今日は\r\n'))
      assert.deepEqual(found.summary, { encrypted: true, signature: 'valid', signer: 'ann@a.example', reason: null })
    })

  const unreadable: readonly [what: string, content: string | Uint8Array, says: RegExp, password?: string][] = [
    ['no key file', 'hello', /neither PEM nor DER/],
    [
      'PKCS#12 without its password',
      writeKeyFile({ keys: [bob], password: 'sesame' }),
      /password is wrong.*--password-stdin/,
    ],
    ['PKCS#12 with a wrong one', writeKeyFile({ keys: [bob], password: 'sesame' }), /password is wrong/, 'wrong\n'],
  ]
  for (const [what, content, says, password] of unreadable)
    test(`says what is wrong with a key file: ${what}`, async () => {
      const file = fileWith(`unreadable-${what.length}`, content)
      const more = password === undefined ? [] : ['--password-stdin']
      const { code, stdout, stderr } = await runCommand(['open', sealed, '--with', file, ...more], password)
      assert.deepEqual([code, stdout], [1, ''])
      assert.ok(stderr.startsWith(`sealpost: ${file}: `), stderr)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })

  test('without the right key it stays shut, and is accepted as it came', async () => {
    const found = await open([sealed, '--with', annPem, '--plaintext'])
    assert.deepEqual([found.outcome, found.layers.at(-1)?.verdict], ['accept', 'no-key'])
    assert.ok(found.plaintext === mail.toString('utf8'))
  })

  test('without the signer’s certificate at hand, what came with the mail is not trusted', async () => {
    const found = await open([sealed, '--with', bobPem])
    assert.deepEqual([found.outcome, found.summary.signature], ['accept', 'untrusted'])
  })

  test('a changed mail is refused, and nothing of it is shown', async () => {
    const at = mail.indexOf('MII') + 900
    const changed = Buffer.from(mail)
    changed[at] = changed[at] === 0x41 ? 0x42 : 0x41
    const found = await open([fileWith('changed.eml', changed), '--with', annPem, bobPem, '--plaintext'])
    assert.deepEqual([found.outcome, found.summary.signature, found.plaintext], ['refuse', 'invalid', undefined])
  })

  test('files with bare line feeds, and of an mbox, are read as the mail they were', async () => {
    const lf = mail.toString('latin1').replaceAll('\r\n', '\n')
    const forms = {
      'lf.eml': lf,
      'mbox.eml': `From ann@a.example Sun Nov 22 00:00:00 2026\n${lf}`,
      'mbox-crlf.eml': `From ann@a.example Sun Nov 22 00:00:00 2026\r\n${mail.toString('latin1')}`,
    }
    for (const [name, content] of Object.entries(forms)) {
      const file = fileWith(name, Buffer.from(content, 'latin1'))
      assert.equal((await open([file, '--with', annPem, bobPem])).summary.signature, 'valid', name)
    }
    assert.equal((await open(['-', '--with', annPem, bobPem], lf)).summary.signature, 'valid')
  })

  test('several files: one line each; one that is missing makes status 1 and keeps none shut', async () => {
    const missing = join(dir, 'missing.eml')
    const { code, stdout, stderr } = await runCommand(['open', sealed, missing, sealed, '--with', annPem, '--json'])
    assert.equal(code, 1)
    assert.deepEqual(
      jsonLines(stdout).map((line) => line['file']),
      [sealed, sealed],
    )
    assert.match(stderr, /^sealpost: .*missing\.eml'\n$/)
  })
})

describe('open --with an authority, --at a time', { concurrency: 2 }, () => {
  const root = makeAuthority({ name: 'Root' })
  const leaf = makeCertificate({
    name: 'Ann',
    issuer: root,
    extensions: [subjectAltName([mailboxName('ann@a.example')], false)],
  })
  const signed = protectedMail({ layering: 'sign', signer: { ...leaf, chain: [] }, header: HEADER, body: 'Hi\r\n' })
  const file = fileWith('signed.eml', signed)
  const rootPem = fileWith('root.pem', pem(root))
  const within = new Date(NOW_MS).toISOString()

  const cases: readonly [at: string, signature: string, why: string][] = [
    [within, 'valid', 'within its time'],
    [String(NOW_MS / 1000), 'valid', 'the same in seconds'],
    [within.slice(0, 10), 'valid', 'a day'],
    ['2020-01-01', 'expired', 'before its time'],
    ['2030-01-01T12:00:00Z', 'expired', 'after its time'],
  ]
  for (const [at, signature, why] of cases)
    test(`a certificate is judged by the time given: ${why}`, async () => {
      assert.equal((await open([file, '--with', rootPem, '--at', at])).summary.signature, signature)
    })

  test('an authority in DER is as good; another authority is not', async () => {
    const der = fileWith('root.der', root.certificate.encoded)
    assert.equal((await open([file, '--with', der, '--at', within])).summary.signature, 'valid')
    const other = fileWith('other.pem', pem(makeAuthority({ name: 'Other' })))
    assert.equal((await open([file, '--with', other, '--at', within])).summary.signature, 'untrusted')
  })

  test('an authority that is named binds the certificates beside it: they have to chain to it', async () => {
    const stranger = fileWith(
      'stranger.pem',
      pem(makeCertificate({ name: 'Ann', issuer: makeAuthority({ name: 'X' }) })),
    )
    assert.equal((await open([file, '--with', rootPem, stranger, '--at', within])).summary.signature, 'valid')
    const onlyLeaf = fileWith('leaf.pem', pem(leaf))
    assert.equal((await open([file, '--with', onlyLeaf, '--at', within])).summary.signature, 'valid')
    const other = fileWith('other2.pem', pem(makeAuthority({ name: 'Other' })))
    assert.equal((await open([file, '--with', onlyLeaf, other, '--at', within])).summary.signature, 'untrusted')
  })

  test('--strict-issuers asks of authorities all that RFC 5280 asks', async () => {
    // the constraints of an authority that are not critical
    const lax = makeAuthority({
      name: 'Lax',
      issuer: root,
      extensions: [writeExtension(EXTENSION.policyConstraints, false, Buffer.from('3003800105', 'hex'))],
    })
    const user = makeCertificate({
      name: 'Ann',
      issuer: lax,
      extensions: [subjectAltName([mailboxName('ann@a.example')], false)],
    })
    const signer = { ...user, chain: [lax.certificate] }
    const chained = protectedMail({ layering: 'sign', signer, header: HEADER, body: 'Hi\r\n' })
    const args = [fileWith('chained.eml', chained), '--with', rootPem, '--at', within]
    assert.equal((await open(args)).summary.signature, 'valid')
    assert.equal((await open([...args, '--strict-issuers'])).summary.signature, 'untrusted')
    assert.equal((await open([file, '--with', rootPem, '--at', within, '--strict-issuers'])).summary.signature, 'valid')
  })

  test('a time that is none is wrong use', async () => {
    const { code, stderr } = await runCommand(['open', file, '--with', rootPem, '--at', 'tomorrow'])
    assert.equal(code, 2)
    assert.match(stderr, /"tomorrow" is not a time.*\n\(see --help\)/)
  })
})

function pem({ certificate }: Pick<SmimeIdentity, 'certificate'>): string {
  return writeCertificatePem(certificate.encoded)
}
