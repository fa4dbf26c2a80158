import assert from 'node:assert/strict'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { certificateDer, keyNamed } from '../../../../test/support/x509-maker.ts'
import { contextTagged, integer, oid, sequence, setOf } from '../asn1/der-writer.ts'
import {
  readCertificates,
  readPemBlocks,
  readPrivateKey,
  writeCertificatePem,
  writePem,
  writePrivateKeyPem,
} from './pem.ts'

const one = certificateDer({ name: 'one' })
const two = certificateDer({ name: 'two' })
const text = (value: string): Uint8Array => Buffer.from(value, 'latin1')
const signedData = sequence(
  integer(1),
  setOf([]),
  sequence(oid('1.2.840.113549.1.7.1')),
  contextTagged(0, one, two),
  setOf([]),
)
const certsOnly = sequence(oid('1.2.840.113549.1.7.2'), contextTagged(0, signedData))
const indefinite = Buffer.concat([
  Uint8Array.of(0x30, 0x80),
  oid('1.2.840.113549.1.7.2'),
  Uint8Array.of(0xa0, 0x80),
  signedData,
  Uint8Array.of(0, 0, 0, 0),
])

describe('certificates of a file', () => {
  const pems = writeCertificatePem(one) + writeCertificatePem(two)
  const cases: readonly [bytes: Uint8Array, certificates: readonly Uint8Array[], why: string][] = [
    [one, [one], 'DER'],
    [text(writeCertificatePem(one)), [one], 'PEM'],
    [text(pems), [one, two], 'several'],
    [text(pems.replaceAll('\n', '\r\n')), [one, two], 'CRLF'],
    [
      text(`subject=one\n${pems.replace('-----BEGIN', 'bag attributes\n-----BEGIN')}\n`),
      [one, two],
      'text around them',
    ],
    [text(writePrivateKeyPem(keyNamed('x')) + pems), [one, two], 'a key before them'],
    [certsOnly, [one, two], 'PKCS#7, certs-only'],
    [text(writePem('PKCS7', certsOnly)), [one, two], 'the same in PEM'],
    [indefinite, [one, two], 'the same in BER'],
  ]
  for (const [bytes, certificates, why] of cases)
    test(why, () => {
      const read = readCertificates(bytes)
      assert.ok(read.ok)
      assert.deepEqual(read.value.map(Buffer.from), certificates.map(Buffer.from))
    })
})

describe('files without certificates', () => {
  const pem = writeCertificatePem(one)
  const cases: readonly [bytes: Uint8Array, error: RegExp, why: string][] = [
    [text(''), /certificate/, 'nothing'],
    [text('hello'), /certificate/, 'no PEM'],
    [text(writePrivateKeyPem(keyNamed('x'))), /no certificate/, 'a key only'],
    [text(pem.replace('END CERTIFICATE', 'END X')), /another label/, 'BEGIN and END differ'],
    [text(pem.slice(0, 200)), /not closed/, 'the end is missing'],
    [text(pem.replace('MII', 'M!I').replace('MIH', 'M!H')), /not base64/, 'not base64'],
    [text(pem.repeat(1001)), /too many/, 'more than anybody has'],
    [sequence(oid('1.2.840.113549.1.7.3'), contextTagged(0, sequence())), /no certificates/, 'another PKCS#7'],
  ]
  for (const [bytes, error, why] of cases)
    test(why, () => {
      const read = readCertificates(bytes)
      assert.ok(!read.ok)
      assert.match(read.error, error)
    })
})

describe('private keys', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const ed = keyNamed('ed')
  const passphrase = 'sesame'
  const aes = { cipher: 'aes-256-cbc', passphrase }
  const cases: readonly [bytes: string | Uint8Array, password: string | undefined, key: KeyObject, why: string][] = [
    [writePrivateKeyPem(ed), undefined, ed, 'PKCS#8'],
    [writePrivateKeyPem(ed), 'needless', ed, 'a password that is not needed'],
    [writeCertificatePem(one) + writePrivateKeyPem(ec), undefined, ec, 'a certificate before it'],
    [rsa.export({ type: 'pkcs1', format: 'pem' }), undefined, rsa, 'PKCS#1'],
    [ec.export({ type: 'sec1', format: 'pem' }), undefined, ec, 'SEC 1'],
    [rsa.export({ type: 'pkcs1', format: 'der' }), undefined, rsa, 'PKCS#1 in DER'],
    [ec.export({ type: 'sec1', format: 'der' }), undefined, ec, 'SEC 1 in DER'],
    [ed.export({ type: 'pkcs8', format: 'der' }), undefined, ed, 'PKCS#8 in DER'],
    [rsa.export({ type: 'pkcs8', format: 'pem', ...aes }), passphrase, rsa, 'PKCS#8, encrypted'],
    [ec.export({ type: 'pkcs8', format: 'der', ...aes }), passphrase, ec, 'PKCS#8, encrypted, in DER'],
    [rsa.export({ type: 'pkcs1', format: 'pem', ...aes }), passphrase, rsa, 'encrypted as in RFC 1421'],
  ]
  for (const [bytes, password, key, why] of cases)
    test(why, () => {
      const read = readPrivateKey(Buffer.from(bytes), password)
      assert.ok(read.ok && read.value.equals(key))
    })
  const encrypted = rsa.export({ type: 'pkcs8', format: 'pem', ...aes })
  const old = rsa.export({ type: 'pkcs1', format: 'pem', ...aes })
  const wrong: readonly [bytes: string | Uint8Array, password: string | undefined, error: RegExp, why: string][] = [
    [encrypted, undefined, /no password was given/, 'encrypted, and no password'],
    [encrypted, 'wrong', /wrong|malformed/, 'encrypted, and the wrong password'],
    [old, 'wrong', /wrong/, 'encrypted as in RFC 1421, and the wrong password'],
    [old, undefined, /wrong/, 'encrypted as in RFC 1421, and no password'],
    [writeCertificatePem(one), undefined, /no private key/, 'a certificate'],
    [writePem('PRIVATE KEY', sequence(integer(0), sequence())), undefined, /malformed/, 'a broken key'],
    ['', undefined, /private key/, 'nothing'],
  ]
  for (const [bytes, password, error, why] of wrong)
    test(why, () => {
      const read = readPrivateKey(Buffer.from(bytes), password)
      assert.ok(!read.ok)
      assert.match(read.error, error)
    })
})

test('blocks keep their label and their text', () => {
  const pem = writePem('X509 CRL', Uint8Array.of(0x30, 0))
  const read = readPemBlocks(Buffer.from(`#\n${pem}`))
  assert.ok(read.ok)
  assert.deepEqual(
    read.value.map(({ label, text: kept }) => [label, kept]),
    [['X509 CRL', pem]],
  )
})
