import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1, utf8 } from '../../base/bytes.ts'
import { firstField } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import { withParameter, withoutParameter } from './type-parameter.ts'

const typeOf = (text: string) => firstField(parsePart(utf8(`${text}\r\n\r\n`)), 'Content-Type')

const types: readonly [type: string, why: string][] = [
  ['Content-Type: text/html', 'no parameter'],
  ['content-type: text/html; charset=utf-8;', 'a semicolon at its end'],
  ['Content-Type: text/plain; charset=us-ascii; format=flowed; delsp=yes; name="a file name"', 'a long line'],
  ['Content-Type: multipart/mixed;\r\n boundary="b"', 'folded'],
  ['Content-Type: text/plain (a comment)', 'a comment'],
]
for (const [type, why] of types)
  test(`a parameter is read where it was added, and comes off again: ${why}`, () => {
    const field = typeOf(type)
    assert(field !== undefined)
    const once = withParameter(field, 'hp', 'cipher')
    assert(once !== undefined)
    const twice = withParameter(once, 'hp-legacy-display', '1')
    assert(twice !== undefined)
    assert.equal(withoutParameter(twice, 'hp'), twice, 'only the last one')
    const back = withoutParameter(withoutParameter(twice, 'hp-legacy-display') ?? assert.fail(), 'hp')
    assert.equal(latin1(back?.raw ?? assert.fail()), `${type}\r\n`)
    for (const line of latin1(twice.raw).split('\r\n').slice(1)) assert(line.length <= 78)
  })

test('a Content-Type that is not there is made up, and goes again', () => {
  const made = withParameter(undefined, 'hp', 'clear')
  assert(made !== undefined)
  assert.match(latin1(made.raw), /^Content-Type: text\/plain; charset=us-ascii; hp="clear"\r\n$/)
  assert.equal(withoutParameter(made, 'hp'), undefined)
})

test('a field that cannot carry it is left alone', () => {
  for (const broken of ['Content-Type: text', 'Content-Type: text/plain; name="open', 'Content-Type: text/html (open'])
    assert.equal(withParameter(typeOf(broken), 'hp', 'clear'), undefined, broken)
  assert.equal(withParameter(typeOf('Content-Type: text/plain; hp=cipher'), 'hp', 'clear'), undefined, 'says otherwise')
})
