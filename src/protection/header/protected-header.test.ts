/** The examples of RFC 9788, Appendices D.2.2.1, E.1 and E.2, as another program would write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, latin1, utf8 } from '../../base/bytes.ts'
import { fieldBody, firstField } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import { bodyOf } from '../../message/part.ts'
import { confidentialityOf, fieldStates } from './field-protection.ts'
import { applyEdits } from './legacy-display.ts'
import { openedFields } from './opened-header.ts'
import { readProtectedHeader } from './protected-header.ts'

const lines = (...text: string[]): string => text.map((line) => `${line}\r\n`).join('')

const headerOf = (type: string, id: string, subject: string, hidden: string, more: readonly string[] = []): string => {
  const open = ['Date: Fri, 21 Jan 2022 20:40:48 -0500', 'From: Alice <alice@example.net>', 'To: Bob <bob@example.net>']
  return lines(
    ...open,
    `Subject: ${subject}`,
    `Message-ID: <${id}@lhp.example>`,
    ...more,
    'MIME-Version: 1.0',
    `Content-Type: ${type}; charset="us-ascii"; hp-legacy-display="1";`,
    ' hp="cipher"',
    ...[...open, `Subject: ${hidden}`, `Message-ID: <${id}@lhp.example>`, ...more].map((each) => `HP-Outer: ${each}`),
    '',
  )
}

const PLANS = ["Let's meet at Rama's Roti Shop at 8pm and go to the park", 'from there.']
const REPLY = ['In-Reply-To: <20230111T210843Z.1234@lhp.example>', 'References: <20230111T210843Z.1234@lhp.example>']
const SAID = ['On Wed, 11 Jan 2023 16:08:43 -0500, Bob wrote:', '', '> Please review', '', "I'll get right on it, Bob!"]

const examples: readonly [appendix: string, payload: string, subject: string, body: string][] = [
  [
    'D.2.2.1',
    headerOf('text/plain', 'reply', 'Re: Handling the Jones contract', 'Re: [...]', REPLY) +
      lines('Subject: Re: Handling the Jones contract', '', ...SAID),
    'Re: Handling the Jones contract',
    lines(...SAID),
  ],
  [
    'E.1',
    headerOf('text/plain', 'text-plain-legacy-display', 'Dinner plans', '[...]') +
      lines('Subject: Dinner plans', '', ...PLANS),
    'Dinner plans',
    lines(...PLANS),
  ],
  [
    'E.2',
    headerOf('text/html', 'text-html-legacy-display', 'Dinner plans', '[...]') +
      lines(
        '<html><head><title></title></head><body>',
        '<div class="header-protection-legacy-display">',
        '<pre>Subject: Dinner plans</pre>',
        '</div>',
        '<p>',
        ...PLANS,
        '</p>',
        '</body>',
        '</html>',
      ),
    'Dinner plans',
    lines('<html><head><title></title></head><body>', '', '<p>', ...PLANS, '</p>', '</body>', '</html>'),
  ],
]
for (const [appendix, text, subject, body] of examples) {
  const payload = parsePart(utf8(text))
  const outside = parsePart(
    utf8('From: Alice <alice@example.net>\r\nSubject: [...]\r\nList-Id: <l.example>\r\n\r\n'),
  ).fields
  const read = (encrypted: boolean) => {
    const header = readProtectedHeader(payload, { outside, encrypted, isWhole: true, isLayer: () => false })
    assert(header !== undefined)
    return header
  }

  test(`RFC 9788 Appendix ${appendix}: the reader sees the protected Subject, and the text without the element`, () => {
    const header = read(true)
    const shown = openedFields(outside, header)
    const field = firstField({ ...payload, fields: shown }, 'Subject')
    assert.equal(field && fieldBody(field), subject)
    assert.equal(latin1(concatBytes(applyEdits(bodyOf(payload), header.cuts))), body)
    assert(!shown.some(({ name }) => /^hp-outer$/i.test(name)))
    assert(
      shown.some(({ name }) => name === 'List-Id'),
      'what was added on the way stays (§7)',
    )
  })

  test(`RFC 9788 Appendix ${appendix}: only the Subject was confidential (§4.3)`, () => {
    const header = read(true)
    const shown = openedFields(outside, header)
    const states = fieldStates(shown, header, { encrypted: true, signed: true })
    const open = { From: 'signed-only', To: 'signed-only', Date: 'signed-only' }
    assert.deepEqual(states, { ...open, Subject: 'signed-and-encrypted' })
    assert.equal(confidentialityOf(states), 'baseline')
    const unsigned = fieldStates(shown, header, { encrypted: true, signed: false })
    assert.deepEqual([unsigned.From, unsigned.Subject], ['unprotected', 'encrypted-only'])
  })

  test(`RFC 9788 Appendix ${appendix}: not encrypted, nothing is taken out of the text`, () => {
    assert.deepEqual(read(false).cuts, [])
  })
}
