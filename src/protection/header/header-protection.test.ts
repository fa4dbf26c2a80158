import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromLatin1, latin1 } from '../../base/bytes.ts'
import { writeFields } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import type { HeaderField, Part } from '../../message/part.ts'
import { type HeaderProtection, splitHeader } from './header-protection.ts'
import { openedFields, withMimeFieldsOf } from './opened-header.ts'
import { readProtectedHeader } from './protected-header.ts'

const RECEIVED = 'Received: by mail.biglobe.ne.jp; Sun, 22 Nov 2026 15:00:00 +0900\r\n'
const LAYER = 'MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime\r\n'

/** What the reader's side makes of a header that went through `splitHeader`, with a trace field put on top on its way. */
function throughTheProvider(header: string, hp: HeaderProtection | undefined): string {
  const { inner, outer } = splitHeader(
    parsePart(fromLatin1(`${header}\r\n`)).fields,
    hp,
    hp === 'cipher' ? 'baseline' : 'none',
  )
  const arrived = parsePart(fromLatin1(`${RECEIVED}${latin1(writeFields(outer))}${LAYER}\r\n`))
  return opened(arrived.fields, parsePart(fromLatin1(`${latin1(writeFields(inner))}\r\n`)))
}

function opened(outside: readonly HeaderField[], payload: Part): string {
  const header = readProtectedHeader(payload, { outside, encrypted: true, isWhole: true, isLayer: () => false })
  return latin1(writeFields(header === undefined ? withMimeFieldsOf(payload, outside) : openedFields(outside, header)))
}

const headers: readonly [why: string, header: string][] = [
  ['no MIME field', 'From: a@b.example\r\nSubject: s\r\n'],
  ['MIME fields between others', 'Content-Type: text/html\r\nFrom: a@b.example\r\nMIME-Version: 1.0\r\nSubject: s\r\n'],
  ['a Received field of an earlier journey', 'Received: by x.example; then\r\nFrom: a@b.example\r\n'],
  ['a type with a comment', 'From: a@b.example\r\nContent-Type: text/plain (x)\r\n'],
  [
    'a type that says hp="clear" already',
    'From: a@b.example\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; hp="clear"\r\n',
  ],
  [
    'a type that says hp="cipher" already',
    'From: a@b.example\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; hp="cipher"\r\n',
  ],
]
for (const [why, header] of headers)
  for (const hp of ['clear', 'cipher'] as const)
    test(`${hp}: ${why} comes back as it was, below this journey's trace`, () =>
      assert.equal(throughTheProvider(header, hp), RECEIVED + header))

test('hp without a From in the payload is no protected header: the outer one counts', () => {
  const outer = parsePart(fromLatin1(`From: a@b.example\r\nSubject: s\r\n${LAYER}\r\n`)).fields
  const payload = parsePart(fromLatin1('Subject: t\r\nContent-Type: text/plain; hp="cipher"\r\n\r\n'))
  const shown = opened(outer, payload)
  assert.match(shown, /^From: a@b\.example\r\nSubject: s\r\n/)
  assert.doesNotMatch(shown, /Subject: t/)
})
