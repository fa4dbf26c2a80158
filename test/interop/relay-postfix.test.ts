/** Postfix takes what the relay sends, over TLS, octet for octet, and its refusals are understood. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import type { OutgoingMail } from '../../src/protocol/delivery.ts'
import { needsPostfix, startPostfix, type Postfix } from '../support/postfix.ts'
import { address, mail, paths, relayTo, text } from '../support/relay-bench.ts'

const POSTFIX = needsPostfix()
const MESSAGE_SIZE_MAX_BYTES = 8 * 2 ** 20
const HEADER =
  'From: a@a.example\r\nTo: b@b.example\r\nSubject: x\r\nMessage-ID: <1@a.example>\r\nDate: Sun, 22 Nov 2026 15:00:00 +0000\r\n'

const tls = await createTlsCertificate({ hosts: ['127.0.0.1', 'mx.b.example'], nowMs: Date.now() })
let started: Promise<Postfix> | undefined

function postfix(): Promise<Postfix> {
  const users = [...BODIES.keys(), 'b', 'c', 'many', 'dsn', 'jürgen']
  started ??= startPostfix({ users, messageSizeMaxBytes: MESSAGE_SIZE_MAX_BYTES, tls })
  return started
}

after(async () => (await started)?.[Symbol.asyncDispose]())

const BODIES = new Map<string, string>([
  ['plain', 'hello\r\n'],
  ['dots', '.\r\n..\r\n.a\r\n\r\n.\r\nMAIL FROM:<x@y>\r\n.'.concat('\r\n')],
  ['empty', ''],
  ['long-lines', `${'x'.repeat(990)}\r\n`.repeat(50)],
  ['large', `${randomBytes(57).toString('base64')}\r\n`.repeat(80_000)],
  ['eight-bit', 'Gr\u00fc\u00dfe \u00e9\r\n'],
])

for (const [user, body] of BODIES)
  test(`${user}: what lies in the mailbox is what was sent`, POSTFIX, async () => {
    const server = await postfix()
    const whole = `${HEADER}\r\n${body}`
    const what = { recipients: paths(address(`${user}@b.example`)), eightBit: user === 'eight-bit' }
    const [result] = await send(server, what, whole)
    assert.equal(result?.outcome, 'delivered', text(result))
    const [stored = ''] = await server.mailbox(user, 1)
    assert.equal(stored.slice(stored.indexOf('From: a@')).replaceAll('\n', '\r\n'), whole)
    assert.match(stored, /ESMTPS/)
  })

test('a hundred messages, few sessions', POSTFIX, async () => {
  const server = await postfix()
  let sessions = 0
  const events = { sessionOpened: () => void sessions++, hostFailed: () => {} }
  await using relay = relayTo(server.port, { anchorsPem: [tls.certificatePem], events })
  const what = mail({ recipients: paths(address('many@b.example')) })
  const content = (): AsyncIterable<Uint8Array> => bytes(`${HEADER}\r\nhello\r\n`)
  for (let i = 0; i < 100; i++) assert.equal((await relay.deliver(what, content))[0]?.outcome, 'delivered')
  assert.equal((await server.mailbox('many', 100)).length, 100)
  assert.equal(sessions, 1)
})

test('unknown users are refused one by one, the others get it', POSTFIX, async () => {
  const server = await postfix()
  const results = await send(server, { recipients: paths(address('b@b.example'), address('nobody@b.example')) })
  assert.deepEqual(
    results.map((result) => result.outcome),
    ['delivered', 'failed'],
  )
  assert.match(text(results[1]), /^550 5\.1\.1 /)
})

test('a domain that it does not serve', POSTFIX, async () => {
  const server = await postfix()
  const [result] = await send(server, { recipients: paths(address('x@elsewhere.example')), mailFrom: '' })
  assert.equal(result?.outcome, 'failed')
  assert.match(text(result), /^554 5\.7\.1 .*Relay access denied/)
})

test('larger than it takes: known before a byte is sent', POSTFIX, async () => {
  const server = await postfix()
  const [result] = await send(server, { sizeBytes: MESSAGE_SIZE_MAX_BYTES + 1 })
  assert.match(text(result), /^552 5\.3\.4 The message has 8388609 bytes, 127\.0\.0\.1 takes 8388608$/)
})

test('larger than it takes, and larger than was said: its refusal is understood', POSTFIX, async () => {
  const server = await postfix()
  const body = `${HEADER}\r\n${`${'y'.repeat(998)}\r\n`.repeat(9_000)}`
  const [result] = await send(server, { sizeBytes: 1_000 }, body)
  assert.equal(result?.outcome, 'failed')
  assert.match(text(result), /^552 5\.3\.4 /)
})

test('UTF-8 address and DSN wishes', POSTFIX, async () => {
  const server = await postfix()
  const notify = { notify: 'SUCCESS,FAILURE', orcpt: 'rfc822;dsn@b.example' }
  const [result] = await send(server, {
    recipients: [{ address: address('dsn@b.example'), dsn: notify }],
    ret: 'HDRS',
    envid: 'an id+1',
  })
  assert.equal(result?.outcome, 'delivered', text(result))
  assert.equal(result?.dsnPassedOn, true)
  const [utf8] = await send(server, { recipients: paths(address('jürgen@b.example')), smtpUtf8: true })
  assert.equal(utf8?.outcome, 'delivered', text(utf8))
})

test('its certificate is not trusted where it has to be', POSTFIX, async () => {
  const server = await postfix()
  await using relay = relayTo(server.port, { hopTls: () => 'verified' })
  const [result] = await relay.deliver(mail(), () => bytes('x\r\n'))
  assert.equal(result?.outcome, 'deferred')
  assert.match(text(result), /^454 4\.7\.0 No TLS with/)
})

async function send(
  server: Postfix,
  changes: Partial<OutgoingMail>,
  body = `${HEADER}\r\nhello\r\n`,
): ReturnType<ReturnType<typeof relayTo>['deliver']> {
  await using relay = relayTo(server.port, {
    hopTls: () => 'verified',
    anchorsPem: [tls.certificatePem],
  })
  return await relay.deliver(mail({ sizeBytes: body.length, ...changes }), () => bytes(body))
}

async function* bytes(body: string): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(body, 'latin1')
  for (let at = 0; at < all.length; at += 65_536) yield all.subarray(at, at + 65_536)
}
