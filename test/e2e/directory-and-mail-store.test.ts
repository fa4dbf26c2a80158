/** Sealpost at the border of what a provider has: users of a real slapd, mailboxes of a real Dovecot; a real Postfix is the world outside. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runWell } from '../support/clients/run.ts'
import { type Dovecot, needsDovecot, startDovecot } from '../support/dovecot.ts'
import { testTls } from '../support/pop3-server.ts'
import { needsPostfix, type Postfix, startPostfix } from '../support/postfix.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { BASE_DN, needsSlapd, SERVICE_DN, type Slapd, startSlapd } from '../support/slapd.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
const OTHER = 'u-suzuki@b.example'
const secret = (): string => randomBytes(9).toString('hex')
const password = secret()

const mail = (from: string, to: string, text: string): string =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: Plan\r\nMessage-ID: <${text}@x.example>\r\n\r\nsecret ${text}\r\n`

const needed = [needsSlapd(), needsDovecot({ curl: 'curl' }), needsPostfix()].find(({ skip }) => skip !== false)

describe('users of slapd, mailboxes of Dovecot', needed ?? {}, () => {
  let slapd: Slapd
  let dovecot: Dovecot
  let outside: Postfix
  let here: Provider
  /** Never started: it seals and opens for the correspondent. */
  let abroad: Provider

  before(async () => {
    slapd = await startSlapd(testTls('slapd'), secret(), secret())
    slapd.add({ uid: 'azuma', mail: USER, password })
    dovecot = await startDovecot({ users: { [USER]: { password } }, tls: testTls('dovecot') })
    outside = await startPostfix({ users: ['u-suzuki'], messageSizeMaxBytes: 2 ** 20, tls: testTls('postfix') })
    abroad = await makeProvider({ domains: ['b.example'] })
    here = await makeProvider({ domains: ['here.example'], config: { authentication: { inbound: false } } })
    const folder = dirname(here.configFile)
    await writeFile(join(folder, 'ldap-ca.pem'), testTls('slapd').certificatePem)
    await writeFile(join(folder, 'ldap-password'), `${slapd.servicePassword}\n`)
    const ldap = {
      urls: [`ldaps://127.0.0.1:${slapd.tlsPort}`],
      caFile: 'ldap-ca.pem',
      bindDn: SERVICE_DN,
      bindPasswordFile: 'ldap-password',
      baseDn: BASE_DN,
    }
    await here.configure({
      accounts: { ldap },
      mailboxes: { lmtp: dovecot.lmtp },
      relay: { routes: { 'b.example': `127.0.0.1:${outside.port}` } },
    })
    await abroad.cli(['user', 'add', OTHER])
    await carryKey(abroad, here, OTHER)
    await here.start()
  })
  after(async () => {
    for (const each of [here, abroad, outside, dovecot, slapd]) await each?.[Symbol.asyncDispose]()
  })

  const carryKey = async (from: Provider, to: Provider, address: string): Promise<void> => {
    const [key] = await from.cli(['key', 'export', address])
    await to.cli(['key', 'import', '-'], String(key?.['pem']))
  }

  test('out: a user of the directory signs in for the first time; what leaves is encrypted and signed', async () => {
    const message = mail(USER, OTHER, 'out')
    const { reply } = await submit({ port: here.ports.submission, user: USER, password, to: [OTHER], message })
    assert.match(reply, /^250/)
    const [sent = ''] = await outside.mailbox('u-suzuki', 1)
    assert.doesNotMatch(sent, /secret/)
    await carryKey(here, abroad, USER)
    const file = join(abroad.dir, 'sent.eml')
    await writeFile(file, sent.replaceAll('\n', '\r\n'), 'latin1')
    const [opened] = await abroad.cli(['open', file, '--for', OTHER, '--plaintext'])
    assert.deepEqual(opened?.['summary'], { encrypted: true, signature: 'valid', signer: USER, reason: null })
    assert.match(String(opened?.['plaintext']), /secret out/)
  })

  test('in: what comes protected is read in plain over IMAP', async () => {
    const file = join(abroad.dir, 'in.eml')
    await writeFile(file, mail(OTHER, USER, 'in'))
    const [made] = await abroad.cli(['seal', file, '--from', OTHER])
    const message = String(made?.['message'])
    assert.doesNotMatch(message, /secret/)
    assert.match(await sendUnauthenticated(here.ports.mx, OTHER, { to: [USER], message }), /^250/)
    await here.event('delivered', ({ messageId, remote }) => messageId === '<in@x.example>' && remote !== undefined)
    const url = `imap://127.0.0.1:${dovecot.port}/INBOX;MAILINDEX=1`
    const read = (await runWell(abroad.dir, 'curl', ['-sS', '-u', `${USER}:${password}`, url])).toString('latin1')
    assert.match(read, /smime=pass/)
    assert.match(read, /\r\n\r\nsecret in\r\n$/)
  })
})
