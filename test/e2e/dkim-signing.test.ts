/** Two providers: what the one signs for its domain, the other finds vouched for; small mail, large mail, and after a change of keys. */
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { submit } from '../support/smtp-client.ts'

const ANNA = 'anna@alpha.example'
const BOB = 'bob@beta.example'

const txt: Record<string, string> = { '_dmarc.alpha.example': 'v=DMARC1; p=reject' }
const passwords = new Map<string, string>()
let dns: ScriptedDns
let alpha: Provider
let beta: Provider

before(async () => {
  dns = await startScriptedDns({ txt })
  const config = { dns: { resolver: dns.resolver }, authentication: { exemptNetworks: [] } }
  alpha = await makeProvider({ domains: ['alpha.example'], config })
  beta = await makeProvider({ domains: ['beta.example'], config })
  for (const [provider, user] of [[alpha, ANNA] as const, [beta, BOB] as const])
    passwords.set(user, String((await provider.cli(['user', 'add', user]))[0]?.['password']))
  await alpha.configure({ relay: { routes: { '*': `127.0.0.1:${beta.ports.mx}` } } })
  await beta.start()
  await alpha.start({ NODE_EXTRA_CA_CERTS: join(dirname(beta.configFile), 'tls-certificate.pem') })
})
after(() => Promise.all([alpha, beta, dns].map((each) => each[Symbol.asyncDispose]())))

async function send(body: string): Promise<void> {
  const message = `From: ${ANNA}\r\nTo: ${BOB}\r\nSubject: Hello\r\n\r\n${body}`
  const password = passwords.get(ANNA) ?? ''
  const sent = await submit({ port: alpha.ports.submission, user: ANNA, password, to: [BOB], message })
  assert.match(sent.reply, /^250 /)
}

async function received(): Promise<string> {
  const password = passwords.get(BOB) ?? ''
  await fetchWhenThere(beta.ports.pop3s, BOB, password)
  const [mail] = await fetchAll(beta.ports.pop3s, BOB, password, { remove: true })
  return mail?.toString('latin1').replaceAll(/\r\n[ \t]+/g, ' ') ?? ''
}

test('without keys nobody vouches, and mail in the name of such a domain is refused', async () => {
  await send('Hello\r\n')
  const refused = await beta.event('refused')
  assert.match(String(refused['reply']), /^550 5\.7\.26 /)
})

test('keys are made, published, and then used', async () => {
  const keys = await alpha.cli(['dkim', 'add', 'alpha.example', '--selector', 'one'])
  assert.deepEqual(
    keys.map((key) => [key['selector'], key['algorithm'], key['used']]),
    [
      ['one-rsa', 'rsa-sha256', false],
      ['one-ed25519', 'ed25519-sha256', false],
    ],
  )
  await assert.rejects(alpha.cli(['dkim', 'use', 'alpha.example', 'one-rsa']), /The DNS does not have the record/)
  for (const key of keys) txt[String(key['name'])] = String(key['record'])
  for (const selector of ['one-rsa', 'one-ed25519']) await alpha.cli(['dkim', 'use', 'alpha.example', selector])
  await assert.rejects(alpha.cli(['dkim', 'add', 'alpha.example', '--selector', 'one']), /has a key one-rsa already/)
  await assert.rejects(alpha.cli(['dkim', 'add', 'other.example']), /is not ours/)
  await assert.rejects(alpha.cli(['dkim', 'add', 'alpha.example', '--selector', 'a b']), /can be no selector/)
})

const both = (prefix: string): RegExp =>
  new RegExp(
    `; dkim=pass header\\.d=alpha\\.example header\\.s=${prefix}-rsa header\\.a=rsa-sha256; dkim=pass header\\.d=alpha\\.example header\\.s=${prefix}-ed25519 header\\.a=ed25519-sha256; dmarc=pass `,
  )

test('the running server signs with both, what is small and what is streamed', async () => {
  for (const lines of [1, 40_000]) {
    await send('A line of the body, with a blank at its end \r\n'.repeat(lines))
    const mail = await received()
    assert.match(mail, both('one'))
    assert.equal(mail.split('A line of the body').length - 1, lines)
  }
})

test('after a change of keys it signs with the new ones', async () => {
  for (const key of await alpha.cli(['dkim', 'add', 'alpha.example', '--selector', 'two'])) {
    txt[String(key['name'])] = String(key['record'])
    await alpha.cli(['dkim', 'use', 'alpha.example', String(key['selector'])])
  }
  for (const selector of ['one-rsa', 'one-ed25519']) await alpha.cli(['dkim', 'retire', 'alpha.example', selector])
  const used = (await alpha.cli(['dkim', 'list'])).filter((key) => key['used'] === true)
  assert.deepEqual(
    used.map((key) => key['selector']),
    ['two-rsa', 'two-ed25519'],
  )
  await send('Hello again\r\n')
  assert.match(await received(), both('two'))
})
