/** GnuPG's own samples for S/MIME: signatures as its script judges them, and every PKCS#12 file that it describes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import type { SmimeCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { readSignedData } from '../../src/protection/smime/cms/signed-data.ts'
import { readPkcs12 } from '../../src/protection/smime/key-files/pkcs12.ts'
import { findSigners } from '../../src/protection/smime/signer-findings.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/gnupg/tests/cms')
const KEYS = join(FOLDER, 'samplekeys')
const skip = existsSync(FOLDER) ? false : 'no corpora'

function armored(file: string): Buffer {
  const [, encoded] = /-----BEGIN .*-----\n([^-]*)/.exec(readFileSync(join(FOLDER, file), 'latin1')) ?? []
  assert(encoded !== undefined, file)
  return Buffer.from(encoded, 'base64')
}

const certificatesIn = (files: readonly string[]): SmimeCertificate[] =>
  files.flatMap((file) => {
    const read = readKeyFile(readFileSync(file))
    return read.ok ? read.value.certificates : []
  })

/**
 * Signatures of 2001, by the file and what they are over when that is elsewhere. None has a content-type among its signed
 * attributes, which RFC 5652 §11.1 requires: OpenSSL refuses them too, gpgsm alone takes those that are not damaged.
 * samplemsgs/webde-buenemann-signed.cms is left out: its octets 13 have become 10.
 */
const SIGNATURES: readonly [file: string, content?: string][] = [
  ['text-1.osig.pem'],
  ['text-1.dsig.pem', 'text-1.txt'],
  ['text-1.osig-bad.pem'],
  ['text-2.osig.pem'],
  ['text-2.osig-bad.pem'],
  ['text-1.osig-badusage.pem'],
]

const PRINTABLE = /^[\t\r\n -~]+$/
const NO_CONTENT_TYPE = 'signed attribute content-type is malformed or missing'

/** Files that OpenSSL cannot open either: a MAC that does not fit, and a key whose padding is none. */
const BAD_PKCS12 = new Set(['t5793-test.pfx', 'edward.tester@demo.gnupg.com.p12'])
/** 600,000 iterations of SHA-1 five times over take seconds. */
const SLOW_PKCS12 = 't6752-ov-user-ff.p12'

describe("GnuPG's S/MIME samples", { skip }, () => {
  const known = skip === false ? certificatesIn(globSync(join(FOLDER, '{samplekeys/,}cert*.{pem,der}'))) : []
  const ring = {
    decryptionKeys: [],
    known: known.map((certificate) => ({ certificate, trust: 'candidate' as const })),
    anchors: [],
    allowWeak: true,
  }
  for (const [file, content] of SIGNATURES)
    test(`${file} is not intact`, () => {
      const signedData = readSignedData(armored(file))
      assert(signedData.ok, signedData.ok ? '' : signedData.error)
      const over = content === undefined ? signedData.value.content : readFileSync(join(FOLDER, content))
      assert(over !== undefined)
      const [signer, more] = findSigners(signedData.value, over, ring)
      assert.deepEqual([signer?.intact, signer?.why, more], [false, NO_CONTENT_TYPE, undefined])
    })

  for (const file of ['pwri-sample.cbc.p7m', 'pwri-sample.cbc-2.p7m', 'pwri-sample.gcm.p7m'])
    test(`${file} opens with its password`, () => {
      const bytes = readFileSync(join(FOLDER, 'samplemsgs', file))
      const opened = openEnvelope(bytes, [{ kind: 'password', password: 'abc' }])
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.match(Buffer.from(opened.content).toString('latin1'), PRINTABLE)
      assert.equal(openEnvelope(bytes, [{ kind: 'password', password: 'abd' }]).kind, 'no-key')
    })

  const described = skip === false ? readFileSync(join(KEYS, 'Description-p12'), 'latin1').split('\n\n') : []
  const files = described.flatMap((paragraph) => {
    const value = (name: string): string => new RegExp(`^${name}:[ ]*(.*)$`, 'm').exec(paragraph)?.[1] ?? ''
    const prints = [...paragraph.matchAll(/^Cert: (.*)$/gm)].flatMap((match) => (match[1] ?? '').split(','))
    return value('Name') === '' ? [] : [{ name: value('Name'), password: value('Pass'), prints }]
  })
  test(`${files.length} PKCS#12 files are described`, () => {
    assert.equal(files.length, 10)
  })
  for (const { name, password, prints } of files)
    test(`${name} ${BAD_PKCS12.has(name) ? 'is refused' : 'opens with its password'}`, () => {
      const bytes = readFileSync(join(KEYS, name))
      const read = readPkcs12(bytes, password)
      assert.equal(read.ok, !BAD_PKCS12.has(name))
      if (name !== SLOW_PKCS12) assert(!readPkcs12(bytes, `${password}x`).ok)
      if (!read.ok) return
      const { pairs, certificates } = read.value
      const found = [...pairs.map((pair) => pair.certificate), ...certificates].map(sha1)
      assert.deepEqual(
        prints.filter((print) => !found.includes(print)),
        [],
      )
      assert.equal(pairs.length, 1)
    })
})

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')
