import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalMail, takeBackFiles } from './mail-file.ts'

const cases: readonly [
  files: readonly string[],
  values: readonly string[] | undefined,
  files: readonly string[],
  values: readonly string[] | undefined,
  why: string,
][] = [
  [['a.eml'], ['ca.pem'], ['a.eml'], ['ca.pem'], 'files named first stay'],
  [[], ['ca.pem', 'a.eml'], ['a.eml'], ['ca.pem'], 'a mail behind the values of an option is a mail'],
  [[], ['ca.pem', 'a.eml', 'b.eml'], ['a.eml', 'b.eml'], ['ca.pem'], 'several'],
  [[], ['a.eml'], ['a.eml'], undefined, 'an option whose only value was a mail was not given a value'],
  [[], ['a.eml', 'ca.pem'], [], ['a.eml', 'ca.pem'], 'what stands before another value belongs to the option'],
  [[], undefined, [], undefined, 'nothing at all'],
]
for (const [files, values, expectedFiles, expectedValues, why] of cases)
  test(why, async () => {
    const taken = await takeBackFiles(files, values, (value) => value.endsWith('.eml'))
    assert.deepEqual(taken, { files: expectedFiles, values: expectedValues })
  })

test('line feeds become CRLF only in a file that has no CRLF', () => {
  const of = (text: string): string => Buffer.from(canonicalMail(Buffer.from(text))).toString()
  assert.equal(of('A: b\n\nc\n'), 'A: b\r\n\r\nc\r\n')
  assert.equal(of('A: b\r\n\r\nc\nd\r\n'), 'A: b\r\n\r\nc\nd\r\n')
  assert.equal(of('From a@b Mon\nA: b\n\nc\n'), 'A: b\r\n\r\nc\r\n')
})
