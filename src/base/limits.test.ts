import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreignText, FOREIGN_TEXT_MAX_CHARACTERS } from './limits.ts'

const cases: readonly [text: string, expected: string, why: string][] = [
  ['mailbox full', 'mailbox full', 'plain text stays'],
  ['a\r\nb\0c\u001b[31m', 'a b c [31m', 'line ends, NUL and escapes cannot forge lines or colours'],
  ['a\u2028b\u202ec', 'a b c', 'Unicode line ends and direction overrides neither'],
  ['東京 \ud800x', '東京 \ufffdx', 'other scripts stay, lone surrogates do not'],
  ['\n\n', '', 'nothing but controls is nothing'],
]
for (const [text, expected, why] of cases) test(why, () => assert.equal(foreignText(text), expected))

test('long text is cut, and the cut is shown', () => {
  const cut = foreignText('x'.repeat(10 ** 7))
  assert.equal(cut.length, FOREIGN_TEXT_MAX_CHARACTERS)
  assert.ok(cut.endsWith('x…'))
  assert.equal(foreignText('x'.repeat(FOREIGN_TEXT_MAX_CHARACTERS)).at(-1), 'x')
})
