/**
 * Each set-up beside a mail server that a provider has, whole: users of a real slapd, mailboxes of a real Dovecot, a real
 * Postfix beside Sealpost or inside. Whom they write to, and who writes to them, has openssl or gpg.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BESIDE_POSTFIX, SIGNED_IN, STRANGER, startPostfixBeside } from '../support/beside-postfix.ts'
import { run } from '../support/clients/run.ts'
import { pkcs7Mime } from '../support/cms-entity.ts'
import { type Dovecot, needsDovecot, startDovecot } from '../support/dovecot.ts'
import { type Gpg, makeGpg } from '../support/gpg.ts'
import { identityFiles, openssl } from '../support/openssl.ts'
import { messageOf, multipartEncrypted } from '../support/pgp-mime.ts'
import { testTls } from '../support/pop3-server.ts'
import { needsPostfix, type Postfix, startPostfix } from '../support/postfix.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { BASE_DN, needsSlapd, SERVICE_DN, type Slapd, startSlapd } from '../support/slapd.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendMail, sendUnauthenticated, submit, talkSmtp } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
const PROGRAMS = ['openssl', 'gpg'] as const
type Program = (typeof PROGRAMS)[number]
const addressOf = (program: Program): string => `${program}@b.example`
const READ_TIMEOUT_MS = 60_000

const needed = [needsSlapd(), needsDovecot({ curl: 'curl', gpg: 'gpg' }), needsPostfix()].find(
  ({ skip }) => skip !== false,
)

type SetUp = (typeof BESIDE_POSTFIX)[number] | 'border, Dovecot inside' | 'border, Postfix inside'

for (const setUp of [...BESIDE_POSTFIX, 'border, Dovecot inside', 'border, Postfix inside'] satisfies SetUp[])
  describe(setUp, needed ?? {}, () => {
    let world: World
    before(async () => (world = await startWorld(setUp)))
    after(() => world?.[Symbol.asyncDispose]())

    for (const program of PROGRAMS)
      test(`out: what a user of the directory sends arrives protected, and is opened and verified by ${program}`, async () => {
        const to = addressOf(program)
        const message = `From: ${USER}\r\nTo: ${to}\r\nSubject: Plan\r\nMessage-ID: <out-${program}@here.example>\r\n\r\nsecret ${program}\r\n`
        assert.match(await world.sendAsUser(to, message), /^250/)
        const [sent = ''] = await world.outside.mailbox(program, 1)
        assert.doesNotMatch(sent, /secret/)
        const opened = await world.correspondents[program].open(Buffer.from(sent.replaceAll('\n', '\r\n'), 'latin1'))
        assert.match(opened, new RegExp(`secret ${program}`))
      })

    for (const [before, program] of PROGRAMS.entries())
      test(`in: what ${program} has signed and encrypted is read in plain over IMAP`, async () => {
        const from = addressOf(program)
        const entity = `Content-Type: text/plain\r\n\r\nsecret from ${program}\r\n`
        const sealed = await world.correspondents[program].seal(Buffer.from(entity))
        const header = `From: ${from}\r\nTo: ${USER}\r\nSubject: Answer\r\nMessage-ID: <in-${program}@b.example>\r\nMIME-Version: 1.0\r\n`
        const message = Buffer.concat([Buffer.from(header), sealed])
        assert.ok(!message.includes('secret'))
        assert.match(await world.sendFromOutside(from, message), /^250/)
        const read = await world.readOverImap(before + 1)
        assert.match(read, program === 'openssl' ? /smime=pass/ : /openpgp=pass/)
        assert.match(read, new RegExp(`\r\n\r\nsecret from ${program}\r\n$`))
      })
  })

interface CorrespondentOutside {
  /** The text of a mail of USER; throws unless it was encrypted to us and is signed by USER. */
  open(mail: Buffer): Promise<string>
  /** Signed by us, encrypted to USER: a MIME entity. */
  seal(entity: Buffer): Promise<Buffer>
}

interface World extends AsyncDisposable {
  /** The Maildirs of the world. */
  readonly outside: Pick<Postfix, 'mailbox'>
  readonly correspondents: Readonly<Record<Program, CorrespondentOutside>>
  sendAsUser(to: string, message: string): Promise<string>
  sendFromOutside(from: string, message: Buffer): Promise<string>
  /** Waits for the mail of that number, from 1. */
  readOverImap(number: number): Promise<string>
}

async function startWorld(setUp: SetUp): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const password = secret()
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-set-up-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const slapd = stack.use(await startSlapd(testTls('slapd'), secret(), secret()))
  slapd.add({ uid: 'azuma', mail: USER, password })
  const dovecot = stack.use(await startDovecot({ users: { [USER]: { password } }, tls: testTls('dovecot') }))
  const here = stack.use(
    await makeProvider({ domains: ['here.example'], config: { authentication: { inbound: false } } }),
  )
  await here.configure({ accounts: { ldap: await ldapOf(slapd, here) } })
  const world = await waysOf(setUp, { stack, here, dovecot, password })
  const gpg = stack.use(await makeGpg())
  const correspondents = { openssl: await withOpenssl(here, folder), gpg: await withGpg(here, folder, gpg) }
  await here.start()
  const curl = (url: string) =>
    run(folder, 'curl', ['-sS', '-u', `${USER}:${password}`, `imap://127.0.0.1:${dovecot.port}/${url}`])
  const disposing = stack.move()
  return {
    ...world,
    correspondents,
    async readOverImap(number) {
      const endMs = performance.now() + READ_TIMEOUT_MS
      for (;;) {
        const { status, output, complaints } = await curl(`INBOX;MAILINDEX=${number}`)
        if (status === 0) return output.toString('latin1')
        if (performance.now() > endMs) throw new Error(`${complaints}; ${JSON.stringify(here.log.slice(-5))}`)
        await sleep(50)
      }
    },
    [Symbol.asyncDispose]: () => disposing.disposeAsync(),
  }
}

type Ways = Pick<World, 'outside' | 'sendAsUser' | 'sendFromOutside'>

interface Parts {
  readonly stack: AsyncDisposableStack
  readonly here: Provider
  readonly dovecot: Dovecot
  readonly password: string
}

function waysOf(setUp: SetUp, parts: Parts): Promise<Ways> {
  switch (setUp) {
    case 'border, Dovecot inside':
      return aroundDovecot(parts)
    case 'border, Postfix inside':
      return aroundPostfix(parts)
    case 'postfix-before-queue.cf':
    case 'postfix-after-queue.cf':
      return beside(setUp, parts)
  }
}

async function beside(setUp: (typeof BESIDE_POSTFIX)[number], { stack, here, dovecot }: Parts): Promise<Ways> {
  await here.configure({ mailboxes: { lmtp: dovecot.lmtp } })
  const postfix = stack.use(await startPostfixBeside(setUp, here, PROGRAMS))
  const send = async (port: number, client: string, from: string, to: string, message: string | Buffer) => {
    await using talk = await talkSmtp(port, { from: client })
    await talk.say('EHLO client.example')
    return await sendMail(talk, from, { to: [to], message })
  }
  return {
    outside: postfix,
    sendAsUser: (to, message) => send(postfix.ports.submission, SIGNED_IN, USER, to, message),
    sendFromOutside: (from, message) => send(postfix.ports.mx, STRANGER, from, USER, message),
  }
}

const SMALL = { messageSizeMaxBytes: 2 ** 20, tls: testTls('postfix') }

/** Users sign in at Sealpost. */
async function aroundDovecot({ stack, here, dovecot, password }: Parts): Promise<Ways> {
  const outside = stack.use(await startPostfix({ users: PROGRAMS, ...SMALL }))
  await here.configure({
    mailboxes: { lmtp: dovecot.lmtp },
    relay: { routes: { 'b.example': `127.0.0.1:${outside.port}` } },
  })
  return {
    outside,
    async sendAsUser(to, message) {
      const { reply } = await submit({ port: here.ports.submission, user: USER, password, to: [to], message })
      return reply
    },
    sendFromOutside: (from, message) => sendUnauthenticated(here.ports.mx, from, { to: [USER], message }),
  }
}

/** The mail server inside hands to Dovecot what Sealpost has opened. */
async function aroundPostfix({ stack, here, dovecot }: Parts): Promise<Ways> {
  const outside = stack.use(await startPostfix({ users: PROGRAMS, ...SMALL }))
  const inside = stack.use(
    await startPostfix({
      users: [],
      ...SMALL,
      settings: {
        virtual_mailbox_domains: 'here.example',
        virtual_mailbox_maps: `inline:{ {${USER}=dovecot} }`,
        virtual_transport: `lmtp:inet:127.0.0.1:${dovecot.lmtpPort}`,
        mynetworks: '127.0.0.1/32',
        smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination',
        relayhost: `[127.0.0.1]:${here.ports.submission}`,
      },
      services: [['lmtp', 'unix', '-', '-', 'n', '-', '-', 'lmtp']],
    }),
  )
  await here.configure({
    mailboxes: { smtp: `127.0.0.1:${inside.port}` },
    submission: { trustedNetworks: ['127.0.0.1/32'] },
    relay: { routes: { 'b.example': `127.0.0.1:${outside.port}` } },
  })
  return {
    outside,
    sendAsUser: (to, message) => sendUnauthenticated(inside.port, USER, { to: [to], message }),
    sendFromOutside: (from, message) => sendUnauthenticated(here.ports.mx, from, { to: [USER], message }),
  }
}

async function ldapOf(slapd: Slapd, here: Provider): Promise<object> {
  const folder = dirname(here.configFile)
  await writeFile(join(folder, 'ldap-ca.pem'), testTls('slapd').certificatePem)
  await writeFile(join(folder, 'ldap-password'), `${slapd.servicePassword}\n`)
  return {
    urls: [`ldaps://127.0.0.1:${slapd.tlsPort}`],
    caFile: 'ldap-ca.pem',
    bindDn: SERVICE_DN,
    bindPasswordFile: 'ldap-password',
    baseDn: BASE_DN,
  }
}

async function withOpenssl(here: Provider, folder: string): Promise<CorrespondentOutside> {
  const { certificateFile, keyFile } = identityFiles(smimeIdentity('rsa-2048', addressOf('openssl')), folder)
  await here.cli(['key', 'import', certificateFile])
  const [authorityFile, signerFile, userFile] = ['authority', 'signer', 'user'].map((name) =>
    join(folder, `${name}.pem`),
  ) as [string, string, string]
  return {
    async open(mail) {
      const [authority] = await here.cli(['trust', 'export', 'here.example'])
      await writeFile(authorityFile, String(authority?.['pem']))
      const signed = openssl(['cms', '-decrypt', '-recip', certificateFile, '-inkey', keyFile], mail)
      const text = openssl(['cms', '-verify', '-CAfile', authorityFile, '-signer', signerFile], signed)
      assert.equal(openssl(['x509', '-noout', '-email', '-in', signerFile]).toString().trim(), USER)
      return text.toString()
    },
    async seal(entity) {
      const [key] = await here.cli(['key', 'export', USER, '--standard', 'smime'])
      await writeFile(userFile, String(key?.['pem']))
      const signing = ['-signer', certificateFile, '-inkey', keyFile]
      const signed = openssl(['cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', ...signing], entity)
      const encrypting = ['cms', '-encrypt', '-binary', '-aes-256-cbc', '-outform', 'DER', userFile]
      return pkcs7Mime('enveloped-data', openssl(encrypting, pkcs7Mime('signed-data', signed)))
    },
  }
}

async function withGpg(here: Provider, folder: string, gpg: Gpg): Promise<CorrespondentOutside> {
  const key = await gpg.newKey(`Somebody <${addressOf('gpg')}>`, 'ed25519')
  const file = join(folder, 'gpg.key')
  await writeFile(file, await gpg.publicOf(key))
  await here.cli(['key', 'import', file])
  const keyOfUser = async (): Promise<Buffer> => {
    const [own] = await here.cli(['key', 'export', USER, '--standard', 'openpgp', '--binary'])
    return Buffer.from(String(own?.['openpgp']), 'base64')
  }
  return {
    async open(mail) {
      const opened = await gpg.decrypt(messageOf(mail), key, await keyOfUser())
      assert('content' in opened, JSON.stringify(opened))
      assert.ok(opened.signed)
      return opened.content.toString()
    },
    seal: async (entity) => multipartEncrypted(await gpg.encrypt(entity, { to: [await keyOfUser()], signer: key })),
  }
}

const secret = (): string => randomBytes(9).toString('hex')
