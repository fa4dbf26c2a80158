import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePasswordFile } from './password-file.ts'

const HASH = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG'

const cases: readonly [text: string, expected: readonly string[] | RegExp, why: string][] = [
  [`a@abc.example:${HASH}\n`, ['a@abc.example'], 'one user'],
  [`# ours\r\n\r\nA@abc.example : ${HASH}\r\n`, ['a@abc.example'], 'comments, blank lines, CRLF, blanks'],
  [`a@abc.example:{ARGON2ID}${HASH}`, ['a@abc.example'], 'as doveadm pw writes it'],
  [
    `a@abc.example:${HASH}:b@abc.example, c@abc.example`,
    ['a@abc.example', 'b@abc.example', 'c@abc.example'],
    'aliases',
  ],
  [`a@abc.example:${HASH}:`, ['a@abc.example'], 'no alias after all'],
  ['', /no user/, 'a file that is about to be written'],
  ['# nobody\n', /no user/, 'comments only'],
  [`\na:${HASH}`, /line 2: begins with no e-mail address/, 'a name that is no address'],
  ['a@abc.example:secret', /line 1: has no Argon2id hash/, 'a password in clear'],
  ['a@abc.example:{PLAIN}secret', /line 1: has no Argon2id hash/, 'another scheme'],
  ['a@abc.example:$6$salt$hash', /line 1: has no Argon2id hash/, 'SHA-512 crypt'],
  ['a@abc.example', /line 1: has no Argon2id hash/, 'nothing but an address'],
  [`a@abc.example:${HASH}:x`, /line 1: has an alias/, 'an alias that is no address'],
  [`a@abc.example:${HASH}::::`, /line 1: has more/, 'a line of passwd'],
  [`a@abc.example:${HASH}\nA@ABC.example:${HASH}`, /line 2: has A@abc.example, which stands/, 'twice'],
  [`a@abc.example:${HASH}:b@abc.example\nb@abc.example:${HASH}`, /line 2/, "somebody else's alias"],
]

for (const [text, expected, why] of cases)
  test(why, () => {
    const parsed = parsePasswordFile(text)
    if (expected instanceof RegExp) assert.match(parsed.ok ? 'read' : parsed.error, expected)
    else assert.deepEqual(parsed.ok && [...parsed.value.keys()], expected)
  })
