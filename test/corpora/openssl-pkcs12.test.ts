/** OpenSSL's PKCS#12 files, most with a PBMAC1 (RFC 9879): the good ones open, the others are refused. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readPkcs12 } from '../../src/protection/smime/key-files/pkcs12.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/openssl-cms/test/recipes/80-test_pkcs12_data')
const PASSWORD = '1234'

/** What is good by name, and one whose name does not say so: PBMAC1 with SHA-1 is old, not wrong. */
const isGood = (file: string): boolean => file.includes('.good') || file === 'pbmac1_sha1_hmac_and_prf.p12'

describe("OpenSSL's PKCS#12 files", { skip: existsSync(FOLDER) ? false : 'no corpora' }, () => {
  const files = globSync('*.p12', { cwd: FOLDER })

  test('there are good and bad ones', () => {
    assert.deepEqual([files.filter(isGood).length, files.length], [5, 19])
  })

  for (const file of files)
    test(`${file} is ${isGood(file) ? 'opened by its password only' : 'refused'}`, () => {
      const bytes = readFileSync(join(FOLDER, file))
      const read = readPkcs12(bytes, PASSWORD)
      assert.equal(read.ok, isGood(file))
      if (read.ok) assert.equal(read.value.pairs.length, 1)
      for (const wrong of ['', '12345']) assert.ok(!readPkcs12(bytes, wrong).ok)
    })
})
