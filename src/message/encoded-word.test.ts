import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../test/support/cpu-time.ts'
import { decodeWords } from './encoded-word.ts'

/** The first ones are the examples of RFC 2047 §8, with what they are to be displayed as. */
const cases: readonly [text: string, decoded: string, why: string][] = [
  ['=?ISO-8859-1?Q?a?=', 'a', 'RFC 2047 §8'],
  ['=?ISO-8859-1?Q?a?= b', 'a b', 'RFC 2047 §8: text follows'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab', 'RFC 2047 §8: the blank between goes'],
  ['=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=', 'ab', 'RFC 2047 §8: any number of blanks'],
  ['=?ISO-8859-1?Q?a_b?=', 'a b', 'RFC 2047 §8: a blank within'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=', 'a b', 'RFC 2047 §8: two charsets'],
  ['=?UTF-8?q?J=C3?= =?utf-8?q?=B6rg?=', 'Jörg', 'a character cut in two'],
  ['=?utf-8?b?SsO2cmc=?=', 'Jörg', 'base64'],
  ['=?utf-8?b?SsO2?= =?utf-8?b?cmc=?=', 'Jörg', 'base64 in two'],
  ['=?utf-8?b?SsM?= =?utf-8?q?=B6?=', 'Jö', 'both encodings'],
  ['=?iso-8859-1*de?q?=FC?=', 'ü', 'a language (RFC 2231 §5)'],
  ['=?iso-2022-jp?B?GyRCRWwbKEI=?=', '東', 'ISO-2022-JP'],
  ['=?shift_jis?B?k4w=?=', '東', 'Shift_JIS'],
  ['=?windows-1252?q?=80?=', '€', 'windows-1252'],
  ['x=?utf-8?q?a?=y', 'xay', 'without blanks around: not allowed, but clear'],
  ['=?utf-8?q?a b?=', 'a b', 'a blank within: not allowed, but clear'],
  ['=?utf-8?q?a?= and =?utf-8?q?b?=', 'a and b', 'text between stays'],
  ['=?utf-8?q??=', '', 'nothing'],
  ['=?utf-8?q?=4?=', '=4', 'half an escape'],
  ['=?utf-8?q?=C3?=', '\ufffd', 'half a character'],
  ['=?x-none?q?a?= =?x-none?q?b?=', '=?x-none?q?a?= =?x-none?q?b?=', 'a charset that nobody knows stays as it is'],
  ['=?utf-8?q?a?= =?x-none?q?b?=', 'a =?x-none?q?b?=', 'and keeps the blank before it'],
  ['=?utf-8?x?a?=', '=?utf-8?x?a?=', 'an encoding that nobody knows'],
  ['=?utf-8?q?a', '=?utf-8?q?a', 'cut off'],
  ['=??q?a?=', '=??q?a?=', 'no charset'],
  ['=?=?=?', '=?=?=?', 'only the signs'],
  ['a = b ? c', 'a = b ? c', 'no encoded word'],
]
for (const [text, decoded, why] of cases) test(`${why}: ${text}`, () => assert.equal(decodeWords(text), decoded))

test('hostile text takes linear time', () => {
  for (const piece of ['=?', '=?a?q?', '=?a?q?b?= ', '=?utf-8?q?b?= ', '=?utf-8?q?b?=\t=?x?b??=', '=', '?', ' ']) {
    assert.ok(cpuMs(() => decodeWords(piece.repeat(500_000 / piece.length))) < 2_000, piece)
  }
})
