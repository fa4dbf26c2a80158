import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromLatin1, latin1 } from '../base/bytes.ts'
import { editHeader } from './edit.ts'
import { isField, makeField } from './header-field.ts'
import { parsePart } from './parse.ts'
import type { HeaderField } from './part.ts'

const named =
  (name: string) =>
  (field: HeaderField): boolean =>
    isField(field, name)
const added = [makeField('X', '1'), makeField('Y', '2')]

const cases: readonly [raw: string, prepend: readonly HeaderField[], remove: string, edited: string, why: string][] = [
  ['A: 1\r\n\r\nb', [], 'none', 'A: 1\r\n\r\nb', 'nothing'],
  ['A: 1\r\n\r\nb', added, 'none', 'X: 1\r\nY: 2\r\nA: 1\r\n\r\nb', 'put in at the top'],
  ['\r\nb', added, 'none', 'X: 1\r\nY: 2\r\n\r\nb', 'into an empty header'],
  ['A: 1\r\nB: 2\r\nC: 3\r\n\r\nb', [], 'b', 'A: 1\r\nC: 3\r\n\r\nb', 'taken out of the middle'],
  ['A: 1\r\nB: 2\r\na: 3\r\nA :4\n\r\nb', [], 'A', 'B: 2\r\n\r\nb', 'taken out wherever it is'],
  ['A: 1\r\n\r\nb', [], 'a', '\r\nb', 'the only field'],
  ['A: 1\r\n x\r\n y\r\nB: 2\r\n\r\nb', [], 'a', 'B: 2\r\n\r\nb', 'with its folded lines'],
  ['X: 9\r\nA: 1\r\n\r\nb', added, 'x', 'X: 1\r\nY: 2\r\nA: 1\r\n\r\nb', 'replaced'],
  [' stray\r\nA: 1\r\n\r\nb', added, 'none', 'X: 1\r\nY: 2\r\nA: 1\r\n\r\nb', 'no first line joins what we wrote'],
  ['\tstray\r\n\r\nb', added, 'none', 'X: 1\r\nY: 2\r\n\r\nb', 'nor one with a tab'],
  [' stray\r\n\r\nb', [], 'none', ' stray\r\n\r\nb', 'which stays when nothing is put before it'],
  ['A: 1\nB:  2\r\n \r\n\nb\n\0', [], 'x', 'A: 1\nB:  2\r\n \r\n\nb\n\0', 'whatever is strange stays as it is'],
  ['A: 1', added, 'a', 'X: 1\r\nY: 2\r\n', 'no body'],
]
for (const [raw, prepend, remove, edited, why] of cases)
  test(why, () => {
    const chunks = editHeader(parsePart(fromLatin1(raw)), { prepend, remove: named(remove) })
    assert.equal(latin1(Buffer.concat(chunks)), edited)
  })

test('the body is not copied', () => {
  const part = parsePart(fromLatin1('A: 1\r\nB: 2\r\n\r\nbody'))
  const chunks = editHeader(part, { prepend: added, remove: named('A') })
  assert.equal(chunks.at(-1)?.buffer, part.raw.buffer)
})
