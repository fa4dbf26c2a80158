import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smimeIdentity } from '../../../../test/support/smime-identity.ts'
import { utf8 } from '../../../base/bytes.ts'
import { writeCertificatePem, writePem, writePrivateKeyPem } from './pem.ts'
import { readKeyFile, writeKeyFile } from './key-file.ts'

const { certificate, key, chain } = smimeIdentity('p256', 'a@example.com')
const encrypted = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'sesame' } as const
const encryptedPem = key.export(encrypted)
const encryptedDer = key.export({ ...encrypted, format: 'der' })
const pkcs12 = (password: string): Uint8Array => writeKeyFile({ keys: [{ certificate, chain, key }], password })
const certificatePem = writeCertificatePem(certificate.encoded)
const keyPem = writePrivateKeyPem(key)

const readable: readonly [what: string, file: Uint8Array | string, password: string, found: string][] = [
  ['a certificate in DER', certificate.encoded, '', '1 certificates, 0 pairs, 0 keys alone'],
  ['a certificate in PEM', certificatePem, '', '1 certificates, 0 pairs, 0 keys alone'],
  ['PKCS#8 in DER', key.export({ format: 'der', type: 'pkcs8' }), '', '0 certificates, 0 pairs, 1 keys alone'],
  ['SEC 1 in DER', key.export({ format: 'der', type: 'sec1' }), '', '0 certificates, 0 pairs, 1 keys alone'],
  ['PKCS#8 in PEM', keyPem, '', '0 certificates, 0 pairs, 1 keys alone'],
  ['an encrypted key in DER', encryptedDer, 'sesame', '0 certificates, 0 pairs, 1 keys alone'],
  ['an encrypted key in PEM', encryptedPem, 'sesame', '0 certificates, 0 pairs, 1 keys alone'],
  ['key and certificate in one PEM', `Bag\n${keyPem}${certificatePem}`, '', '1 certificates, 1 pairs, 0 keys alone'],
  ['the same, encrypted', encryptedPem + certificatePem, 'sesame', '1 certificates, 1 pairs, 0 keys alone'],
  ['PKCS#12', pkcs12('sesame'), 'sesame', '1 certificates, 1 pairs, 0 keys alone'],
  ['PKCS#12 in PEM', writePem('PKCS12', pkcs12('sesame')), 'sesame', '1 certificates, 1 pairs, 0 keys alone'],
  ['PKCS#12 under the empty password', pkcs12(''), '', '1 certificates, 1 pairs, 0 keys alone'],
  ['the same beside files under another', pkcs12(''), 'sesame', '1 certificates, 1 pairs, 0 keys alone'],
]

for (const [what, file, password, found] of readable)
  test(`${what} is read`, () => {
    const read = readKeyFile(bytesOf(file), password)
    assert.ok(read.ok, read.ok ? '' : read.error)
    const { certificates, keys, strayKeys } = read.value
    assert.equal(`${certificates.length} certificates, ${keys.length} pairs, ${strayKeys.length} keys alone`, found)
  })

const unreadable: readonly [what: string, file: Uint8Array | string, password: string, why: RegExp][] = [
  ['an empty file', '', '', /neither PEM nor DER/],
  ['a mail', 'From: a@example.com\r\n\r\nHi\r\n', '', /neither PEM nor DER/],
  ['PKCS#12 without its password', pkcs12('sesame'), '', /PKCS#12 .* password is wrong.*--password-stdin/],
  ['PKCS#12 with a wrong one', pkcs12('sesame'), 'wrong', /PKCS#12 .* password is wrong, or the file is damaged$/],
  ['a key without its password', encryptedPem, '', /key cannot be read: the password is wrong.*--password-stdin/],
  ['a key in DER with a wrong one', encryptedDer, 'wrong', /key cannot be read: the password is wrong/],
  ['a certificate beside a key that stays shut', encryptedPem + certificatePem, '', /key cannot be read/],
  ['a broken certificate', writePem('CERTIFICATE', certificate.encoded.subarray(0, 200)), '', /certificate/i],
  ['a cut-off PEM', certificatePem.slice(0, -30), '', /PEM block is not closed/],
  ['PEM without anything for us', writePem('DH PARAMETERS', Uint8Array.of(0x30, 0)), '', /no key or certificate/],
  ['DER of another kind', Uint8Array.of(0x30, 3, 2, 1, 3), '', /PKCS#12/],
]

for (const [what, file, password, why] of unreadable)
  test(`${what} is refused with a reason`, () => {
    const read = readKeyFile(bytesOf(file), password)
    assert.match(read.ok ? 'was read' : read.error, why)
  })

function bytesOf(file: Uint8Array | string): Uint8Array {
  return typeof file === 'string' ? utf8(file) : file
}
