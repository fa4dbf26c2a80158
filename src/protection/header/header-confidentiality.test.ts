import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1, utf8 } from '../../base/bytes.ts'
import { writeFields } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import { type HeaderConfidentiality, outerFields } from './header-confidentiality.ts'
import { splitHeader } from './header-protection.ts'

const fieldsOf = (header: string) => parsePart(utf8(`${header}\r\n\r\n`)).fields
const outer = (header: string, policy: HeaderConfidentiality): string =>
  Buffer.from(writeFields(outerFields(fieldsOf(header), policy))).toString('utf8')

const HEADER =
  'Date: Mon, 21 Oct 2019 07:30:00 -0700\r\nFrom: Alice Lovelace <alice@example.net>\r\nTo: "Bob, B." <bob@example.net>\r\n' +
  'Subject: BarCorp\r\nKeywords: contract\r\nComments: none\r\nMessage-ID: <1@example.net>\r\nX-Mailer: m'

test('none leaves everything, baseline hides what the mail is about (RFC 9788 §3.2.1)', () => {
  assert.equal(outer(HEADER, 'none'), `${HEADER}\r\n`)
  const hidden = HEADER.replace('BarCorp', '[...]').replace('Keywords: contract\r\nComments: none\r\n', '')
  assert.equal(outer(HEADER, 'baseline'), `${hidden}\r\n`)
})

const shy: readonly [field: string, outside: string, why: string][] = [
  ['From: Alice <alice@example.net>', 'From: alice@example.net', 'the name of the author'],
  ['From: alice@example.net', 'From: alice@example.net', 'no name'],
  ['From: alice@EXAMPLE.net', 'From: alice@EXAMPLE.net', 'an address alone is not rewritten'],
  ['Sender: Alice <alice@example.net>', 'Sender: alice@example.net', 'who sent it, beyond hcp_shy'],
  ['To: Bob <bob@a.example>,\r\n "C, D" <c@d.example>', 'To: bob@a.example, c@d.example', 'several, folded'],
  ['Cc: Friends: Bob <bob@a.example>, c@d.example;', 'Cc: bob@a.example, c@d.example', 'the name of a group'],
  ['To: undisclosed-recipients:;', 'To: undisclosed-recipients:;', 'an empty group'],
  ['To: Bob <bob@', 'To: Bob <bob@', 'what cannot be read stays'],
  ['Date: Mon, 21 Oct 2019 07:30:00 -0700', 'Date: Mon, 21 Oct 2019 14:30:00 +0000', 'the time zone'],
  ['Date: 21 oct 2019 07:30 +0545 (NPT)', 'Date: Mon, 21 Oct 2019 01:45:00 +0000', 'in short, with a comment'],
  ['Date: Mon, 21 Oct 2019 14:30:00 +0000', 'Date: Mon, 21 Oct 2019 14:30:00 +0000', 'UTC already'],
  ['Date: yesterday', 'Date: yesterday', 'no date'],
  ['Date: Mon, 31 Feb 2019 07:30:00 -0700', 'Date: Mon, 31 Feb 2019 07:30:00 -0700', 'a day that is none'],
  ['Subject: s', 'Subject: [...]', 'the Subject as well'],
  ['Message-ID: <1@example.net>', 'Message-ID: <1@example.net>', 'the same inside and outside'],
]
for (const [field, outside, why] of shy)
  test(`shy (RFC 9788 §3.2.2): ${why}`, () => assert.equal(outer(field, 'shy'), `${outside}\r\n`))

test('HP-Outer says what stands outside, word for word, and Date and Message-ID are the same there', () => {
  for (const policy of ['none', 'baseline', 'shy'] as const) {
    const { inner, outer, hidden } = splitHeader(fieldsOf(HEADER), 'cipher', policy)
    const said = inner.filter(({ name }) => name === 'HP-Outer').map(({ raw }) => latin1(raw).replace('HP-Outer: ', ''))
    assert.equal(said.join(''), latin1(writeFields(outer)))
    const times = [inner, outer].map((fields) =>
      fields.flatMap(({ name, raw }) => (name === 'Date' ? [Date.parse(latin1(raw).slice(6))] : [])),
    )
    assert.deepEqual(times[0], times[1])
    const names = hidden.map(({ name }) => name)
    const about = ['Subject', 'Keywords', 'Comments']
    assert.deepEqual(names, policy === 'none' ? [] : policy === 'baseline' ? about : ['Date', 'From', 'To', ...about])
  }
})

test('signed only, nothing is hidden and HP-Outer means nothing (RFC 9788 §2.2)', () => {
  const { inner, outer } = splitHeader(fieldsOf(HEADER), 'clear', 'shy')
  assert.equal(latin1(writeFields(outer)), `${HEADER}\r\n`)
  assert.doesNotMatch(latin1(writeFields(inner)), /HP-Outer/)
})
