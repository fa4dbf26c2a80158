/** An address that Debian's slapd gives to another entry: by SMTP, POP3, the commands and the doctor of the whole server. */
import assert from 'node:assert/strict'
import { X509Certificate, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { latin1 } from '../../src/base/bytes.ts'
import { readCertificate } from '../../src/protection/jobs.ts'
import type { OwnKey } from '../../src/protection/standard.ts'
import { eventually } from '../support/eventually.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { testTls } from '../support/pop3-server.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Provider, makeProvider, runSealpost } from '../support/provider.ts'
import { BASE_DN, SERVICE_DN, type Slapd, needsSlapd, startSlapd } from '../support/slapd.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const DOMAIN = 'biglobe.example'
const [AZUMA, SUZUKI, TANAKA] = [`t-azuma@${DOMAIN}`, `u-suzuki@${DOMAIN}`, `tanaka@${DOMAIN}`]
const OUTSIDE = 'me@other.example'
const secret = (): string => randomBytes(9).toString('hex')
const [formers, heirs, suzukis] = [secret(), secret(), secret()]

describe('an address that a directory gives to another entry', needsSlapd(), () => {
  let slapd: Slapd
  let provider: Provider

  before(async () => {
    slapd = await startSlapd(testTls('slapd'), secret(), secret())
    slapd.add({ uid: 'azuma', mail: AZUMA, password: formers, alias: `sales@${DOMAIN}` })
    slapd.add({ uid: 'suzuki', mail: SUZUKI, password: suzukis })
    provider = await makeProvider({ domains: [DOMAIN], config: { listeners: { http: null } } })
    await writeFile(join(provider.configFile, '..', 'ldap-ca.pem'), testTls('slapd').certificatePem)
    await writeFile(join(provider.configFile, '..', 'ldap-password'), `${slapd.servicePassword}\n`)
    const ldap = {
      urls: [`ldaps://127.0.0.1:${slapd.tlsPort}`],
      caFile: 'ldap-ca.pem',
      bindDn: SERVICE_DN,
      bindPasswordFile: 'ldap-password',
      baseDn: BASE_DN,
      aliasAttribute: 'employeeNumber',
      cacheSeconds: 0,
    }
    await provider.configure({ accounts: { ldap } })
    await provider.start()
  })
  after(async () => {
    await provider[Symbol.asyncDispose]()
    await slapd[Symbol.asyncDispose]()
  })

  const mx = (to: string, message = `From: ${OUTSIDE}\r\nTo: ${to}\r\nSubject: Hello\r\n\r\nHello\r\n`) =>
    sendUnauthenticated(provider.ports.mx, OUTSIDE, { to: [to], message })
  const fetched = (user: string, password: string) => fetchAll(provider.ports.pop3s, user, password, { remove: true })
  const listed = async (whose: string) =>
    (await provider.cli(['user', 'list']))
      .filter(({ address }) => address === whose)
      .map(({ status, disputed }) => `${String(status)}${disputed === true ? ' disputed' : ''}`)
  const keyOf = async (whose: string): Promise<X509Certificate> => {
    const [exported] = await provider.cli(['key', 'export', whose, '--standard', 'smime'])
    return new X509Certificate(String(exported?.['pem']))
  }
  const said = (event: string, whose: string) =>
    provider.log.filter((each) => each.event === event && each['address'] === whose).length
  const finding = async (check: string): Promise<string> => {
    const doctor = runSealpost(['doctor', '--config', provider.configFile, '--json'])
    const stdout = await doctor.catch((error: { readonly stdout: string }) => error.stdout)
    const line = stdout.split('\n').find((each) => each.includes(`"check":"${check}"`))
    return line ?? 'not looked at'
  }
  const changeSetting = async (idAttribute: string): Promise<void> => {
    await provider.stop()
    await provider.configure({ accounts: { ldap: { idAttribute } } })
    await provider.start()
  }

  test('a new person: neither mail nor sign-in, until they begin anew, without keys and mail of the former one', async () => {
    assert.match(await mx(AZUMA), /^250/)
    assert.match(await finding('directory and file of users'), /"level":"ok"/)
    const former = await keyOf(AZUMA)
    slapd.remove('azuma')
    slapd.add({ uid: 'azuma2', mail: AZUMA, password: heirs, alias: `sales@${DOMAIN}` })

    assert.match(await mx(AZUMA), /^450 4\.2\.1/)
    assert.match(await mx(`sales@${DOMAIN}`), /^450 4\.2\.1/)
    const inside = {
      user: SUZUKI,
      password: suzukis,
      to: [AZUMA],
      message: `From: ${SUZUKI}\r\nTo: ${AZUMA}\r\n\r\nHello\r\n`,
    }
    assert.match((await submit({ port: provider.ports.submission, ...inside })).reply, /^450/)
    await assert.rejects(fetched(AZUMA, heirs), /SYS\/TEMP/)
    await assert.rejects(fetched(AZUMA, formers), /\[AUTH\]/)
    const own = {
      user: AZUMA,
      password: heirs,
      to: [SUZUKI],
      message: `From: ${AZUMA}\r\nTo: ${SUZUKI}\r\n\r\nHello\r\n`,
    }
    assert.match((await submit({ port: provider.ports.submission, ...own })).reply, /^454/)
    await eventually(() => assert.equal(said('user-disputed', AZUMA), 1))
    assert.deepEqual(await listed(AZUMA), ['active disputed'])
    assert.match(await finding('users and their entries'), /"level":"broken".*user reassign t-azuma@/)

    await provider.cli(['user', 'reassign', AZUMA])
    assert.match(await mx(AZUMA), /^250/)
    const mails = await fetched(AZUMA, heirs)
    assert.equal(mails.length, 1) // the former one's waits in their own mailbox
    assert.deepEqual(await listed(AZUMA), ['removed', 'active'])
    assert.notEqual((await keyOf(AZUMA)).fingerprint256, former.fingerprint256)
    assert.match(await finding('users and their entries'), /"level":"ok"/)
    assert.match((await submit({ port: provider.ports.submission, ...own })).reply, /^250/)

    const certificate = readCertificate({ standard: 'smime', encoded: former.raw })
    assert.ok(certificate.ok)
    const message = protectedMail({
      layering: 'sign-encrypt',
      signer: smimeIdentity('p256', OUTSIDE),
      recipients: [{ certificate: certificate.value } as OwnKey],
      header: `From: ${OUTSIDE}\r\nTo: ${AZUMA}\r\nMessage-ID: <1@other.example>\r\n`,
      body: 'for the former one\r\n',
    })
    assert.match(await mx(AZUMA, latin1(message)), /^250/)
    const [shut] = await fetched(AZUMA, heirs)
    assert.match(String(shut), /application\/pkcs7-mime/)
    assert.doesNotMatch(String(shut), /for the former one/)
  })

  test('the same person by another entry goes on; an entry that comes back ends it by itself', async () => {
    slapd.add({ uid: 'tanaka', mail: TANAKA, password: formers })
    assert.match(await mx(TANAKA), /^250/)
    const before = await keyOf(TANAKA)
    slapd.setMail('tanaka', `away@${DOMAIN}`)
    slapd.add({ uid: 'tanaka2', mail: TANAKA, password: heirs })
    await assert.rejects(fetched(TANAKA, heirs), /SYS\/TEMP/)
    slapd.setMail('tanaka2', `away2@${DOMAIN}`)
    slapd.setMail('tanaka', TANAKA)
    assert.match(await mx(TANAKA), /^250/)
    await eventually(() => assert.equal(said('user-settled', TANAKA), 1))

    slapd.remove('tanaka')
    slapd.setMail('tanaka2', TANAKA)
    assert.match(await mx(TANAKA), /^450 4\.2\.1/)
    await provider.cli(['user', 'confirm', TANAKA])
    assert.equal((await fetched(TANAKA, heirs)).length, 2)
    assert.equal((await keyOf(TANAKA)).fingerprint256, before.fingerprint256)
    await assert.rejects(provider.cli(['user', 'confirm', TANAKA]), /nobody else/)
    await assert.rejects(provider.cli(['user', 'confirm']), /name a user, or --all/)
  })

  test("what was accepted before waits in the queue, and is held when the address is another person's", async () => {
    await provider.stop()
    await provider.start({}, ['--role', 'receive'])
    const message = `From: ${SUZUKI}\r\nTo: ${TANAKA}\r\n\r\nHello\r\n`
    const mail = { user: SUZUKI, password: suzukis, to: [TANAKA], message }
    assert.match((await submit({ port: provider.ports.submission, ...mail })).reply, /^250/)
    await provider.stop()
    slapd.remove('tanaka2')
    slapd.add({ uid: 'tanaka3', mail: TANAKA, password: formers })
    await provider.start()
    const deferred = await provider.event('deferred')
    assert.match(String(deferred['reply']), /^450 4\.2\.1/)
    await provider.cli(['user', 'reassign', TANAKA])
    const [held] = await provider.cli(['queue', 'list'])
    assert.deepEqual([held?.['to'], held?.['state']], [TANAKA, 'held'])
    assert.equal((await fetched(TANAKA, formers)).length, 0)
  })

  test('without an identifier all is as before, and the doctor says so', async () => {
    await changeSetting('departmentNumber')
    assert.match(await mx(SUZUKI), /^250/)
    slapd.remove('suzuki')
    slapd.add({ uid: 'suzuki2', mail: SUZUKI, password: heirs })
    assert.equal((await fetched(SUZUKI, heirs)).length, 1 + 1) // and the one of the first test
    assert.match(await finding('directory and file of users'), /"level":"warning".*idAttribute/)
  })

  test('octets, as of objectGUID; all users taken as they are found, and one of them another afterwards', async () => {
    await changeSetting('jpegPhoto')
    slapd.remove('suzuki2')
    slapd.add({
      uid: 'suzuki3',
      mail: SUZUKI,
      password: heirs,
      guid: Buffer.from('f6e27a59a6162710f498d28b5365dc14', 'hex'),
    })
    assert.match(await mx(SUZUKI), /^450 4\.2\.1/) // another attribute, another identifier
    await provider.cli(['user', 'confirm', '--all'])
    assert.match(await mx(SUZUKI), /^250/)
    slapd.remove('suzuki3')
    slapd.add({
      uid: 'suzuki4',
      mail: SUZUKI,
      password: heirs,
      guid: Buffer.from('f6e27a59a6162710f498d28b5365dc15', 'hex'),
    })
    assert.match(await mx(SUZUKI), /^450 4\.2\.1/)
    await eventually(() => {
      const disputed = provider.log.findLast(({ event }) => event === 'user-disputed')
      assert.equal(disputed?.['entry'], 'f6e27a59a6162710f498d28b5365dc14')
      assert.equal(disputed?.['otherEntry'], 'f6e27a59a6162710f498d28b5365dc15')
    })
  })
})
