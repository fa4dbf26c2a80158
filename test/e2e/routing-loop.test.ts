/** Two servers of one domain, each of which has the other as its smarthost: a mail for somebody else ends with its sender. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { OWN_PASSES_MAX, SAME_RECIPIENT_MAX } from '../../src/gateway/routing-loop.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { submit, talkSmtp } from '../support/smtp-client.ts'
import { eventually } from '../support/eventually.ts'

const ANNA = 'anna@alpha.example'
const HOSTS = { one: 'mail.one.example', two: 'mail.two.example' } as const

let dns: ScriptedDns
let one: Provider
let two: Provider
let password: string

before(async () => {
  dns = await startScriptedDns({ a: { [HOSTS.one]: ['127.0.0.1'], [HOSTS.two]: ['127.0.0.1'] } })
  const config = { dns: { resolver: dns.resolver }, keys: { algorithm: 'ec-p256', openpgp: 'off' } }
  one = await makeProvider({ domains: ['one.example', 'alpha.example'], config })
  two = await makeProvider({ domains: ['two.example', 'alpha.example'], config })
  password = String((await one.cli(['user', 'add', ANNA]))[0]?.['password'])
  await two.cli(['user', 'add', ANNA, '--password-stdin'], `${password}\n`)
  for (const [from, to, host] of [[one, two, HOSTS.two] as const, [two, one, HOSTS.one] as const]) {
    const passwordFile = join(from.dir, 'smarthost-password')
    await writeFile(passwordFile, `${password}\n`)
    const relay = {
      routes: { '*': `${host}:${to.ports.submission}` },
      credentials: { [host]: { user: ANNA, passwordFile } },
    }
    await from.configure({ relay })
    await from.start({ NODE_EXTRA_CA_CERTS: join(dirname(to.configFile), 'tls-certificate.pem') })
  }
})
after(() => Promise.all([one, two, dns].map((each) => each[Symbol.asyncDispose]())))

test('a mail between two servers that send it to each other is returned to its sender, with the reason', async () => {
  const message = `From: ${ANNA}\r\nTo: bob@far.example\r\nSubject: Round and round\r\n\r\nHello\r\n`
  const sent = await submit({ port: one.ports.submission, user: ANNA, password, to: ['bob@far.example'], message })
  assert.match(sent.reply, /^250 /)
  const refused = await one.event('refused', () => true, 10_000)
  assert.match(String(refused['reply']), /^554 5\.4\.6 /)
  await fetchWhenThere(two.ports.pop3s, ANNA, password)
  const [report] = await fetchAll(two.ports.pop3s, ANNA, password)
  assert.match(report?.toString('latin1') ?? '', /^Diagnostic-Code: smtp; 554 5\.4\.6 Routing loop/m)
  await eventually(() => {
    const passes = [one, two].map(({ log }) => log.filter(({ event }) => event === 'queued').length)
    assert.deepEqual(passes, [OWN_PASSES_MAX + 1, OWN_PASSES_MAX + 1])
  })
})

test('a mail that was here for the same reader again and again is refused, and not one that came back once', async () => {
  const received = `Received: from other.example ([192.0.2.1]) by ${HOSTS.one} with ESMTPS id 0b1c2d3e-0000-4000-8000-000000000000\r\n for <${ANNA}>; Sun, 22 Nov 2026 10:00:00 +0000\r\n`
  const arrive = async (passes: number): Promise<string> => {
    await using talk = await talkSmtp(one.ports.mx)
    for (const line of ['EHLO other.example', 'MAIL FROM:<>', `RCPT TO:<${ANNA}>`, 'DATA']) await talk.say(line)
    return await talk.say(`${received.repeat(passes)}From: x@other.example\r\n\r\nHello\r\n.`)
  }
  assert.match(await arrive(1), /^250 /)
  assert.match(await arrive(SAME_RECIPIENT_MAX), /^554 5\.4\.6 /)
})
