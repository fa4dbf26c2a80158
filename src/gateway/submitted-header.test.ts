import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, latin1, utf8 } from '../base/bytes.ts'
import { type Address, parseAddress } from '../message/address.ts'
import { writeFields } from '../message/header-field.ts'
import { HEADER_BYTES_MAX, parsePart } from '../message/parse.ts'
import { replyText } from '../protocol/smtp-reply.ts'
import { askedFor, checkAuthor, messageIdOf, outgoingFields, readHead, tlsWishOf } from './submitted-header.ts'

const login = parseAddress('azuma@here.example') as Address
const headerOf = (lines: string) => parsePart(utf8(`${lines}\r\n`))

async function* inPieces(text: string, pieceBytes: number): AsyncIterable<Uint8Array> {
  const bytes = utf8(text)
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await Promise.resolve()
    yield bytes.subarray(at, at + pieceBytes)
  }
}

const messages: readonly [message: string, header: string, why: string][] = [
  ['A: b\r\nC: d\r\n\r\nbody\r\n', 'A: b\r\nC: d\r\n\r\n', 'header and body'],
  ['A: b\r\n\r\n', 'A: b\r\n\r\n', 'no body'],
  ['A: b\r\n', 'A: b\r\n', 'no empty line'],
  ['\r\nbody\r\n', '\r\n', 'no header'],
  ['', '', 'nothing'],
  ['A: b\r\n\r\n\r\n\r\nbody', 'A: b\r\n\r\n', 'a body that begins with empty lines'],
]

for (const [message, header, why] of messages)
  test(`header and rest put together are the message, however it comes: ${why}`, async () => {
    for (const size of [1, 2, 3, 5, 1000]) {
      const head = await readHead(inPieces(message, size))
      assert(!('code' in head))
      const rest: Uint8Array[] = []
      for await (const chunk of head.rest) rest.push(chunk)
      assert.equal(latin1(head.part.raw), header)
      assert.equal(latin1(concatBytes([head.part.raw, ...rest])), message)
    }
  })

test('the beginning of the body can be seen before anything is decided, however it comes', async () => {
  for (const size of [1, 7, 5000]) {
    const head = await readHead(inPieces(`A: b\r\n\r\n${'x'.repeat(3000)}`, size))
    assert(!('code' in head))
    assert.match(latin1(head.preview.raw), /^A: b\r\n\r\nx{1024}/)
  }
})

test('a header without end is refused, and no more of it is read', async () => {
  let pieces = 0
  async function* endless(): AsyncIterable<Uint8Array> {
    for (;;) {
      pieces++
      await Promise.resolve()
      yield utf8('X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(1000))
    }
  }
  const head = await readHead(endless())
  assert('code' in head)
  assert.match(replyText(head), /^552 5\.3\.4 /)
  assert(pieces <= HEADER_BYTES_MAX / 50_000 + 2)
})

const authors: readonly [header: string, refused: RegExp | undefined, why: string][] = [
  ['From: azuma@here.example\r\n', undefined, 'oneself'],
  ['From: "Azuma" <AZUMA@Here.Example>\r\n', undefined, 'with a name, in another case'],
  ['From: azuma@here.example\r\nReply-To: azuma@here.example\r\n', undefined, 'and answers to oneself'],
  ['From: suzuki@here.example\r\n', /^550 5\.7\.1 From is suzuki/, 'somebody else'],
  ['From: azuma@here.example\r\nSender: suzuki@here.example\r\n', /^550 5\.7\.1 Sender/, 'sent by somebody else'],
  [
    'From: azuma@here.example\r\nReply-To: azuma@here.example, x@evil.example\r\n',
    /^550 5\.7\.1 Reply-To/,
    'answers also elsewhere',
  ],
  [
    'From: azuma@here.example\r\nReply-To: a@here.example\r\nreply-to: azuma@here.example\r\n',
    /^550 5\.7\.1/,
    'a second field',
  ],
  ['Subject: x\r\n', /^550 5\.7\.1 .*has 0/, 'nobody'],
  ['From: azuma@here.example\r\nFrom: azuma@here.example\r\n', /^550 5\.7\.1 .*has 2/, 'twice'],
  ['From: azuma@here.example, azuma@here.example\r\n', /^550 5\.7\.1/, 'oneself twice'],
  ['From: team: azuma@here.example;\r\n', undefined, 'a group of one'],
  ['From: team:;\r\n', /^550 5\.7\.1/, 'an empty group'],
  ['From: azuma\r\n', /^550 5\.1\.7 /, 'no address'],
  ['From: <azuma@here.example\r\n', /^550 5\.1\.7 /, 'a broken address'],
]

for (const [header, refused, why] of authors)
  test(`who writes: ${why}`, () => {
    const answer = checkAuthor(headerOf(header), login)
    if (refused === undefined) assert.equal(answer === undefined ? '' : replyText(answer), '')
    else assert.match(answer === undefined ? '' : replyText(answer), refused)
  })

test('what goes out: nothing blind, nothing of ours, and what is missing is added', () => {
  const part = headerOf(
    'From: a@b.example\r\nBcc: c@d.example\r\nbcc: e@f.example\r\nX-Sealpost: require\r\nReturn-Path: <x>\r\nX: y\r\n',
  )
  const text = latin1(writeFields(outgoingFields(part, login, 0, 'id')))
  assert.equal(
    text,
    'Message-ID: <id@here.example>\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: a@b.example\r\nX: y\r\n',
  )
  const whole = headerOf('Date: x\r\nMessage-ID: <1@x>\r\n')
  assert.equal(latin1(writeFields(outgoingFields(whole, login, 0, 'id'))), 'Date: x\r\nMessage-ID: <1@x>\r\n')
})

test('what the user asks for: a word that nobody knows is the stricter one', () => {
  const asked = (value: string) => askedFor(headerOf(`X-Sealpost: ${value}\r\n`))
  assert.equal(askedFor(headerOf('X: y\r\n')), undefined)
  assert.equal(asked('prefer'), 'prefer')
  assert.equal(asked('PREFER'), 'prefer')
  for (const word of ['require', 'Require', 'requier', '', 'prefer; require'])
    assert.equal(asked(word), 'require', word)
})

test('what is wished of TLS (RFC 8689): the parameter of MAIL comes first, one word of the field counts', () => {
  const wished = (lines: string, requireTls = false) => tlsWishOf(requireTls, headerOf(lines))
  assert.equal(wished('X: y\r\n'), 'usual')
  assert.equal(wished('TLS-Required: No\r\n'), 'unimportant')
  assert.equal(wished('tls-required:  NO \r\n'), 'unimportant')
  assert.equal(wished('TLS-Required: No\r\n', true), 'required')
  for (const other of ['Yes', '', 'No, thanks', 'No\r\nTLS-Required: No'])
    assert.equal(wished(`TLS-Required: ${other}\r\n`), 'usual', other)
})

test('a Message-ID of any length is kept short', () => {
  assert.equal(messageIdOf(headerOf(`Message-ID: <${'a'.repeat(5000)}@x>\r\n`).fields).length, 998)
  assert.equal(messageIdOf([]), '')
})
