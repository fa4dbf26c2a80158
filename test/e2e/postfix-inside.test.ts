/** Sealpost at the border, a real Postfix inside that has the mailboxes: mail goes in by SMTP, and out through us as its smarthost. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { testTls } from '../support/pop3-server.ts'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { needsPostfix, type Postfix, startPostfix } from '../support/postfix.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { startScriptedDns } from '../support/scripted-dns.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
/** Known to us, and not to the mail server inside. */
const GONE = 'gone@here.example'
const OTHER = 'u-suzuki@b.example'
const PASSWORD = 'correct horse battery'

const mail = (from: string, to: string, text: string): string =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: Plan\r\nMessage-ID: <${text}@x.example>\r\n\r\nsecret ${text} \r\n.dots\r\n`

describe('Postfix inside', needsPostfix(), () => {
  let here: Provider
  let abroad: Provider
  let inside: Postfix

  before(async () => {
    here = await makeProvider({ domains: ['here.example'], config: { authentication: { inbound: false } } })
    abroad = await makeProvider({ domains: ['b.example'], config: { authentication: { inbound: false } } })
    const { certificatePem, keyPem } = testTls('postfix')
    inside = await startPostfix({
      users: [],
      messageSizeMaxBytes: 2 ** 20,
      tls: { certificatePem, keyPem },
      settings: {
        virtual_mailbox_domains: 'here.example',
        virtual_mailbox_maps: `inline:{ {${USER}=t-azuma/} }`,
        mynetworks: '127.0.0.1/32',
        smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination',
        relayhost: `[127.0.0.1]:${here.ports.submission}`,
      },
    })
    await here.configure({
      mailboxes: { smtp: `127.0.0.1:${inside.port}` },
      submission: { trustedNetworks: ['127.0.0.1/32'] },
      relay: { routes: { 'b.example': `127.0.0.1:${abroad.ports.mx}` } },
      peers: ['b.example'],
    })
    await abroad.configure({
      relay: { routes: { 'here.example': `127.0.0.1:${here.ports.mx}` } },
      peers: ['here.example'],
    })
    for (const [provider, addresses] of [
      [here, [USER, GONE]],
      [abroad, [OTHER]],
    ] as const)
      for (const address of addresses) await provider.cli(['user', 'add', address, '--password-stdin'], PASSWORD)
    for (const [from, to, addresses] of [
      [here, abroad, [USER, GONE]],
      [abroad, here, [OTHER]],
    ] as const)
      for (const address of addresses) {
        const [key] = await from.cli(['key', 'export', address])
        await to.cli(['key', 'import', '-'], String(key?.['pem']))
      }
    await Promise.all([here.start(), abroad.start()])
  })
  after(async () => {
    await inside?.[Symbol.asyncDispose]()
    for (const each of [here, abroad]) await each?.[Symbol.asyncDispose]()
  })

  const sendFromAbroad = async (to: string, text: string): Promise<string> => {
    const message = mail(OTHER, to, text)
    const { reply } = await submit({
      port: abroad.ports.submission,
      user: OTHER,
      password: PASSWORD,
      to: [to],
      message,
    })
    return reply
  }

  test('in: what comes protected lies in plain in the mailbox inside, verdict and all', async () => {
    assert.match(await sendFromAbroad(USER, 'in'), /^250/)
    const [read = ''] = await inside.mailbox('t-azuma', 1)
    assert.match(read, /smime=pass/)
    assert.match(read, /\n\nsecret in \n\.dots\n$/)
    await here.event('delivered', ({ messageId }) => messageId === '<in@x.example>')
  })

  test('out: what is sent inside leaves protected, and is opened abroad', async () => {
    const message = mail(USER, OTHER, 'out')
    assert.match(await sendUnauthenticated(inside.port, USER, { to: [OTHER], message }), /^250/)
    const [read] = await fetchWhenThere(abroad.ports.pop3s, OTHER, PASSWORD)
    const text = read?.toString('latin1') ?? ''
    assert.match(text, /smime=pass/)
    assert.match(text, /\r\n\r\nsecret out \r\n\.dots\r\n$/)
  })

  test('nobody inside: the sender has a report', async () => {
    assert.match(await sendFromAbroad(GONE, 'gone'), /^250/)
    const [, report] = await fetchWhenThere(abroad.ports.pop3s, OTHER, PASSWORD, 2)
    assert.match(report?.toString('latin1') ?? '', /Status: 5\.1\.1/)
  })

  test('while Postfix is away mail waits, and nothing of it is lost', async () => {
    await here.configure({ mailboxes: { smtp: '127.0.0.1:1' } })
    await here.stop()
    await here.start()
    assert.match(await sendFromAbroad(USER, 'later'), /^250/)
    await here.event('deferred', ({ messageId }) => messageId === '<later@x.example>')
    await here.configure({ mailboxes: { smtp: `127.0.0.1:${inside.port}` } })
    await here.stop()
    await here.start()
    await here.cli(['queue', 'retry', '--all'])
    const [, read = ''] = await inside.mailbox('t-azuma', 2)
    assert.match(read, /secret later/)
  })

  test('on another machine it gets mail only over TLS, from a host whose certificate names it', async () => {
    await using dns = await startScriptedDns({ a: { 'inside.here.example': ['127.0.0.1'] } })
    const mailboxes = { smtp: `inside.here.example:${inside.port}` }
    await here.configure({ mailboxes, dns: { resolver: dns.resolver } })
    await here.stop()
    await here.start()
    assert.match(await sendFromAbroad(USER, 'never'), /^250/)
    const { reply } = await here.event('deferred', ({ messageId }) => messageId === '<never@x.example>')
    assert.match(String(reply), /^454 4\.7\.\d .*certificate/)
  })
})
