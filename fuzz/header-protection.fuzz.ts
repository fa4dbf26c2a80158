/** Header protection: no throw; a Legacy Display Element that goes in comes out again to the byte; bounded time. */
import assert from 'node:assert/strict'
import { Collector } from '../src/base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1, utf8 } from '../src/base/bytes.ts'
import { writeFields } from '../src/message/header-field.ts'
import { answeredIds, messageIdIn } from '../src/message/message-ids.ts'
import { parsePart } from '../src/message/parse.ts'
import type { Part } from '../src/message/part.ts'
import { carriesHeader, splitHeader } from '../src/protection/header/header-protection.ts'
import { applyEdits, legacyDisplayRemoval } from '../src/protection/header/legacy-display.ts'
import { legacyDisplaySink } from '../src/protection/header/legacy-display-sink.ts'
import { cautionsAbout } from '../src/protection/look-alike.ts'
import { openedFields } from '../src/protection/header/opened-header.ts'
import { readProtectedHeader } from '../src/protection/header/protected-header.ts'

const MS_MAX = 2_000
const subject = parsePart(utf8('Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nKeywords: a\r\n\r\n')).fields

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const part = parsePart(bytes)
  cautionsAbout(part.fields)
  answeredIds(part.fields)
  messageIdIn(part.fields)
  checkReading(part)
  if (!/hp-legacy-display|header-protection/i.test(latin1(bytes))) checkElement(bytes)
  if (isOrdinary(part) && carriesHeader(part.fields)) checkHeader(part)
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

function checkReading(part: Part): void {
  for (const encrypted of [true, false]) {
    const around = { outside: part.fields, encrypted, isWhole: encrypted, isLayer: () => false }
    const header = readProtectedHeader(part, around)
    if (header === undefined) continue
    openedFields(part.fields, header)
    let from = 0
    for (const { start, end } of header.cuts) {
      assert(from <= start && start <= end && end <= part.raw.length - part.bodyOffset, 'cuts out of order')
      from = end
    }
  }
}

function checkElement(bytes: Uint8Array): void {
  const out = new Collector()
  const sink = legacyDisplaySink(subject, out)
  sink.write(bytes)
  sink.end()
  const made = concatBytes(out.take())
  const back = concatBytes(applyEdits(made, legacyDisplayRemoval(parsePart(made), true)))
  // base64 in lines of any length comes back in ours, and quoted-printable in one way of several
  if (/content-transfer-encoding/i.test(latin1(bytes))) return
  assert.equal(latin1(back), latin1(bytes))
}

/** Without lines that are no fields, and ended: what a submission lets through. */
const isOrdinary = ({ fields, defects }: Part): boolean =>
  fields.length > 0 && defects.length === 0 && fields.some(({ name }) => /^from$/i.test(name))

function checkHeader(part: Part): void {
  for (const policy of ['none', 'baseline', 'shy'] as const) {
    const { inner, outer } = splitHeader(part.fields, 'cipher', policy)
    const payload = parsePart(concatBytes([writeFields(inner), fromLatin1('\r\n')]))
    const around = { outside: outer, encrypted: true, isWhole: true, isLayer: () => false }
    const header = readProtectedHeader(payload, around)
    assert(header !== undefined)
    assert.equal(latin1(writeFields(header.fields)), latin1(writeFields(part.fields)), policy)
  }
}

export function seeds(): Uint8Array[] {
  const html = '<html><body class="a"><div>text</div></body></html>'
  return [
    'From: A <a@b.example>\r\nSubject: s\r\nDate: Mon, 21 Oct 2019 07:30:00 -0700\r\n\r\ntext\r\n',
    `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: text/html\r\n\r\n${html}\r\n--b--\r\n`,
    'From: a@b.example\r\nHP-Outer: Subject: [...]\r\nContent-Type: text/plain; hp="cipher"; hp-legacy-display="1"\r\n\r\nSubject: s\r\n\r\ntext',
    'Content-Type: message/rfc822; forwarded=no\r\n\r\nFrom: a@b.example\r\nSubject: s\r\n\r\ntext',
    'From: a@b.example\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b; protected-headers=v1\r\n\r\n--b\r\nContent-Type: text/plain; protected-headers=v1\r\n\r\nSubject: s\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n',
    'From: "x@y.example" <a@b.example>\r\nSender: c@d.example\r\nReferences: <1@x> <2@x>\r\nContent-Type: text/html; charset=utf-8;\r\n\r\n<body>',
  ].map(utf8)
}
