/** What the sink puts in, the reader takes out: to the byte, whatever the texts of the mail are encoded in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMs } from '../../../test/support/cpu-time.ts'
import { Collector } from '../../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1, utf8 } from '../../base/bytes.ts'
import { contentTypeOf } from '../../message/content-type.ts'
import { decodeBody } from '../../message/decode.ts'
import { encodeBase64Lines, encodeQuotedPrintable } from '../../message/encode.ts'
import { childrenOf } from '../../message/mime-tree.ts'
import { parsePart } from '../../message/parse.ts'
import { applyEdits, draftDisplayRemoval, legacyDisplayRemoval } from './legacy-display.ts'
import { HEAD_BYTES_MAX, legacyDisplaySink } from './legacy-display-sink.ts'

const fieldsOf = (header: string) => parsePart(utf8(`${header}\r\n\r\n`)).fields

/** Pushed in pieces, for the sink must not care how they are cut. */
function displayed(payload: string | Uint8Array, header = 'Subject: Secret', chunkBytes = 97): Uint8Array {
  const out = new Collector()
  const sink = legacyDisplaySink(fieldsOf(header), out)
  const bytes = typeof payload === 'string' ? fromLatin1(payload) : payload
  for (let at = 0; at < bytes.length; at += chunkBytes) sink.write(bytes.subarray(at, at + chunkBytes))
  sink.end()
  assert(out.ended)
  return concatBytes(out.take())
}

const removed = (payload: Uint8Array, isWhole = true): Uint8Array =>
  concatBytes(applyEdits(payload, legacyDisplayRemoval(parsePart(payload), isWhole)))

const PLAIN = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHello\r\n\r\nthere\r\n'
const HTML = '<html><head><title>x</title></head><body class="a">\r\n<div>Hello</div> <p>x = y</p></body></html>\r\n'
const encodedHtml = (encoding: string, body: Uint8Array): string =>
  `Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${latin1(body)}`
const alternative = (...parts: string[]): string =>
  `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n${parts.join('\r\n--b\r\n')}\r\n--b--\r\n`
const base64Text = (text: string): string =>
  `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${latin1(encodeBase64Lines(utf8(text)))}`
const QUOTED = encodedHtml('quoted-printable', encodeQuotedPrintable(utf8(HTML.replace('Hello', 'Grüße '.repeat(30)))))

const payloads: readonly [payload: string, elements: number, why: string][] = [
  [PLAIN, 1, 'text/plain'],
  ['Content-Type: text/plain\r\n\r\n\r\nbegins with an empty line\r\n', 1, 'text that begins with an empty line'],
  ['Content-Type: text/plain\r\n\r\n', 1, 'no text'],
  [base64Text('Hello, world. '.repeat(20)), 1, 'text in base64'],
  ['Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n', 1, 'short base64'],
  [
    'Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=',
    1,
    'base64 in lines of its own',
  ],
  [
    `Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na =\r\n\r\n=C3=A4\r\n`,
    1,
    'quoted-printable with a soft line break before an empty line',
  ],
  [`Content-Type: text/html\r\n\r\n${HTML}`, 1, 'text/html'],
  [encodedHtml('base64', encodeBase64Lines(utf8(HTML))), 1, 'HTML in base64'],
  [QUOTED, 1, 'HTML in quoted-printable'],
  ['Content-Type: text/html\r\n\r\n<p>no body element</p>\r\n', 0, 'HTML without a body element'],
  [alternative(PLAIN, QUOTED), 2, 'two texts'],
  [alternative('\r\nno header at all', `Content-Type: text/html\r\n\r\n${HTML}`), 2, 'a text without Content-Type'],
  [
    `Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n${alternative(PLAIN)}\r\n--m\r\n${PLAIN}\r\n--m--\r\n`,
    1,
    'another text as the second part of multipart/mixed',
  ],
  [PLAIN.replace('\r\n\r\n', '\r\nContent-Disposition: attachment\r\n\r\n'), 0, 'an attachment'],
  [`Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n${PLAIN}\r\n--b--\r\n`, 0, 'what the client has signed'],
  ['Content-Type: application/pdf\r\n\r\n%PDF', 0, 'no text'],
  ['Content-Type: text/plain; charset=utf-16\r\n\r\n\0a', 0, 'a charset that does not begin with US-ASCII'],
  ['Content-Type: text/plain\r\nContent-Transfer-Encoding: x-rot13\r\n\r\nUryyb', 0, 'an unknown transfer encoding'],
]
for (const [payload, elements, why] of payloads)
  test(`an element goes in and comes out again: ${why}`, () => {
    for (const header of ['Subject: Secret', 'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nKeywords: a, b\r\nX-Other: no']) {
      const made = displayed(payload, header)
      assert.equal(latin1(made).match(/hp-legacy-display="1"/g)?.length ?? 0, elements)
      if (elements === 0) assert.equal(latin1(made), payload)
      assert.equal(latin1(removed(made)), payload)
      for (const line of latin1(made).split('\r\n')) assert(line.length <= 160, line)
    }
  })

const subjects: readonly [type: string, encoding: string, header: string, element: string, why: string][] = [
  ['text/plain', '7bit', 'Subject: a\r\n b', 'Subject: a b\r\n\r\n', 'unfolded'],
  ['text/plain; charset=utf-8', '8bit', 'Subject: =?utf-8?Q?=C3=A4?=', 'Subject: ä\r\n\r\n', 'decoded'],
  ['text/plain; charset=utf-8', 'quoted-printable', 'Subject: =?utf-8?Q?=C3=A4?=', 'Subject: ä\r\n\r\n', 'as UTF-8'],
  ['text/plain; charset=utf-8', '7bit', 'Subject: =?utf-8?Q?=C3=A4?=', 'Subject: =?utf-8?Q?=C3=A4?=\r\n\r\n', '7bit'],
  [
    'text/plain; charset=iso-2022-jp',
    '7bit',
    'Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=',
    'Subject: \x1b$BF|K\\\x1b(B\r\n\r\n',
    'in the charset of the text',
  ],
  [
    'text/plain; charset=iso-8859-1',
    '8bit',
    'Subject: =?utf-8?Q?=C3=A4?=',
    'Subject: =?utf-8?Q?=C3=A4?=\r\n\r\n',
    'in another charset than the text',
  ],
  [
    'text/plain',
    '7bit',
    'Subject: =?utf-8?Q?a=0D=0A=0D=0Ab?=',
    'Subject: a b\r\n\r\n',
    'with line ends in it (RFC 9788 §10.3)',
  ],
]
for (const [type, encoding, header, element, why] of subjects)
  test(`the Subject in front of a text: ${why}`, () => {
    const part = parsePart(
      displayed(`Content-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\ntext`, header),
    )
    assert.equal(Buffer.from(decodeBody(part).bytes).toString('utf8'), `${element}text`)
  })

test('in HTML nothing of the Subject is markup (RFC 9788 §10.3)', () => {
  const made = latin1(
    displayed(`Content-Type: text/html\r\n\r\n${HTML}`, `Subject: </pre></div><b title="'&">=?utf-8?Q?=C3=A4?=`),
  )
  assert.match(
    made,
    /<body class="a"><div class="header-protection-legacy-display"><pre>Subject: &#60;\/pre&#62;&#60;\/div&#62;&#60;b title=&#34;&#39;&#38;&#34;&#62;/,
  )
})

test('a text of any size has its element; what begins behind the limit has none', () => {
  const large = `${PLAIN}${'x'.repeat(76)}\r\n`.padEnd(HEAD_BYTES_MAX * 2, 'y')
  const made = displayed(large, 'Subject: s', 60_000)
  assert.match(latin1(made.subarray(0, 300)), /\r\n\r\nSubject: s\r\n\r\nHello/)
  assert.equal(Buffer.compare(removed(made), fromLatin1(large)), 0)
  const behind = alternative(large, PLAIN)
  const parts = childrenOf(parsePart(displayed(behind, 'Subject: s', 60_000))).children
  assert.deepEqual(
    parts.map((part) => contentTypeOf(part).parameters.has('hp-legacy-display')),
    [true, false],
  )
})

test('of a payload whose end is not seen, only what is seen whole is taken out', () => {
  const made = displayed(encodedHtml('base64', encodeBase64Lines(utf8(HTML.repeat(40)))))
  const beginning = made.subarray(0, 2000)
  assert.equal(latin1(removed(beginning, false)), latin1(beginning))
  assert.notEqual(latin1(removed(beginning)), latin1(beginning), 'else this shows nothing')
  const text = displayed(PLAIN).subarray(0, 200)
  assert.match(latin1(removed(text, false)), /\r\n\r\nHello/)
})

const foreign: readonly [payload: string, shown: RegExp, why: string][] = [
  [
    "Content-Type: text/html; hp-legacy-display=1\r\n\r\n<body><DIV id=x CLASS='a header-protection-legacy-display'><div>S</div></DIV>text</body>",
    /\r\n\r\n<body>text<\/body>$/,
    'another spelling, with an element in it',
  ],
  [
    'Content-Type: text/html; hp-legacy-display=1\r\n\r\n<body><div class="header-protection-legacy-display">text</body>',
    /legacy-display">text<\/body>$/,
    'one that is not closed stays',
  ],
  ['Content-Type: text/plain; hp-legacy-display="0"\r\n\r\nSubject: s\r\n\r\ntext', /Subject: s/, 'another value'],
  ['Content-Type: text/plain; hp-legacy-display="1"\r\n\r\nSubject: s\r\ntext', /Subject: s/, 'no empty line'],
  [
    'Content-Type: message/rfc822\r\n\r\nContent-Type: text/plain; hp-legacy-display="1"\r\n\r\nSubject: s\r\n\r\ntext',
    /Subject: s/,
    'within a message that is inside',
  ],
]
for (const [payload, shown, why] of foreign)
  test(`an element that somebody else wrote: ${why}`, () => assert.match(latin1(removed(fromLatin1(payload))), shown))

test('hostile HTML takes no time', () => {
  const tookMs = cpuMs(() => {
    for (const tag of ['<div', '<div class=', '<div class="header-protection-legacy-display">', '</div>'])
      removed(fromLatin1(`Content-Type: text/html; hp-legacy-display=1\r\n\r\n${tag.repeat(100_000)}`))
    removed(fromLatin1(`Content-Type: text/plain; hp-legacy-display=1\r\n\r\n${'=\r\n='.repeat(100_000)}`))
  })
  assert(tookMs < 5_000, `${tookMs} ms`)
})

test('the element of draft-autocrypt goes only when it says what the header says', () => {
  const draft = (element: string): Uint8Array =>
    fromLatin1(
      `Subject: secret\r\nContent-Type: multipart/mixed; boundary=b; protected-headers=v1\r\n\r\n--b\r\n${element}\r\n--b\r\n\r\ntext\r\n--b--\r\n`,
    )
  const type = 'Content-Type: text/plain; protected-headers="v1"\r\n\r\n'
  const cases: readonly [element: string, goes: boolean][] = [
    [`${type}Subject: secret\r\n`, true],
    [`${type}SUBJECT: secret\r\n`, true],
    [`${type}Subject: another\r\n`, false],
    [`${type}Subject: secret\r\n\r\nand a text`, false],
    [`Content-Type: text/plain\r\n\r\nSubject: secret\r\n`, false],
  ]
  for (const [element, goes] of cases) {
    const payload = draft(element)
    const shown = latin1(concatBytes(applyEdits(payload, draftDisplayRemoval(parsePart(payload)))))
    assert.equal(shown.includes(element), !goes, element)
    assert.match(shown, /--b\r\n\r\ntext\r\n--b--\r\n$/)
  }
})
