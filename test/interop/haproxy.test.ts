/** A provider behind HAProxy, with the configuration that operators are shown: whose the connections are, and whose not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { needs } from '../support/apt.ts'
import { freePort } from '../support/free-port.ts'
import { startHaproxy } from '../support/haproxy.ts'
import { talkPop3s } from '../support/pop3-client.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { setUpFile } from '../support/set-up.ts'
import { sendMail, talkSmtp } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
const PASSWORD = 'correct horse battery'
const PORTS = { mx: 25, submission: 587, submissions: 465, pop3: 110, pop3s: 995 } as const
type Name = keyof typeof PORTS
const NAMES = Object.keys(PORTS) as Name[]
const MESSAGE = 'From: u-suzuki@abc.example\r\nTo: t-azuma@here.example\r\nMessage-ID: <1@abc.example>\r\n\r\nhello\r\n'
const V2_LOCAL = '\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00'
const CONNECTIONS_MAX = 8

describe('behind HAProxy', needs('haproxy', 'haproxy'), () => {
  let provider: Provider
  before(async () => {
    provider = await makeProvider({
      domains: ['here.example'],
      config: {
        listeners: Object.fromEntries(NAMES.map((name) => [name, { proxyProtocol: ['127.0.0.1/32'] }])),
        authentication: { inbound: false },
        // health checks come from the balancer itself
        limits: { rateExemptNetworks: ['127.0.0.1/32'], perMinute: { connectionsPerAddress: CONNECTIONS_MAX } },
      },
    })
    await provider.cli(['user', 'add', USER, '--password-stdin'], PASSWORD)
    await provider.start()
  })
  after(() => provider?.[Symbol.asyncDispose]())

  for (const [version, client] of [
    ['send-proxy-v2', '127.0.0.2'],
    ['send-proxy', '127.0.0.3'],
  ] as const)
    test(`the client is who connected to the balancer (${version})`, async () => {
      await using balancer = await balance(provider, version)
      await using mx = await talkSmtp(balancer.ports.mx, { from: client })
      await mx.say('EHLO client.example')
      assert.match(await sendMail(mx, 'u-suzuki@abc.example', { to: [USER], message: MESSAGE }), /^250/)
      await using submissions = await talkSmtp(balancer.ports.submissions, { from: client, tls: true })
      await submissions.say('EHLO client.example')
      const plain = Buffer.from(`\0${USER}\0${PASSWORD}`).toString('base64')
      assert.match(await submissions.say(`AUTH PLAIN ${plain}`), /^235/)
      await using pop3s = await talkPop3s(balancer.ports.pop3s, client)
      await pop3s.say(`USER ${USER}`)
      assert.match((await pop3s.say(`PASS ${PASSWORD}`)).toString(), /^\+OK/)
      const mail = (await pop3s.say('RETR 1', true)).toString()
      await pop3s.say('DELE 1')
      await pop3s.say('QUIT')
      assert.match(mail, new RegExp(`^Received: from client\\.example \\(\\[${client}\\]\\)`, 'm'))
      const from =
        (by: string) =>
        ({ by: each, peerAddress }: Readonly<Record<string, unknown>>) =>
          each === by && peerAddress === client
      await provider.event('message-received', from('mx'))
      await provider.event('login-succeeded', from('submission'))
      await provider.event('login-succeeded', from('pop3'))
    })

  test('rates count the client, not the balancer', async () => {
    await using balancer = await balance(provider, 'send-proxy-v2')
    const greetings: string[] = []
    for (let count = 0; count <= CONNECTIONS_MAX; count++) {
      await using talk = await talkSmtp(balancer.ports.mx, { from: '127.0.0.4' })
      greetings.push((talk.transcript[0] ?? '').slice(2, 5))
    }
    assert.deepEqual(greetings, [...Array<string>(CONNECTIONS_MAX).fill('220'), '421'])
    await using other = await talkSmtp(balancer.ports.submission, { from: '127.0.0.5' })
    assert.match(other.transcript[0] ?? '', /^< 220/)
  })

  for (const name of NAMES) {
    test(`${name}: from a balancer's address nothing but a PROXY header is taken`, async () => {
      assert.equal(await said(provider, name, '127.0.0.1', 'EHLO client.example\r\n'), '')
      assert.equal(await said(provider, name, '127.0.0.1', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n'), '')
    })
    test(`${name}: from elsewhere no PROXY header is taken`, async () => {
      for (const header of ['PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n', V2_LOCAL]) {
        const answer = await said(provider, name, '127.0.0.6', `${header}QUIT\r\n`)
        assert.doesNotMatch(answer, /^(?:250|221)|^\+OK.*\r\n\+OK/, 'nothing that follows is a command')
      }
      const claimed = provider.log.filter(({ peerAddress }) => peerAddress === '192.0.2.1')
      assert.deepEqual(claimed, [])
    })
  }

  test('what is no PROXY header is said in the log', async () => {
    const refused = await provider.event('refused', ({ reply }) => String(reply).startsWith('no PROXY header'))
    assert.equal(refused['peerAddress'], '127.0.0.1')
  })
})

/** What the server says to these bytes until it, or we after a moment of silence, close. */
async function said(provider: Provider, name: Name, from: string, bytes: string): Promise<string> {
  const socket = connect({ port: provider.ports[name], host: '127.0.0.1', localAddress: from })
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1'))).on('error', () => undefined)
  socket.end(Buffer.from(bytes, 'latin1'))
  await once(socket, 'close')
  return answer
}

interface Balancer extends AsyncDisposable {
  readonly ports: Readonly<Record<Name, number>>
}

/** The two nodes of the documented set-up are one here. */
async function balance(provider: Provider, version: string): Promise<Balancer> {
  const ports: Partial<Record<Name, number>> = {}
  const changes: Record<string, string> = { 'default-server send-proxy-v2': `default-server ${version}` }
  for (const name of NAMES) {
    const port = await freePort()
    ports[name] = port
    changes[`bind :${PORTS[name]}\n`] = `bind 127.0.0.1:${port}\n`
    for (const node of ['192.0.2.11', '192.0.2.12'])
      changes[`${node}:${PORTS[name]}\n`] = `127.0.0.1:${provider.ports[name]}\n`
  }
  const haproxy = await startHaproxy(setUpFile('haproxy.cfg', changes), ports.mx as number)
  return { ports: ports as Balancer['ports'], [Symbol.asyncDispose]: () => haproxy[Symbol.asyncDispose]() }
}
