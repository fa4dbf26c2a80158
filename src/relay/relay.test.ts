import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  address,
  BODY,
  deliver,
  mail,
  OTHER,
  paths,
  pieces,
  QUICK,
  relayTo,
  text,
  THIRD,
  TO,
} from '../../test/support/relay-bench.ts'
import { createTlsCertificate } from '../keys/certificate-authority.ts'
import type { RelayDeps } from './relay.ts'
import { RELAY_TIMEOUTS } from './timeouts.ts'
import { DROP, HALF_CLOSE, HANG, RESET, startScriptedSmtp, type SmtpScript } from '../../test/support/scripted-smtp.ts'

const one: readonly [what: string, script: SmtpScript, outcome: string, says: RegExp, why: string][] = [
  ['accepts', {}, 'delivered', /^250 2\.0\.0 Queued/, 'the ordinary way'],
  ['no pipelining', { ehlo: [] }, 'delivered', /^250/, 'one command at a time'],
  ['HELO only', { ehlo: { step: '502 5.5.1 No' } }, 'delivered', /^250/, 'RFC 5321 §3.2: fall back to HELO'],
  [
    'greeting 554',
    { greeting: '554 5.3.2 Go away' },
    'deferred',
    /^554 5\.3\.2/,
    'another day it may be in a better mood',
  ],
  ['greeting 421', { greeting: '421 4.3.2 Busy' }, 'deferred', /^421/, 'temporary'],
  ['greeting 521', { greeting: '521 5.3.2 No mail ever' }, 'failed', /^521/, 'RFC 7504: takes no mail'],
  ['greeting is no SMTP', { greeting: 'HTTP/1.1 200 OK' }, 'deferred', /^451 4\.4\.2/, 'not a mail server today'],
  ['greeting drop', { greeting: DROP }, 'deferred', /^451 4\.4\.2/, 'closed at once'],
  ['greeting hang', { greeting: HANG }, 'deferred', /^451 4\.4\.2/, 'RFC 5321 §4.5.3.2.1'],
  ['EHLO drop', { ehlo: { step: DROP } }, 'deferred', /^451 4\.4\.2/, 'closed in EHLO'],
  ['EHLO hang', { ehlo: { step: HANG } }, 'deferred', /^451 4\.4\.2/, 'silent in EHLO'],
  ['MAIL 451', { mail: '451 4.3.0 Later' }, 'deferred', /^451 4\.3\.0 Later/, 'temporary'],
  ['MAIL 550', { mail: '550 5.7.1 Not you' }, 'failed', /^550 5\.7\.1 Not you/, 'permanent'],
  ['MAIL 503', { mail: '503 5.5.1 Sequence' }, 'deferred', /^503/, 'about the session, not about the message'],
  ['MAIL drop', { mail: DROP }, 'deferred', /^451 4\.4\.2/, 'closed'],
  ['MAIL hang', { mail: HANG }, 'deferred', /^451 4\.4\.2/, 'silent'],
  ['RCPT 450', { rcpt: '450 4.2.1 Grey' }, 'deferred', /^450 4\.2\.1/, 'greylisting'],
  ['RCPT 550', { rcpt: '550 5.1.1 Unknown' }, 'failed', /^550 5\.1\.1/, 'unknown user'],
  ['RCPT 552', { rcpt: '552 Too many' }, 'deferred', /^552/, 'RFC 5321 §4.5.3.1.10: read as 452'],
  ['RCPT 552 5.2.2', { rcpt: '552 5.2.2 Full' }, 'failed', /^552 5\.2\.2/, 'that is about the mailbox'],
  ['RCPT drop', { rcpt: DROP }, 'deferred', /^451 4\.4\.2/, 'closed'],
  ['RCPT hang', { rcpt: HANG }, 'deferred', /^451 4\.4\.2/, 'silent'],
  ['DATA 451', { data: '451 4.3.0 Later' }, 'deferred', /^451 4\.3\.0/, 'temporary'],
  ['DATA 554', { data: '554 5.7.1 No' }, 'failed', /^554 5\.7\.1/, 'permanent'],
  ['DATA drop', { data: DROP }, 'deferred', /^451 4\.4\.2/, 'closed'],
  ['DATA hang', { data: HANG }, 'deferred', /^451 4\.4\.2/, 'silent'],
  ['mid-data drop', { midData: DROP }, 'deferred', /^451 4\.4\.2/, 'closed in the data'],
  ['end 452', { end: '452 4.3.1 Disk full' }, 'deferred', /^452 4\.3\.1/, 'temporary'],
  ['end 550', { end: '550 5.7.7 Tampered' }, 'failed', /^550 5\.7\.7/, 'permanent'],
  ['end drop', { end: DROP }, 'deferred', /^451 4\.4\.2/, 'RFC 1047: it may have it, it may not'],
  ['end hang', { end: HANG }, 'deferred', /^451 4\.4\.2/, 'RFC 5321 §4.5.3.2.6'],
  ['end 354', { end: '354 more?' }, 'deferred', /^451 4\.4\.2/, 'a reply that fits nothing'],
  ['wrong class', { end: '550 2.0.0 Both' }, 'failed', /^550 2?/, 'RFC 2034 §4: the enhanced code is dropped'],
  [
    'SIZE',
    { ehlo: ['PIPELINING', 'SIZE 10'] },
    'failed',
    /^552 5\.3\.4 The message has 21 bytes, .* takes 10$/,
    'RFC 1870',
  ],
]
for (const [what, script, outcome, says, why] of one)
  test(`${what}: ${why}`, async () => {
    await using server = await startScriptedSmtp(script)
    const timeouts = Object.values(script).includes(HANG) || what === 'EHLO hang' ? QUICK : RELAY_TIMEOUTS
    const [result] = await deliver(server.port, mail(), undefined, { timeouts })
    assert.equal(result?.outcome, outcome)
    assert.match(text(result), says)
    if (outcome === 'delivered') assert.deepEqual(result?.hop, { address: '127.0.0.1', tls: 'none', verified: 'none' })
  })

test('what is sent is what crosses the wire, dots stuffed, CRLF kept', async () => {
  await using server = await startScriptedSmtp({})
  const body = '.first\r\n..two\r\nx.\r\n.\r\n\r\n.\r\nlast\r\n'
  for (const cut of [1, 2, 3, 7, 100]) {
    const [result] = await deliver(server.port, mail({ sizeBytes: body.length }), () => pieces(body, cut))
    assert.equal(result?.outcome, 'delivered')
    const wire = server.messages.at(-1)?.toString('latin1') ?? ''
    assert.equal(wire.replaceAll(/^\./gm, ''), body, `in pieces of ${cut}`)
  }
})

const broken: readonly [body: string, why: string][] = [
  ['a\nb\r\n', 'bare LF'],
  ['a\rb\r\n', 'bare CR'],
  ['\na\r\n', 'LF at the start'],
  ['a\r\n\r', 'CR at the end'],
  ['a\r\n.\n.\r\nMAIL FROM:<x@y>\r\n', 'smuggling'],
]
for (const [body, why] of broken)
  test(`a message with a bare line end is returned, not repaired: ${why}`, async () => {
    for (const cut of [1, 2, 100]) {
      await using server = await startScriptedSmtp({})
      const [result] = await deliver(server.port, mail(), () => pieces(body, cut))
      assert.match(text(result), /^554 5\.6\.0 The message has a bare CR or LF/)
      assert.equal(result?.outcome, 'failed')
      assert.equal(server.messages.length, 0)
    }
  })

test('each recipient has its own fate', async () => {
  const rcpt = (line: string): string =>
    line.includes('<b@') ? '250 2.1.5 Ok' : line.includes('<c@') ? '550 5.1.1 Unknown' : '450 4.2.1 Grey'
  await using server = await startScriptedSmtp({ rcpt })
  const results = await deliver(server.port, mail({ recipients: paths(TO, OTHER, THIRD) }))
  assert.deepEqual(
    results.map((result) => [result.recipient, result.outcome]),
    [
      [TO, 'delivered'],
      [OTHER, 'failed'],
      [THIRD, 'deferred'],
    ],
  )
})

test('a recipient refused before the connection broke stays refused', async () => {
  const rcpt = (line: string): string => (line.includes('<c@') ? '550 5.1.1 Unknown' : '250 Ok')
  await using server = await startScriptedSmtp({ rcpt, end: DROP })
  const results = await deliver(server.port, mail({ recipients: paths(TO, OTHER) }))
  assert.deepEqual(
    results.map((result) => result.outcome),
    ['deferred', 'failed'],
  )
})

test('too many recipients for one transaction: the others follow at once on the same session', async () => {
  const rcpt = (_line: string, nth: number): string => (nth > 2 ? '452 4.5.3 Too many' : '250 Ok')
  await using server = await startScriptedSmtp({ rcpt })
  const all = Array.from({ length: 5 }, (_, i) => address(`u${i}@b.example`))
  const results = await deliver(server.port, mail({ recipients: paths(...all) }))
  assert.ok(results.every((result) => result.outcome === 'delivered'))
  assert.equal(results.length, 5)
  assert.equal(server.messages.length, 3)
  assert.equal(server.sessions.length, 1)
})

test('a server that always says too many gets no endless loop', async () => {
  await using server = await startScriptedSmtp({ rcpt: '452 4.5.3 Too many' })
  const results = await deliver(server.port, mail({ recipients: paths(TO, OTHER) }))
  assert.ok(results.every((result) => result.outcome === 'deferred'))
})

test('success told before the end of the data is not believed', async () => {
  await using server = await startScriptedSmtp({ midData: '250 2.0.0 Got it all' })
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 2000; i++) {
      yield Buffer.from(`${'x'.repeat(998)}\r\n`)
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const [result] = await deliver(server.port, mail(), endless)
  assert.equal(result?.outcome, 'deferred')
})

test('content that is still being read after the verdict leaves no timer behind', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  await using server = await startScriptedSmtp({ midData: '552 5.3.4 Too large' })
  const before = timers()
  const gate = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from('x\r\n')
      await gate.promise
      yield Buffer.from('y\r\n')
    } finally {
      ended.resolve()
    }
  }
  {
    await using relay = relayTo(server.port)
    assert.equal((await relay.deliver(mail(), slow))[0]?.outcome, 'failed')
    gate.resolve()
    await ended.promise
  }
  for (let i = 0; i < 100 && timers() > before; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(timers() <= before, `${timers()} timers, ${before} before`)
})

test('a refusal in the middle of the data counts, and the session is not used again', async () => {
  await using server = await startScriptedSmtp({ midData: '552 5.3.4 Too large' })
  await using relay = relayTo(server.port)
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 50; i++) {
      yield Buffer.from('x\r\n')
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const [result] = await relay.deliver(mail(), slow)
  assert.equal(result?.outcome, 'failed')
  assert.match(text(result), /^552 5\.3\.4/)
  await relay.deliver(mail(), slow)
  assert.equal(server.sessions.length, 2)
})

test('endless replies end the session and are kept short', async () => {
  for (const reply of [
    'x'.repeat(1 << 20),
    `550-${'y'.repeat(1 << 20)}\r\n550 z`,
    Array.from({ length: 20_000 }, () => `550-${'z'.repeat(50)}`).join('\r\n'),
  ]) {
    await using server = await startScriptedSmtp({ mail: reply })
    const [result] = await deliver(server.port)
    assert.equal(result?.outcome, 'deferred')
    assert.ok(text(result).length < 1_200)
  }
  await using server = await startScriptedSmtp({ mail: `550 5.1.0 ${'y'.repeat(12_000)}` })
  const [result] = await deliver(server.port)
  assert.ok(text(result).length < 1_200)
})

test('a drip of reply lines is cut off', async () => {
  let drip: NodeJS.Timeout | undefined
  const server = createServer((socket) => {
    socket.write('220 x\r\n')
    socket.once('data', () => {
      drip = setInterval(() => socket.write('250-x\r\n'), 20)
    })
    socket.on('error', () => {})
    socket.on('close', () => clearInterval(drip))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const [result] = await deliver(port, mail(), undefined, { timeouts: QUICK })
  server.close()
  assert.equal(result?.outcome, 'deferred')
  assert.match(text(result), /^451 4\.4\.2 No session .* Timeout/)
})

test('control characters of a reply do not come through', async () => {
  await using server = await startScriptedSmtp({ end: '550 5.7.1 a\x00b\x1b[31m\u00fc\u007f' })
  const [result] = await deliver(server.port)
  assert.match(text(result), /^550 5\.7\.1 [\x20-\x7e]+$/)
})

test('content that cannot be read is our trouble: it throws, and nothing is accepted', async () => {
  await using server = await startScriptedSmtp({})
  await using relay = relayTo(server.port)
  const damaged = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('Subject: x\r\n')
    await Promise.resolve()
    throw new Error('damaged')
  }
  await assert.rejects(() => relay.deliver(mail(), damaged), /damaged/)
  assert.equal(server.messages.length, 0)
})

/** Mail for b.example goes to these, in this order, at one port. */
const hosts = (addresses: Readonly<Record<string, readonly string[]>>): Pick<RelayDeps, 'routes' | 'resolver'> => ({
  routes: new Map(),
  resolver: {
    mailHosts: () =>
      Promise.resolve({ kind: 'hosts', names: Object.keys(addresses).map((each) => [each]), secure: true }),
    addresses: (host) => Promise.resolve({ kind: 'addresses', addresses: addresses[host] ?? [], secure: false }),
    nextHopAddresses: () => Promise.reject(new Error('no route')),
    tlsaRecords: () => Promise.resolve({ kind: 'none', secure: false }),
  },
})

test('an address that was silent a moment ago is tried after the others', async () => {
  await using server = await startScriptedSmtp({})
  const failed: string[] = []
  const events = { sessionOpened: () => {}, hostFailed: ({ address: at }: { address: string }) => void failed.push(at) }
  const poolLimits = { messagesPerSessionMax: 1, idleMs: 1, idleSessionsMax: 0 }
  const way = hosts({ one: ['127.0.0.2'], two: ['127.0.0.3', '127.0.0.1'] })
  await using relay = relayTo(server.port, { ...way, mxPort: server.port, events, poolLimits })
  for (let nth = 0; nth < 3; nth++) {
    const [result] = await relay.deliver(mail(), () => pieces(BODY, 1000))
    assert.equal(result?.outcome, 'delivered', text(result))
  }
  assert.deepEqual(failed, ['127.0.0.2', '127.0.0.3'])
  await server.close()
  await relay.deliver(mail(), () => pieces(BODY, 1000))
  assert.deepEqual(failed.slice(2), ['127.0.0.1', '127.0.0.2', '127.0.0.3'], 'nothing else is left')
})

test('a sender demands TLS (RFC 8689): a host that cannot leaves the next one to be asked', async () => {
  const { certificatePem, keyPem } = await createTlsCertificate({ hosts: ['one', 'two'], nowMs: Date.now() })
  const tls = { cert: certificatePem, key: keyPem }
  await using unable = await startScriptedSmtp({ ehlo: ['STARTTLS'], tls })
  await using able = await startScriptedSmtp(
    { ehlo: ['STARTTLS', 'REQUIRETLS'], tls },
    { host: '127.0.0.2', port: unable.port },
  )
  const way = hosts({ one: ['127.0.0.1'], two: ['127.0.0.2'] })
  const changes = { ...way, mxPort: unable.port, anchorsPem: [certificatePem] }
  const [result] = await deliver(unable.port, mail({ tls: 'required' }), () => pieces(BODY, 1000), changes)
  assert.equal(result?.outcome, 'delivered', text(result))
  assert.deepEqual([unable.messages.length, able.messages.length], [0, 1])
})

for (const rset of [HANG, DROP, RESET, HALF_CLOSE, '421 4.3.2 Enough', '500 5.5.1 What?', 'nonsense'])
  test(`RSET is answered "${rset}": the next message has a session of its own`, async () => {
    let sessions = 0
    await using server = await startScriptedSmtp({
      rset,
      ehlo: ['8BITMIME'],
      mail: () => ((sessions = server.sessions.length), '250 2.1.0 Ok'),
      rcpt: () => (sessions === 1 ? '550 5.1.1 Who?' : '250 2.1.5 Ok'),
    })
    await using relay = relayTo(server.port, { timeouts: { ...RELAY_TIMEOUTS, farewellMs: 100 } })
    const attempt = async (): Promise<string> => text((await relay.deliver(mail(), () => pieces(BODY, 1000)))[0])
    assert.match(await attempt(), /^550 5\.1\.1/)
    assert.match(await attempt(), /^250/)
    assert.deepEqual([server.sessions.length, server.messages.length], [2, 1])
  })
