/** SIGHUP: certificates and configuration are taken over while sessions go on; what is wrong in them changes nothing. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { parse, stringify } from 'yaml'
import { fetchAll, talkPop3s } from '../support/pop3-client.ts'
import { type Event, type ListenerName, type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedSmtp, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { sendUnauthenticated, submit, talkSmtp } from '../support/smtp-client.ts'
import { until } from './victim.ts'

const USER = 'u-suzuki@abc.com'
const ABROAD = 'x@elsewhere.example'
const MESSAGE = `From: ${USER}\r\nTo: ${ABROAD}\r\nSubject: x\r\n\r\nhello\r\n`
const STARTTLS: Readonly<Record<Exclude<ListenerName, 'http'>, readonly string[]>> = {
  mx: ['EHLO x.example', 'STARTTLS'],
  submission: ['EHLO x.example', 'STARTTLS'],
  submissions: [],
  pop3: ['STLS'],
  pop3s: [],
}
const LISTENERS = Object.keys(STARTTLS) as (keyof typeof STARTTLS)[]

let provider: Provider
let password: string
/** Two next hops for the same foreign domain. */
let hops: readonly [ScriptedSmtp, ScriptedSmtp]
/** The files as `init` wrote them, and another pair. */
let first: Pair
let second: Pair
let configText: string

interface Pair {
  readonly cert: string
  readonly key: string
}

before(async () => {
  hops = [await startScriptedSmtp({}), await startScriptedSmtp({})]
  const routes = { 'elsewhere.example': `127.0.0.1:${hops[0].port}` }
  const makeOne = () => makeProvider({ domains: ['abc.com'], config: { relay: { routes } } })
  await using other = await makeOne()
  second = await pairOf(other)
  provider = await makeOne()
  first = await pairOf(provider)
  configText = await readFile(provider.configFile, 'utf8')
  password = String((await provider.cli(['user', 'add', USER]))[0]?.['password'])
  await provider.start()
})

after(async () => {
  await provider?.[Symbol.asyncDispose]()
  await Promise.all((hops ?? []).map((hop) => hop.close()))
})

beforeEach(async () => {
  await writeFile(provider.configFile, configText)
  await writePair(first)
  await hangUp('reloaded')
})

test('new certificates are shown to new sessions on every listener, and no session is dropped', async () => {
  await using sending = await talkSmtp(provider.ports.mx)
  for (const line of ['EHLO x.example', 'STARTTLS']) await sending.say(line)
  await sending.startTls()
  for (const line of ['EHLO x.example', 'MAIL FROM:<x@x.example>', `RCPT TO:<${USER}>`, 'DATA'])
    assert.match(await sending.say(line), /^[23]5/)
  await using reading = await talkPop3s(provider.ports.pop3s)
  for (const line of [`USER ${USER}`, `PASS ${password}`]) assert.match((await reading.say(line)).toString(), /^\+OK/)

  await writePair(second)
  const reloaded = await hangUp('reloaded')
  assert.deepEqual([reloaded['changed'], reloaded['afterRestart']], [[], []])
  for (const name of LISTENERS) assert.equal(await shownBy(name), fingerprint(second), name)

  assert.match(await sending.say(Buffer.from('Subject: x\r\n\r\nhello\r\n.\r\n')), /^250/)
  assert.match((await reading.say('NOOP')).toString(), /^\+OK/)
  assert.match((await reading.say('QUIT')).toString(), /^\+OK/)
})

test('a certificate under another name is taken over with the setting that names it', async () => {
  const home = dirname(provider.configFile)
  await writeFile(join(home, 'new.pem'), second.cert)
  await writeFile(join(home, 'new-key.pem'), second.key)
  await provider.configure({ tls: { certificate: 'new.pem', key: 'new-key.pem' } })
  assert.deepEqual((await hangUp('reloaded'))['changed'], ['tls'])
  for (const name of LISTENERS) assert.equal(await shownBy(name), fingerprint(second), name)
})

for (const [why, pair] of [
  ['a key of another certificate', () => ({ cert: second.cert, key: first.key })],
  ['no certificate', () => ({ cert: 'nothing', key: second.key })],
  ['an empty key', () => ({ cert: second.cert, key: '' })],
  ['two empty files', () => ({ cert: '', key: '' })],
] as const)
  test(`${why} changes nothing, neither certificates nor policy, and is said`, async () => {
    await writePair(pair())
    await provider.configure({ policy: { noKey: 'require' } })
    const trouble = await hangUp('trouble')
    assert.equal(trouble['during'], 'reload')
    for (const name of LISTENERS) assert.equal(await shownBy(name), fingerprint(first), name)
    assert.match((await send()).reply, /^250/)
  })

for (const [why, text] of [
  ['no YAML', () => `${configText}\n  - [`],
  ['a setting that does not exist', () => `${configText}\nnoSuchThing: 1\n`],
  ['a value that is none', () => stringify({ ...(parse(configText) as object), policy: { noKey: 'perhaps' } })],
  ['an empty file', () => ''],
] as const)
  test(`a configuration with ${why} changes nothing, and is said`, async () => {
    await writeFile(provider.configFile, text())
    await writePair(second)
    const trouble = await hangUp('trouble')
    assert.equal(trouble['during'], 'reload')
    assert.equal(await shownBy('submissions'), fingerprint(first))
    assert.match((await send()).reply, /^250/)
  })

test('a missing file changes nothing, and the next SIGHUP is heard', async () => {
  await provider.configure({ tls: { certificate: 'gone.pem' } })
  assert.match(JSON.stringify(await hangUp('trouble')), /gone\.pem/)
  await writeFile(provider.configFile, configText)
  await hangUp('reloaded')
})

test('policy: what is required from now on is refused at once, and allowed again after the next reload', async () => {
  assert.match((await send()).reply, /^250/)
  await provider.configure({ policy: { perDomain: { 'elsewhere.example': { noKey: 'require' } } } })
  assert.deepEqual((await hangUp('reloaded'))['changed'], ['policy'])
  assert.match((await send()).reply, /^554 5\.7\.5/)
  await writeFile(provider.configFile, configText)
  await hangUp('reloaded')
  assert.match((await send()).reply, /^250/)
})

test('policy, inbound: a session that is open when it changes obeys it with its next mail', async () => {
  await using talk = await talkSmtp(provider.ports.mx)
  await talk.say('EHLO x.example')
  const offer = async (): Promise<string> => {
    for (const line of ['MAIL FROM:<x@x.example>', `RCPT TO:<${USER}>`, 'DATA']) await talk.say(line)
    return talk.say(Buffer.from('From: x@x.example\r\nSubject: x\r\n\r\nhello\r\n.\r\n'))
  }
  assert.match(await offer(), /^250/)
  await provider.configure({ policy: { onUnprotected: 'refuse' } })
  await hangUp('reloaded')
  assert.match(await offer(), /^550 5\.7\.1/)
})

test('routes: mail goes to the new next hop', async () => {
  const before = hops[1].messages.length
  await provider.configure({ relay: { routes: { 'elsewhere.example': `127.0.0.1:${hops[1].port}` } } })
  assert.deepEqual((await hangUp('reloaded'))['changed'], ['relay'])
  assert.match((await send()).reply, /^250/)
  await until('the new next hop has it', async () => hops[1].messages.length === before + 1)
})

test('what counts from the next start only is named, and does not count before', async () => {
  await provider.configure({
    protection: { threads: 1 },
    domains: ['abc.com', 'new.example'],
    peers: ['x.example'],
  })
  const reloaded = await hangUp('reloaded')
  assert.deepEqual(reloaded['changed'], ['peers'])
  assert.deepEqual((reloaded['afterRestart'] as string[]).toSorted(), ['domains', 'protection'])
  const mail = { to: ['u@new.example'], message: 'Subject: x\r\n\r\nhello\r\n' }
  assert.match(await sendUnauthenticated(provider.ports.mx, 'x@x.example', mail), /^550/)
})

test('limits: new sessions have the new ones, a message on its way in ends under the old ones', async () => {
  const large = Buffer.from(`From: x@x.example\r\nSubject: x\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(100_000, 'y\r\n'))
  await using early = await talkSmtp(provider.ports.mx)
  for (const line of ['EHLO x.example', 'MAIL FROM:<x@x.example>', `RCPT TO:<${USER}>`, 'DATA'])
    assert.match(await early.say(line), /^[23]5/)
  await early.write(large.subarray(0, 50_000))
  await provider.configure({ limits: { messageSizeMaxBytes: 70_000 }, queue: { runningMax: 3 } })
  assert.deepEqual(((await hangUp('reloaded'))['changed'] as string[]).toSorted(), ['limits', 'queue'])
  await early.write(large.subarray(50_000))
  assert.match(await early.say(Buffer.from('\r\n.\r\n')), /^250/)
  await using late = await talkSmtp(provider.ports.mx)
  assert.match(await late.say('EHLO x.example'), /SIZE 70000/)
  assert.match(await late.say('MAIL FROM:<x@x.example> SIZE=70001'), /^552/)
})

test('the level of the log', async () => {
  const withLevel = stringify({ ...(parse(configText) as object), log: { level: 'warn' } })
  await writeFile(provider.configFile, withLevel)
  assert.deepEqual((await hangUp('reloaded'))['changed'], ['log'])
  const from = provider.log.length
  assert.match((await send()).reply, /^250/)
  await writeFile(provider.configFile, 'nonsense')
  await hangUp('trouble')
  const said = provider.log.slice(from).map(({ event }) => event)
  assert(!said.includes('login-succeeded') && said.includes('trouble'), said.join(' '))
  await writeFile(provider.configFile, configText)
  provider.process?.kill('SIGHUP')
  await until('it is as before', async () => {
    assert.match((await send()).reply, /^250/)
    return provider.log.slice(from).some(({ event }) => event === 'login-succeeded')
  })
})

test('under load: six senders, a dozen reloads with other certificates and limits, and no session is dropped', async () => {
  const before = (await mailsOfUser()).length
  const load = new AbortController()
  const answers: string[] = []
  const sendOn = async (): Promise<void> => {
    await using talk = await talkSmtp(provider.ports.mx)
    for (const line of ['EHLO x.example', 'STARTTLS']) await talk.say(line)
    await talk.startTls()
    await talk.say('EHLO x.example')
    while (!load.signal.aborted) {
      for (const line of ['MAIL FROM:<x@x.example>', `RCPT TO:<${USER}>`, 'DATA']) await talk.say(line)
      answers.push(await talk.say(Buffer.from('From: x@x.example\r\nSubject: x\r\n\r\nhello\r\n.\r\n')))
    }
  }
  const senders = Promise.all(Array.from({ length: 6 }, sendOn))
  for (let round = 1; round <= 12; round++) {
    await writePair(round % 2 === 0 ? first : second)
    await provider.configure({ limits: { recipientsMax: 100 + round }, queue: { runningMax: 10 + round } })
    await hangUp('reloaded')
    assert.equal(await shownBy('mx'), fingerprint(round % 2 === 0 ? first : second))
  }
  load.abort()
  await senders
  assert(answers.length >= 12 && answers.every((answer) => answer.startsWith('250')), answers.join('\n'))
  assert.equal((await mailsOfUser()).length, before + answers.length)
})

test('many SIGHUPs at once: in the end the last file is in force', async () => {
  for (let round = 1; round <= 10; round++) {
    await provider.configure({ policy: { noKey: round % 2 ? 'require' : 'prefer' } })
    provider.process?.kill('SIGHUP')
  }
  await provider.configure({ policy: { noKey: 'require' } })
  await hangUp('reloaded')
  await until('it is in force', async () => (await send()).reply.startsWith('554'))
  assert.equal(await provider.stop(), 0)
  await provider.start()
})

const mailsOfUser = () => fetchAll(provider.ports.pop3s, USER, password)
const send = () => submit({ port: provider.ports.submission, user: USER, password, to: [ABROAD], message: MESSAGE })

/** Sends SIGHUP and waits for what the server says to it. */
async function hangUp(said: 'reloaded' | 'trouble'): Promise<Event> {
  const from = provider.log.length
  provider.process?.kill('SIGHUP')
  await until(said, async () =>
    provider.log.slice(from).some(({ event }) => event === 'reloaded' || event === 'trouble'),
  )
  const event = provider.log.slice(from).find((one) => one.event === 'reloaded' || one.event === 'trouble')
  assert(event?.event === said, JSON.stringify(event))
  return event
}

const pathsOf = (one: Provider): { readonly cert: string; readonly key: string } => {
  const home = dirname(one.configFile)
  return { cert: join(home, 'tls-certificate.pem'), key: join(home, 'tls-key.pem') }
}

async function pairOf(one: Provider): Promise<Pair> {
  const { cert, key } = pathsOf(one)
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
}

async function writePair({ cert, key }: Pair): Promise<void> {
  const paths = pathsOf(provider)
  await writeFile(paths.cert, cert)
  await writeFile(paths.key, key)
}

const fingerprint = ({ cert }: Pair): string => new X509Certificate(cert).fingerprint256

/** Fingerprint of the certificate that a listener shows to a new session. */
async function shownBy(name: (typeof LISTENERS)[number]): Promise<string> {
  const port = provider.ports[name]
  const options = { host: '127.0.0.1', port, rejectUnauthorized: false }
  const socket = STARTTLS[name].length === 0 ? connectTls(options) : await upgraded(port, STARTTLS[name])
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return socket.getPeerX509Certificate()?.fingerprint256 ?? 'none'
  } finally {
    socket.destroy()
  }
}

/** After the greeting, says the lines one by one, then begins TLS. */
async function upgraded(port: number, lines: readonly string[]): Promise<TLSSocket> {
  const plain = connectTcp(port, '127.0.0.1')
  const said = async (): Promise<void> => {
    let text = ''
    while (!/^(?:\d{3} |\+OK).*\r\n/m.test(text)) {
      text += String(await new Promise((resolve, reject) => plain.once('data', resolve).once('error', reject)))
    }
  }
  await said()
  for (const line of lines) {
    plain.write(`${line}\r\n`)
    await said()
  }
  plain.removeAllListeners()
  return connectTls({ socket: plain, rejectUnauthorized: false })
}
