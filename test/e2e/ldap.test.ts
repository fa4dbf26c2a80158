/** Users of a directory: Debian's slapd and the whole server, by SMTP and POP3; and what strangers try. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { latin1 } from '../../src/base/bytes.ts'
import { Passwords } from '../../src/keys/password.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { testTls } from '../support/pop3-server.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { BASE_DN, SERVICE_DN, type Slapd, needsSlapd, startSlapd } from '../support/slapd.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { eventually } from '../support/eventually.ts'

const DOMAIN = 'biglobe.example'
const [AZUMA, SUZUKI, TANAKA] = [`t-azuma@${DOMAIN}`, `u-suzuki@${DOMAIN}`, `tanaka@${DOMAIN}`]
/** In a file, beside the directory. */
const SATO = `sato@${DOMAIN}`
const secret = (): string => randomBytes(9).toString('hex')
const [azumasPassword, suzukisPassword, tanakasPassword] = [secret(), secret(), secret()]

describe('users of a directory', needsSlapd(), () => {
  let slapd: Slapd
  let provider: Provider

  before(async () => {
    slapd = await startSlapd(testTls('slapd'), secret(), secret())
    slapd.add({ uid: 'azuma', mail: AZUMA, password: azumasPassword, alias: `sales@${DOMAIN}` })
    slapd.add({ uid: 'suzuki', mail: SUZUKI, password: suzukisPassword })
    provider = await makeProvider({ domains: [DOMAIN], config: { listeners: { http: null } } })
    await writeFile(join(provider.configFile, '..', 'ldap-ca.pem'), testTls('slapd').certificatePem)
    await writeFile(join(provider.configFile, '..', 'ldap-password'), `${slapd.servicePassword}\n`)
    const hash = await new Passwords().hash(suzukisPassword)
    await writeFile(join(provider.configFile, '..', 'users'), `${SATO}:${hash}:office@${DOMAIN}\n`)
    await provider.configure({ accounts: { file: 'users', ldap: ldapSettings() } })
    await provider.start()
  })
  after(async () => {
    await provider[Symbol.asyncDispose]()
    await slapd[Symbol.asyncDispose]()
  })

  const ldapSettings = (more: object = {}) => ({
    urls: [`ldaps://127.0.0.1:${slapd.tlsPort}`],
    caFile: 'ldap-ca.pem',
    bindDn: SERVICE_DN,
    bindPasswordFile: 'ldap-password',
    baseDn: BASE_DN,
    aliasAttribute: 'employeeNumber',
    cacheSeconds: 0,
    timeoutSeconds: 2,
    ...more,
  })
  const mail = (from: string, to: string): string => `From: ${from}\r\nTo: ${to}\r\nSubject: Hello\r\n\r\nHello\r\n`
  const send = (user: string, password: string, to: string) =>
    submit({ port: provider.ports.submission, user, password, to: [to], message: mail(user, to) })
  const mx = (to: string) =>
    sendUnauthenticated(provider.ports.mx, 'me@other.example', { to: [to], message: mail('me@other.example', to) })
  const fetched = (user: string, password: string) => fetchAll(provider.ports.pop3s, user, password, { remove: true })
  const sources = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      (await provider.cli(['user', 'list'])).map(({ address, source, status }) => [
        String(address),
        [source, status].join(' '),
      ]),
    )

  test('one submits to another who was never here: signed, encrypted, and read by POP3; both have keys now', async () => {
    assert.match((await send(AZUMA, azumasPassword, SUZUKI)).reply, /^250 .*encrypted and signed for 1/)
    await provider.event('stored', (event) => event['recipient'] === SUZUKI)
    const [got] = await fetched(SUZUKI, suzukisPassword)
    assert.match(String(got), /Hello\r\n$/)
    assert.deepEqual(await sources(), { [AZUMA]: 'ldap active', [SUZUKI]: 'ldap active' })
    assert.notEqual((await provider.cli(['key', 'export', SUZUKI])).length, 0)
  })

  test('mail from outside: to a user, to an alias of theirs, to nobody', async () => {
    assert.match(await mx(AZUMA), /^250/)
    assert.match(await mx(`SALES@${DOMAIN}`), /^250/)
    assert.match(await mx(`nobody@${DOMAIN}`), /^550 5\.1\.1/)
    assert.equal((await fetched(AZUMA, azumasPassword)).length, 2)
    assert.equal((await fetched(`sales@${DOMAIN}`, azumasPassword)).length, 0) // the same mailbox by another name
  })

  test('wrong passwords, and what would be right if it were taken for syntax', async () => {
    const wrong: readonly [name: string, password: string][] = [
      [AZUMA, suzukisPassword],
      [AZUMA, '*'],
      [AZUMA, ' '],
      [`*@${DOMAIN}`, azumasPassword],
      [`t-azuma*@${DOMAIN}`, azumasPassword],
      [`"*)(uid=*"@${DOMAIN}`, azumasPassword],
      [`"t-azuma)(|(uid=*"@${DOMAIN}`, azumasPassword],
      [`"x\\2a"@${DOMAIN}`, azumasPassword],
      [`uid=azuma,ou=people,${BASE_DN}`, azumasPassword],
      [SERVICE_DN, slapd.servicePassword],
    ]
    const tries = wrong.map(([name, password]) => assert.rejects(fetched(name, password), /\[AUTH\]|-ERR/, name))
    await Promise.all(tries)
    const { reply } = await send(AZUMA, suzukisPassword, SUZUKI)
    assert.match(reply, /^535/)
    assert.match(await mx(`"*)(mail=*"@${DOMAIN}`), /^550 5\.1\.1/)
  })

  test('a user of a file is asked for before the directory: signs in, gets mail, by an alias too', async () => {
    assert.match((await send(SATO, suzukisPassword, AZUMA)).reply, /^250/)
    assert.match(await mx(`office@${DOMAIN}`), /^250/)
    assert.equal((await fetched(SATO, suzukisPassword)).length, 1)
    assert.equal((await sources())[SATO], 'file active')
    await provider.event('stored', (event) => event['recipient'] === AZUMA && event['session'] === undefined)
    assert.equal((await fetched(AZUMA, azumasPassword)).length, 1)
  })

  test('an empty password never reaches the directory', async () => {
    const before = slapd.log().length
    await assert.rejects(fetched(AZUMA, ''))
    const { reply } = await send(AZUMA, '', SUZUKI)
    assert.match(reply, /^5/)
    assert.doesNotMatch(slapd.log().slice(before), /BIND dn="uid=azuma/)
  })

  test('gone there: no sign-in and no mail; back again, all goes on', async () => {
    slapd.add({ uid: 'tanaka', mail: TANAKA, password: tanakasPassword })
    assert.match(await mx(TANAKA), /^250/)
    slapd.setMail('tanaka', `away@${DOMAIN}`)
    assert.match(await mx(TANAKA), /^550 5\.1\.1/)
    await assert.rejects(fetched(TANAKA, tanakasPassword))
    assert.equal((await sources())[TANAKA], 'ldap absent')
    slapd.setMail('tanaka', TANAKA)
    assert.equal((await fetched(TANAKA, tanakasPassword)).length, 1)
    assert.equal((await sources())[TANAKA], 'ldap active')
  })

  test('suspended here: no sign-in, whatever the directory says', async () => {
    await provider.cli(['user', 'suspend', TANAKA])
    await assert.rejects(fetched(TANAKA, tanakasPassword))
    assert.match(await mx(TANAKA), /^250/)
    await provider.cli(['user', 'resume', TANAKA])
    assert.equal((await fetched(TANAKA, tanakasPassword)).length, 1)
  })

  test('the directory is down: try again later, never "no such user"; and it is said once', async () => {
    await slapd.stop()
    assert.match(await mx(AZUMA), /^451 4\.3\.0/)
    assert.match(await mx(`nobody@${DOMAIN}`), /^451 4\.3\.0/)
    assert.match((await send(AZUMA, azumasPassword, SUZUKI)).reply, /^454/)
    await assert.rejects(fetched(AZUMA, azumasPassword), /SYS\/TEMP/)
    await slapd.start()
    assert.match(await mx(AZUMA), /^250/)
    await eventually(() => {
      const said = provider.log.filter(({ check }) => check === 'users-ldap').map(({ event }) => event)
      assert.deepEqual(said, ['check-failed', 'check-passed'])
    })
  })

  test('what is held because it was tampered with comes to whose alias it was sent to, when it is released', async () => {
    await provider.configure({ policy: { onTampered: 'quarantine' } })
    provider.process?.kill('SIGHUP')
    await provider.event('reloaded')
    await fetched(AZUMA, azumasPassword)
    const signer = smimeIdentity('p256', 'me@other.example')
    const header = `From: me@other.example\r\nTo: sales@${DOMAIN}\r\nMessage-ID: <1@other.example>\r\n`
    const signed = latin1(protectedMail({ layering: 'sign', signer, header, body: 'one yen\r\n' }))
    const message = signed.replace('one yen', 'ten yen')
    assert.notEqual(message, signed)
    const to = [`sales@${DOMAIN}`]
    assert.match(await sendUnauthenticated(provider.ports.mx, 'me@other.example', { to, message }), /^250/)
    assert.equal((await fetched(AZUMA, azumasPassword)).length, 0)
    const [held] = await provider.cli(['quarantine', 'list'])
    await provider.cli(['quarantine', 'release', String(held?.['id'])])
    assert.match(String(await fetched(AZUMA, azumasPassword)), /ten yen/)
  })

  test('StartTLS: with a certificate that is not vouched for, nothing is asked', async () => {
    await provider.stop()
    await writeFile(join(provider.configFile, '..', 'other-ca.pem'), testTls('somebody else').certificatePem)
    const urls = [`ldap://127.0.0.1:${slapd.port}`]
    await provider.configure({ accounts: { ldap: { urls, startTls: 'always', caFile: 'other-ca.pem' } } })
    await provider.start()
    const before = slapd.log().length
    assert.match(await mx(AZUMA), /^451/)
    assert.doesNotMatch(slapd.log().slice(before), /BIND|SRCH/)
    await provider.stop()
    await provider.configure({ accounts: { ldap: { caFile: 'ldap-ca.pem' } } })
    await provider.start()
    assert.match(await mx(AZUMA), /^250/)
    assert.match(slapd.log().slice(before), /TLS established/)
  })
})
