/** Our certificates and PKCS#12 files, as `openssl verify`, `x509` and `pkcs12` see them, and theirs as we do. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  createAuthority,
  createTlsCertificate,
  generateKey,
  issueMailCertificate,
} from '../../src/keys/certificate-authority.ts'
import { parseAddress } from '../../src/message/address.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../../src/protection/smime/key-files/pem.ts'
import { readPkcs12, writePkcs12 } from '../../src/protection/smime/key-files/pkcs12.ts'
import { needs } from '../support/apt.ts'

const PASSWORD = 'pässwort'
const nowMs = Date.now()
const folder = mkdtempSync(join(tmpdir(), 'sealpost-x509-'))
after(() => rmSync(folder, { recursive: true }))

const file = (name: string): string => join(folder, name)

/** Standard output; fails with standard error. */
function openssl(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

describe('openssl', needs('openssl', 'openssl'), () => {
  before(async () => {
    const authority = await createAuthority({ domain: 'abc.example', nowMs })
    writeFileSync(file('ca.pem'), writeCertificatePem(authority.certificate))
    for (const [name, text, algorithm] of [
      ['rsa', 'u-suzuki@abc.example', 'rsa-2048'],
      ['ec', 'u-suzuki@abc.example', 'ec-p256'],
      ['utf8', '鈴木@abc.example', 'ec-p256'],
    ] as const) {
      const { publicKey, privateKey } = await generateKey(algorithm)
      const address = parseAddress(text)
      assert.ok(address !== undefined)
      const certificate = await issueMailCertificate(authority, { address, publicKey, nowMs, validityDays: 365 })
      writeFileSync(file(`${name}.pem`), writeCertificatePem(certificate))
      writeFileSync(file(`${name}.key`), writePrivateKeyPem(privateKey))
      const pairs = [{ key: privateKey, certificate }]
      writeFileSync(file(`${name}.p12`), writePkcs12({ pairs, others: [authority.certificate], password: PASSWORD }))
    }
    const tls = await createTlsCertificate({ hosts: ['mail.abc.example', '127.0.0.1'], nowMs })
    writeFileSync(file('tls.pem'), tls.certificatePem)
  })

  for (const name of ['rsa', 'ec', 'utf8'])
    test(`verifies our certificate for mail, strictly: ${name}`, () => {
      // OpenSSL 3.0 takes keyAgreement for no purpose of mail, though it encrypts to such keys.
      const purposes = name === 'rsa' ? ['smimesign', 'smimeencrypt'] : ['smimesign']
      for (const purpose of purposes)
        openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', file('ca.pem'), file(`${name}.pem`))
    })

  test('finds the address and the uses in it', () => {
    const text = openssl('x509', '-in', file('rsa.pem'), '-noout', '-text')
    for (const part of [/email:u-suzuki@abc\.example/, /Digital Signature, Key Encipherment/, /E-mail Protection/])
      assert.match(text, part)
    assert.match(openssl('x509', '-in', file('ec.pem'), '-noout', '-text'), /Digital Signature, Key Agreement/)
    assert.match(openssl('x509', '-in', file('utf8.pem'), '-noout', '-text'), /SmtpUTF8Mailbox/)
  })

  test('verifies our certificate for TLS', () => {
    const strict = ['-x509_strict', '-purpose', 'sslserver', '-CAfile', file('tls.pem')]
    openssl('verify', ...strict, '-verify_hostname', 'mail.abc.example', file('tls.pem'))
    openssl('verify', ...strict, '-verify_ip', '127.0.0.1', file('tls.pem'))
  })

  test('reads our PKCS#12 files', () => {
    const text = openssl('pkcs12', '-in', file('ec.p12'), '-nodes', '-passin', `pass:${PASSWORD}`)
    assert.equal(text.match(/BEGIN CERTIFICATE/g)?.length, 2)
    assert.match(text, /BEGIN PRIVATE KEY/)
    const wrong = spawnSync('openssl', ['pkcs12', '-in', file('ec.p12'), '-nodes', '-passin', 'pass:wrong'])
    assert.notEqual(wrong.status, 0)
  })

  for (const options of [
    [],
    ['-legacy'],
    ['-legacy', '-certpbe', 'PBE-SHA1-RC2-128', '-keypbe', 'PBE-SHA1-2DES'],
    ['-macalg', 'sha512', '-certpbe', 'AES-128-CBC', '-keypbe', 'AES-192-CBC'],
    ['-certpbe', 'NONE', '-keypbe', 'NONE'],
    ['-nomac'],
  ])
    test(`writes PKCS#12 files that we read: ${options.join(' ')}`, () => {
      const source = ['-inkey', file('rsa.key'), '-in', file('rsa.pem'), '-certfile', file('ca.pem')]
      openssl('pkcs12', '-export', ...options, ...source, '-passout', `pass:${PASSWORD}`, '-out', file('theirs.p12'))
      const read = readPkcs12(readFileSync(file('theirs.p12')), PASSWORD)
      assert.ok(read.ok)
      assert.deepEqual([read.value.keys.length, read.value.certificates.length, read.value.pairs.length], [1, 2, 1])
    })
})
