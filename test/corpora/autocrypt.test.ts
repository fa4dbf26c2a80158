/** Autocrypt fields that other programs have written: those of Autocrypt's own examples, Delta Chat, Thunderbird and KMail. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { fieldsNamed } from '../../src/message/header-field.ts'
import { parsePart } from '../../src/message/parse.ts'
import { AUTOCRYPT, autocryptOf } from '../../src/protection/openpgp/autocrypt.ts'
import { CORPORA } from '../support/corpora.ts'

const MAILS = [
  'autocrypt/**/*.eml',
  'chatmail-core/test-data/message/*.eml',
  'kde-*/**/{autocrypt,testdata,data}/**/*.{mbox,eml}',
]

/** Those whose fields say nothing, and why. */
const NOTHING: Readonly<Record<string, string>> = {
  'thunderbird_with_multiple_autocrypts.eml': 'two are valid',
  'multiple_autocryptheaders.mbox': 'two are valid',
  'multiple_from.mbox': 'two authors',
}

describe('Autocrypt fields of others', { skip: !existsSync(CORPORA) && 'no corpora' }, () => {
  const mails = globSync(MAILS, { cwd: CORPORA }).flatMap((file) => {
    const part = parsePart(readFileSync(join(CORPORA, file)))
    return fieldsNamed(part, AUTOCRYPT).length === 0 ? [] : [{ file, part }]
  })

  test('there are some', () => assert(mails.length > 20, String(mails.length)))

  for (const { file, part } of mails)
    test(file, () => {
      const read = autocryptOf(part)
      assert.equal(read === undefined, basename(file) in NOTHING, JSON.stringify(read?.address))
      if (read !== undefined) assert(read.keyData.length > 300)
    })
})
