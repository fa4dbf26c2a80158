/** RFC 9216: the certificates, keys and PKCS#12 files of Alice, Bob, Carlos and Dana, and their two authorities. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { validatePath } from '../../src/protection/smime/x509/path-validation.ts'
import { readCertificates, readPrivateKey } from '../../src/protection/smime/key-files/pem.ts'
import { readPkcs12 } from '../../src/protection/smime/key-files/pkcs12.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/rfc9216')
const AT_MS = Date.UTC(2026, 0, 1)
const PEOPLE = ['alice', 'bob', 'carlos', 'dana']

describe('RFC 9216', { skip: existsSync(FOLDER) ? false : 'no corpora' }, () => {
  const certificates = new Map(files('*.crt.pem').map((name) => [name, readCertificate(name)]))
  const named = (part: string) => [...certificates].filter(([name]) => name.includes(part)).map(([, value]) => value)
  const anchors = named('root-certificate')
  const crossed = named('cross-signed')
  const leaves = [...certificates].filter(([name]) => name.includes('end-entity'))

  test('the eight certificates of people validate, under either root', () => {
    assert.deepEqual([certificates.size, leaves.length, anchors.length, crossed.length], [12, 8, 2, 2])
    for (const [name, certificate] of leaves) {
      const all = { certificate, untrusted: crossed, atMs: AT_MS, purpose: 'email' } as const
      for (const anchor of anchors) assert.ok(validatePath({ ...all, anchors: [anchor] }).trusted, name)
      assert.ok(!validatePath({ ...all, anchors: [], untrusted: [...anchors, ...crossed] }).trusted, name)
      assert.ok(!validatePath({ ...all, anchors, atMs: Date.UTC(2053, 0, 1) }).trusted, name)
    }
  })

  test('each speaks for its address and its use', () => {
    for (const [name, certificate] of leaves) {
      const person = name.slice(0, name.indexOf('-'))
      assert.deepEqual(certificate.addresses, [`${person}@smime.example`])
      const forEncryption = name.includes('encryption')
      assert.deepEqual([certificate.canEncrypt, certificate.canSign], [forEncryption, !forEncryption], name)
    }
  })

  test('every private key imports', () => {
    const names = files('*.key.pem')
    assert.equal(names.length, 10)
    for (const name of names) assert.ok(readPrivateKey(readFileSync(join(FOLDER, name))).ok, name)
  })

  for (const person of PEOPLE)
    test(`the PKCS#12 files of ${person} import, in DER and PEM`, () => {
      for (const name of [`${person}.p12`, `pkcs-12-object-for-${person}.p12.pem`]) {
        const read = readPkcs12(readFileSync(join(FOLDER, name)), person)
        assert.ok(read.ok, name)
        assert.deepEqual([read.value.keys.length, read.value.certificates.length, read.value.pairs.length], [2, 3, 2])
      }
      assert.ok(!readPkcs12(readFileSync(join(FOLDER, `${person}.p12`)), 'mallory').ok)
    })
})

function files(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: FOLDER }).toSorted()
}

function readCertificate(name: string): SmimeCertificate {
  const read = readCertificates(readFileSync(join(FOLDER, name)))
  assert.ok(read.ok && read.value[0] !== undefined, name)
  const parsed = parseCertificate(read.value[0])
  assert.ok(parsed.ok, name)
  return parsed.value
}
