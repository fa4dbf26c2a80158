import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matches, parseScript, parseValues } from './imaptest.ts'

const cases: readonly [expected: string, actual: string, fits: boolean, why: string][] = [
  ['search 1 2', 'SEARCH 1 2', true, 'no case'],
  ['search 1 2', 'SEARCH 1 2 3', false, 'more than expected'],
  ['search 1 2', 'SEARCH 2 1', false, 'another order'],
  ['1 fetch (uid 7)', '1 FETCH (FLAGS (\\Seen) UID 7)', true, 'what is not asked may be there'],
  ['1 fetch (flags (\\seen))', '1 FETCH (FLAGS (\\Seen \\Recent))', true, "\\Recent is nobody's"],
  ['1 fetch (flags (\\seen))', '1 FETCH (FLAGS (\\Seen \\Draft))', false, 'one flag more'],
  ['1 fetch (uid $x) ', '1 FETCH (UID 9)', false, 'a variable that has another value'],
  ['1 fetch (uid $y)', '1 FETCH (UID 9)', true, 'a variable without one'],
  ['1 fetch (body[] {{{\nab\n}}})', '1 FETCH (BODY[] {2}\r\nab)', true, 'a block is a literal'],
  ['1 fetch (body[] {{{\nab\n}}})', '1 FETCH (BODY[] {2}\r\nac)', false, 'another literal'],
  ['list () "." a', 'LIST (\\HasNoChildren) "." "a"', true, 'flags of a mailbox among others'],
  ['list ($!ban=\\noselect \\x) "." a', 'LIST (\\NoSelect \\x) "." a', false, 'a flag that must not be there'],
  ['no [trycreate]', 'NO [TRYCREATE] Mailbox (is) not there', true, 'text for people'],
]
for (const [expected, actual, fits, why] of cases)
  test(`a reply of IMAP: ${why}`, () => {
    const known = matches(parseValues(expected), parseValues(actual), new Map([['x', '7']]))
    assert.equal(known !== undefined, fits)
  })

test('a script: its head, its commands, and what is to come for each', () => {
  const script = parseScript(
    'connections: 2\nmessages: all\n\n1 ok noop\n* 1 exists\n\n# why\n2 append x\n! 3 exists\n2 no [trycreate]\n',
  )
  assert.deepEqual(script?.steps, [
    { connection: 1, expected: 'ok', command: 'noop', reply: '', wanted: ['1 exists'], banned: [] },
    { connection: 2, expected: 'no', command: 'append x', reply: '[trycreate]', wanted: [], banned: ['3 exists'] },
  ])
})
