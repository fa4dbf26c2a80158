/** Extensions, TLS, and sessions that carry several messages. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTlsCertificate } from '../keys/certificate-authority.ts'
import {
  address,
  BODY,
  deliver,
  mail,
  OTHER,
  paths,
  pieces,
  relayTo,
  text,
  TO,
} from '../../test/support/relay-bench.ts'
import { DROP, startScriptedSmtp, type SmtpScript } from '../../test/support/scripted-smtp.ts'
import type { OutgoingMail } from '../protocol/delivery.ts'
import type { RelayEvents } from './relay.ts'
import { eventually } from '../../test/support/eventually.ts'

const { certificatePem, keyPem } = await createTlsCertificate({ hosts: ['localhost', '127.0.0.1'], nowMs: Date.now() })
const tls = { cert: certificatePem, key: keyPem }
const UMLAUT = address('jürgen@b.example')
const content = (): AsyncIterable<Uint8Array> => pieces(BODY, 1000)
const ALL = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE 1000000']
const dsn = { notify: 'SUCCESS,FAILURE', orcpt: 'rfc822;b+x=y@b.example' }
const wishing = {
  recipients: [
    { address: TO, dsn },
    { address: OTHER, dsn: { notify: 'NEVER' } },
  ],
  ret: 'HDRS',
  envid: 'a+b c',
} as const

const envelopes: readonly [
  offers: readonly string[],
  what: Partial<OutgoingMail>,
  lines: readonly string[],
  why: string,
][] = [
  [
    [],
    { eightBit: false, ...wishing },
    ['MAIL FROM:<a@a.example>', 'RCPT TO:<b@b.example>', 'RCPT TO:<c@b.example>'],
    'nothing offered, nothing said',
  ],
  [ALL, {}, ['MAIL FROM:<a@a.example> SIZE=21', 'RCPT TO:<b@b.example>'], 'only what is needed'],
  [ALL, { mailFrom: '' }, ['MAIL FROM:<> SIZE=21', 'RCPT TO:<b@b.example>'], 'null reverse-path'],
  [ALL, { eightBit: true }, ['MAIL FROM:<a@a.example> BODY=8BITMIME SIZE=21', 'RCPT TO:<b@b.example>'], 'RFC 6152'],
  [
    ALL,
    { smtpUtf8: true },
    ['MAIL FROM:<a@a.example> SIZE=21 SMTPUTF8', 'RCPT TO:<b@b.example>'],
    'UTF-8 in the header only',
  ],
  [
    ALL,
    { smtpUtf8: true, recipients: paths(UMLAUT) },
    ['MAIL FROM:<a@a.example> SMTPUTF8 SIZE=21', 'RCPT TO:<jürgen@b.example>'],
    'UTF-8 address',
  ],
  [
    ALL,
    wishing,
    [
      'MAIL FROM:<a@a.example> SIZE=21 RET=HDRS ENVID=a+2Bb+20c',
      'RCPT TO:<b@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx+3Dy@b.example',
      'RCPT TO:<c@b.example> NOTIFY=NEVER',
    ],
    'RFC 3461: each recipient its own',
  ],
]
for (const [offers, what, lines, why] of envelopes)
  for (const pipelining of [true, false])
    test(`parameters: ${why}${pipelining ? '' : ', one command at a time'}`, async () => {
      await using server = await startScriptedSmtp({
        ehlo: offers.filter((word) => pipelining || word !== 'PIPELINING'),
      })
      const [result] = await deliver(server.port, mail(what))
      assert.equal(result?.outcome, 'delivered', text(result))
      assert.equal(result?.dsnPassedOn, offers.includes('DSN'))
      const envelope = server.sessions[0]?.filter((line) => /^(?:MAIL|RCPT)/.test(line))
      assert.deepEqual(envelope, lines)
    })

const impossible: readonly [what: Partial<OutgoingMail>, says: RegExp, why: string][] = [
  [{ smtpUtf8: true }, /^553 5\.6\.7/, 'RFC 6531: no SMTPUTF8'],
  [{ eightBit: true }, /^554 5\.6\.3/, 'RFC 6152 §3: no 8BITMIME'],
]
for (const [what, says, why] of impossible)
  test(`returned before MAIL: ${why}`, async () => {
    await using server = await startScriptedSmtp({ ehlo: [] })
    const [result] = await deliver(server.port, mail(what))
    assert.equal(result?.outcome, 'failed')
    assert.match(text(result), says)
    assert.ok(!server.sessions.flat().some((line) => line.startsWith('MAIL')))
  })

test('STARTTLS is used when it is offered, whatever the certificate', async () => {
  await using server = await startScriptedSmtp({ ehlo: ['STARTTLS'], ehloOverTls: ALL, tls })
  const sessions = recorder()
  const [result] = await deliver(server.port, mail(), content, { events: sessions })
  assert.equal(result?.outcome, 'delivered')
  assert.deepEqual(sessions.tls, ['TLSv1.3 unverified'])
  const { address, tls: version, verified } = result.hop ?? {}
  assert.deepEqual([address, version, verified], ['127.0.0.1', 'TLSv1.3', 'opportunistic'])
  assert.deepEqual(server.sessions[0]?.slice(0, 3), ['EHLO a.example', 'STARTTLS', 'EHLO a.example'])
  assert.match(server.sessions[0]?.[3] ?? '', /SIZE=21/, 'what was offered in the clear is forgotten (RFC 3207 §4.2)')
})

const forced: readonly [script: SmtpScript, anchors: readonly string[] | undefined, outcome: string, why: string][] = [
  [{ ehlo: ['STARTTLS'], tls }, [certificatePem], 'delivered', 'a certificate that chains and names the host'],
  [{ ehlo: ['STARTTLS'], tls }, undefined, 'deferred', 'a certificate that nobody vouches for'],
  [{ ehlo: [] }, [certificatePem], 'deferred', 'STARTTLS not offered'],
  [{ ehlo: ['STARTTLS'], starttls: '454 4.7.0 Not now' }, [certificatePem], 'deferred', 'STARTTLS refused'],
  [{ ehlo: { step: '502 No' } }, [certificatePem], 'deferred', 'HELO knows no STARTTLS'],
]
for (const [script, anchorsPem, outcome, why] of forced)
  test(`verified TLS is asked for: ${why}`, async () => {
    await using server = await startScriptedSmtp(script)
    const changes = { hopTls: () => 'verified' as const, ...(anchorsPem && { anchorsPem }) }
    const [result] = await deliver(server.port, mail({ sealed: true }), content, changes)
    assert.equal(result?.outcome, outcome, text(result))
    assert.equal(result?.hop?.verified, outcome === 'delivered' ? 'operator' : undefined)
    assert.equal(server.messages.length, outcome === 'delivered' ? 1 : 0)
  })

/** Each message has a session of its own. */
const NO_POOL = { messagesPerSessionMax: 1, idleMs: 1, idleSessionsMax: 0 }

const demanding: readonly [script: SmtpScript, anchors: readonly string[] | undefined, says: RegExp, why: string][] = [
  [{ ehlo: ['STARTTLS', 'REQUIRETLS'], tls }, [certificatePem], /^250/, 'all is there'],
  [{ ehlo: ['STARTTLS'], tls }, [certificatePem], /^550 5\.7\.30/, 'REQUIRETLS is not offered'],
  [{ ehlo: ['STARTTLS', 'REQUIRETLS'], tls }, undefined, /^550 5\.7\.10/, 'a certificate that nobody vouches for'],
  [{ ehlo: ['REQUIRETLS'] }, [certificatePem], /^550 5\.7\.10/, 'no TLS, but the word'],
  [{ ehlo: ['STARTTLS'], starttls: '454 4.7.0 Not now' }, [certificatePem], /^454 4\.7\.0/, 'TLS later, it says'],
]
for (const [script, anchorsPem, says, why] of demanding)
  test(`a sender demands TLS (RFC 8689): ${why}`, async () => {
    await using server = await startScriptedSmtp(script)
    const changes = anchorsPem && { anchorsPem }
    const [result] = await deliver(server.port, mail({ tls: 'required', sealed: true }), content, changes)
    assert.match(text(result), says)
    const mailLines = server.sessions.flat().filter((line) => line.startsWith('MAIL'))
    if (result?.outcome !== 'delivered') assert.deepEqual(mailLines, [])
    else assert.match(mailLines.join('\n'), /^MAIL FROM:.* REQUIRETLS$/)
    if (result?.outcome === 'delivered') assert.equal(result.hop?.verified, 'sender')
  })

test('a TLS session is taken up again, and a certificate that proved nothing proves nothing then', async () => {
  await using server = await startScriptedSmtp({ ehlo: ['STARTTLS'], tls })
  const sessions = recorder()
  let hopTls: 'opportunistic' | 'verified' = 'opportunistic'
  await using relay = relayTo(server.port, { events: sessions, hopTls: () => hopTls, poolLimits: NO_POOL })
  const attempt = async (): Promise<string | undefined> => (await relay.deliver(mail(), content))[0]?.outcome
  assert.deepEqual([await attempt(), await attempt(), await attempt()], ['delivered', 'delivered', 'delivered'])
  assert.deepEqual(sessions.tls, ['TLSv1.3 unverified', 'TLSv1.3 unverified resumed', 'TLSv1.3 unverified resumed'])
  hopTls = 'verified'
  assert.equal(await attempt(), 'deferred')
})

const afterFailure: readonly [sealed: boolean, clearAllowed: boolean, outcome: string, why: string][] = [
  [true, false, 'delivered', 'sealed end to end: goes on in the clear'],
  [false, false, 'deferred', 'readable: waits'],
  [false, true, 'delivered', 'readable, and the operator allows it'],
]
for (const [sealed, clearAllowed, outcome, why] of afterFailure)
  test(`the handshake fails; ${why}`, async () => {
    // offers STARTTLS and then talks on in the clear: what a broken server, or somebody on the way, does
    await using server = await startScriptedSmtp({ ehlo: ['STARTTLS'], starttls: '220 2.0.0 Go ahead' })
    const [result] = await deliver(server.port, mail({ sealed }), content, { clearAllowed })
    assert.equal(result?.outcome, outcome, text(result))
    assert.equal(server.messages.length, outcome === 'delivered' ? 1 : 0)
    assert.equal(server.sessions.length, outcome === 'delivered' ? 2 : 1)
    if (outcome === 'deferred') assert.match(text(result), /^454 4\.7\.0 No TLS/)
  })

test('STARTTLS refused in words: the opportunistic session goes on', async () => {
  await using server = await startScriptedSmtp({ ehlo: ['STARTTLS'], starttls: '454 4.7.0 Not now' })
  const [result] = await deliver(server.port)
  assert.equal(result?.outcome, 'delivered')
})

test('replies injected behind the 220 of STARTTLS count for nothing', async () => {
  const injected =
    '220 2.0.0 Go ahead\r\n250-evil\r\n250 SIZE 1\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go\r\n250 2.0.0 Queued'
  await using server = await startScriptedSmtp({ ehlo: ['STARTTLS'], starttls: injected, ehloOverTls: ALL, tls })
  const [result] = await deliver(server.port)
  assert.equal(result?.outcome, 'delivered', text(result))
  assert.equal(server.messages.length, 1, 'it is the real server that took it')
})

test('several messages share a session, up to the limit', async () => {
  await using server = await startScriptedSmtp({})
  const poolLimits = { messagesPerSessionMax: 3, idleMs: 1_000, idleSessionsMax: 5 }
  await using relay = relayTo(server.port, { poolLimits })
  for (let i = 0; i < 7; i++) assert.equal((await relay.deliver(mail(), content))[0]?.outcome, 'delivered')
  assert.deepEqual(
    server.sessions.map((lines) => lines.filter((line) => line.startsWith('MAIL')).length),
    [3, 3, 1],
  )
  assert.equal(server.sessions[0]?.at(-1), 'QUIT')
})

test('after a refusal the session is reset before it is used again', async () => {
  const rcpt = (line: string): string => (line.includes('<c@') ? '550 5.1.1 Unknown' : '250 Ok')
  for (const pipelining of [['PIPELINING'], []]) {
    await using server = await startScriptedSmtp({ rcpt, ehlo: pipelining, data: '554 5.5.1 No valid recipients' })
    await using relay = relayTo(server.port)
    assert.equal((await relay.deliver(mail({ recipients: paths(OTHER) }), content))[0]?.outcome, 'failed')
    await relay.deliver(mail(), content)
    assert.equal(server.sessions.length, 1)
    const lines = server.sessions[0] ?? []
    const second = lines.findLastIndex((line) => line.startsWith('MAIL'))
    assert.equal(lines[second - 1], 'RSET')
  }
})

test('a session that the server closed while it waited is replaced without delay to the mail', async () => {
  await using server = await startScriptedSmtp({ end: (nth) => (nth === 1 ? '250 Ok' : '250 2.0.0 Ok') })
  await using relay = relayTo(server.port)
  await relay.deliver(mail(), content)
  server.dropAll()
  await sleep(20)
  assert.equal((await relay.deliver(mail(), content))[0]?.outcome, 'delivered')
  assert.equal(server.sessions.length, 2)
})

test('a session that ends just as it is used again: the mail goes over a new one', async () => {
  let mails = 0
  await using server = await startScriptedSmtp({ mail: () => (++mails === 2 ? DROP : '250 Ok') })
  await using relay = relayTo(server.port)
  await relay.deliver(mail(), content)
  assert.equal((await relay.deliver(mail(), content))[0]?.outcome, 'delivered')
  assert.equal(mails, 3)
})

test('an idle session is ended politely', async () => {
  await using server = await startScriptedSmtp({})
  await using relay = relayTo(server.port, { poolLimits: { messagesPerSessionMax: 9, idleMs: 30, idleSessionsMax: 5 } })
  await relay.deliver(mail(), content)
  await eventually(() => assert.equal(server.sessions[0]?.at(-1), 'QUIT'))
})

test('nobody listens: put off, in our own words', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  await new Promise((resolve) => server.close(resolve))
  const [result] = await deliver(port)
  assert.equal(result?.outcome, 'deferred')
  assert.equal(result?.remote, undefined)
  assert.match(text(result), /^451 4\.4\.1 No connection to \[127\.0\.0\.1\]:\d+: ECONNREFUSED$/)
})

test('close with force breaks off what is under way', async () => {
  await using server = await startScriptedSmtp({ end: 'hang' })
  await using relay = relayTo(server.port)
  const pending = relay.deliver(mail(), content)
  await sleep(50)
  const closedMs = performance.now()
  relay.close(true)
  assert.equal((await pending)[0]?.outcome, 'deferred')
  assert.ok(performance.now() - closedMs < 20_000)
})

function recorder(): RelayEvents & { readonly tls: string[] } {
  const seen: string[] = []
  return {
    tls: seen,
    sessionOpened: ({ tls: facts }) =>
      seen.push(
        facts === undefined
          ? 'clear'
          : `${facts.protocol} ${facts.verified ? 'verified' : 'unverified'}${facts.resumed ? ' resumed' : ''}`,
      ),
    hostFailed: () => {},
  }
}
