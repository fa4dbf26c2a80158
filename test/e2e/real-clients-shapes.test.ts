/** Mail in unusual shapes, sent and fetched by real programs: the provider changes none of it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { curlTakes } from '../support/clients/fetchers.ts'
import { runWell } from '../support/clients/run.ts'
import { type Expected, assertSameMail } from '../support/clients/same-mail.ts'
import { head } from '../support/clients/samples.ts'
import { type Way, curlSends, put } from '../support/clients/senders.ts'
import { AZUMA, SUZUKI, type World, makeWorld } from '../support/clients/three-providers.ts'

let world: World

before(async () => {
  world = await makeWorld()
})

after(async () => {
  await world?.[Symbol.asyncDispose]()
})

const H = (more: string): string => head(AZUMA, SUZUKI, more)
const typed = (type: string): string => `${H(`MIME-Version: 1.0\r\nContent-Type: ${type}\r\n`)}\r\nbody\r\n`

const FORWARDED = `Received: from a.example by b.example; Sun, 22 Nov 2026 10:00:00 +0000\r
From: stranger@example.org\r
To: ${AZUMA}\r
Subject: forwarded\r
MIME-Version: 1.0\r
Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=inner\r
\r
--inner\r
\r
signed \r
--inner\r
Content-Type: application/pgp-signature\r
\r
-----BEGIN PGP SIGNATURE-----\r
\r
--inner--\r
`

const shapes: readonly [why: string, message: string, expected?: Omit<Expected, 'sent'>][] = [
  [
    'MIME fields between others',
    `Content-Language: ja\r\nX-First: 1\r\nContent-Type: text/plain;\r\n\tcharset="us-ascii"\r\n${H('')}Content-Transfer-Encoding: 7bit\r\nX-Mid: 2\r\nMIME-Version: 1.0\r\nX-Last: 3\r\n\r\nbody\r\n`,
  ],
  [
    'fields twice, folded with tabs, blanks at the end, empty, in odd case',
    H(
      'X-A: 1\r\nx-a: 2\r\nX-Folded: a\r\n\tb\r\n  c \r\nX-Empty:\r\nX-Blank: \r\nsUBJECT:no blank\r\nComments : old\r\n\r\nbody\r\n',
    ),
  ],
  ['neither MIME-Version nor Content-Type', H('Subject: plain\r\n\r\nbody\r\n')],
  ['Content-Type without MIME-Version', H('Content-Type: text/html\r\n\r\n<p>body</p>\r\n')],
  ['MIME-Version alone', H('MIME-Version: 1.0\r\n\r\nbody\r\n')],
  ['8 bits that are no UTF-8', H('MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\x80\xff\xfe\r\n')],
  ['a body without a line end: DATA gives it one', H('Subject: x\r\n\r\nno line end')],
  ['dots', H('\r\n.\r\n..\r\n...\r\n.x\r\n. \r\n\r\n.\r\n')],
  ['a body of one dot', H('\r\n.\r\n')],
  ['very long lines', H(`X-Long: ${'y'.repeat(5000)}\r\n\r\n${'x'.repeat(100_000)}\r\n${'.'.repeat(3000)}\r\n`)],
  ['empty body', H('Subject: nothing to say\r\n\r\n')],
  ['body of empty lines', H('Subject: nothing to say\r\n\r\n\r\n\r\n\r\n')],
  ['blanks at line ends', H('\r\na \r\n\t\r\n b\t\r\n')],
  ['"From " at a line start', H('\r\nFrom me\r\n>From you\r\n')],
  ['a forwarded message', H(`MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n${FORWARDED}`)],
  [
    'preamble, epilogue, parts without header',
    typed('multipart/mixed; boundary=b').replace('body', 'pre\r\n--b\r\n\r\n1\r\n--b\r\n\r\n\r\n2\r\n\r\n--b--\r\nepi'),
  ],
  ['a multipart that is not closed', typed('multipart/mixed; boundary="b"').replace('body', '--b\r\n\r\n1')],
  ['a type with a comment', typed('text/plain (nothing special); charset=us-ascii (really)')],
  ['a type with a semicolon at its end', typed('text/plain; charset=us-ascii;')],
  ['a type in capitals, without blanks', typed('TEXT/PLAIN;CHARSET=US-ASCII')],
  [
    'a long folded type',
    typed(`application/octet-stream;\r\n name="${'n'.repeat(60)}.bin";\r\n x="a; hp=\\"clear\\""`),
  ],
  [
    'Resent and Received fields of an earlier journey',
    `Resent-From: ${AZUMA}\r\nResent-To: ${SUZUKI}\r\nReceived: from a.example by b.example; Sun, 22 Nov 2026 10:00:00 +0000\r\n${H('\r\nbody\r\n')}`,
  ],
  [
    'neither Date nor Message-ID: they are added',
    `From: ${AZUMA}\r\nTo: ${SUZUKI}\r\n\r\nbody\r\n`,
    { added: ['Message-ID', 'Date'] },
  ],
  [
    'names and comments in the addresses',
    `From: "Azuma, T." (at work) <${AZUMA}>\r\nTo: friends: ${SUZUKI};\r\nDate: Sun, 22 Nov 2026 15:00:00 +0900\r\nMessage-ID: <shape-1@terminal.example>\r\n\r\nbody\r\n`,
  ],
  [
    'a Subject in UTF-8 and no SMTPUTF8',
    Buffer.from(
      H('Subject: 契約書\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n本文\r\n'),
    ).toString('latin1'),
  ],
]

const CURL = needsAll({ curl: 'curl' })

for (const [index, [why, text, expected = {}]] of shapes.entries())
  test(why, CURL, async () => {
    const way: Way = index % 2 === 0 ? 'starttls' : 'tls'
    const message = Buffer.from(text, 'latin1')
    await curlSends(world.terminal(AZUMA), { from: AZUMA, to: [SUZUKI], message, way })
    await world.stored(SUZUKI)
    const sent = text.endsWith('\r\n') ? message : Buffer.concat([message, Buffer.from('\r\n')])
    assertSameMail(await curlTakes(world.terminal(SUZUKI)), { ...expected, sent })
  })

/** The one sending library at hand that asks for SMTPUTF8 and 8BITMIME by name. */
const SMTPLIB = `
import smtplib, ssl, sys
port, anchor, user, password, to, file = sys.argv[1:]
smtp = smtplib.SMTP('localhost', int(port), local_hostname='terminal.example')
smtp.starttls(context=ssl.create_default_context(cafile=anchor))
smtp.ehlo()
assert smtp.has_extn('SMTPUTF8') and smtp.has_extn('8BITMIME')
smtp.login(user, password)
smtp.sendmail(user, [to], open(file, 'rb').read(), mail_options=['SMTPUTF8', 'BODY=8BITMIME'])
smtp.quit()
`

test('a header in UTF-8, by SMTPUTF8 and 8BITMIME', needsAll({ curl: 'curl', python3: 'python3' }), async () => {
  const from = world.terminal(AZUMA)
  const fields = 'Subject: 契約書 ü\r\nX-名: 値\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n'
  const sent = Buffer.from(H(`${fields}Content-Transfer-Encoding: 8bit\r\n\r\n本文\r\n.\r\n`))
  const file = put(from, 'mail.eml', sent)
  const { home, ports, anchor, address, password } = from
  await runWell(home, 'python3', ['-c', SMTPLIB, String(ports.submission), anchor, address, password, SUZUKI, file])
  await world.stored(SUZUKI)
  assertSameMail(await curlTakes(world.terminal(SUZUKI)), { sent })
})

for (const [why, text] of [
  ['a type that nobody can read', typed('plain text')],
  ['a type that speaks of header protection', typed('text/plain; hp="clear"')],
] as const)
  test(`${why} cannot carry the header that is to be hidden: refused, and nothing sent`, CURL, async () => {
    const mail = { from: AZUMA, to: [SUZUKI], message: Buffer.from(text, 'latin1'), way: 'tls' as const }
    await assert.rejects(curlSends(world.terminal(AZUMA), mail), /ended with 8/) // curl's word for 554 after the data
  })

test(
  'what is for the provider is taken out: X-Sealpost, HP-Outer, and whom nobody else may see: Bcc',
  CURL,
  async () => {
    const taken = `X-Sealpost: require\r\nBcc: ${SUZUKI}\r\nHP-Outer: Subject: z\r\n`
    const message = Buffer.from(H(`${taken}Subject: x\r\n\r\nbody\r\n`))
    await curlSends(world.terminal(AZUMA), { from: AZUMA, to: [SUZUKI], message, way: 'tls' })
    await world.stored(SUZUKI)
    const sent = Buffer.from(message.toString().replace(taken, ''))
    assert.notEqual(sent.length, message.length)
    assertSameMail(await curlTakes(world.terminal(SUZUKI)), { sent })
  },
)
