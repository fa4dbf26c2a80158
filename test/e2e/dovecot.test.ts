/** A real Dovecot behind us: protected mail comes in, IMAP programs read what was written, and nothing is lost on the way. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { needsAll } from '../support/apt.ts'
import { runWell } from '../support/clients/run.ts'
import { assertSameBytes, withCrlf } from '../support/clients/same-mail.ts'
import { type Dovecot, needsDovecot, startDovecot } from '../support/dovecot.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Event, type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const AZUMA = 't-azuma@biglobe.example'
const FULL = 'full@biglobe.example'
/** A user of ours that Dovecot has never heard of. */
const NOWHERE = 'nowhere@biglobe.example'
const SUZUKI = 'u-suzuki@abc.example'
const PASSWORD = 'correct horse battery'
/** Not this machine, as far as its name says. */
const HOST = 'imap.biglobe.example'
const QUOTA_BYTES = 10_000

let dovecot: Dovecot
let dns: ScriptedDns
let tls: { readonly certificatePem: string; readonly keyPem: string }
let provider: Provider
let home: string
const certificates = new Map<string, ReturnType<typeof certificateOf>>()

const suzuki = smimeIdentity('p256', SUZUKI)

function certificateOf(pem: string): typeof suzuki {
  const parsed = parseCertificate(Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64'))
  assert(parsed.ok)
  return { ...suzuki, certificate: parsed.value }
}

const text = (from: string, to: string, id: string, more = ''): string =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: Secret ${id}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${id}@biglobe.example>\r\n${more}\r\n`

/** What programs and stores like to change. */
const DIFFICULT = '.\r\n..\r\n.a\r\nFrom here on\r\n\r\n \r\n' + 'x'.repeat(990) + '\r\n\r\n\r\n'

/** From outside, signed and encrypted for `to`. */
function comesIn(
  to: string,
  id: string,
  body = 'Hello\r\n',
  mailFrom = SUZUKI,
  onTheWay = (mail: Buffer): Buffer => mail,
): Promise<string> {
  const recipients = [certificates.get(to) ?? assert.fail()]
  const header = text(SUZUKI, to, id).slice(0, -2)
  const message = protectedMail({ layering: 'encrypt-sign', signer: suzuki, recipients, header, body })
  return sendUnauthenticated(provider.ports.mx, mailFrom, { to: [to], message: onTheWay(message) })
}

async function sends(to: readonly string[], message: Buffer): Promise<string> {
  const { reply } = await submit({ port: provider.ports.submission, user: AZUMA, password: PASSWORD, to, message })
  return reply
}

const imap = async (user: string, path: string, command?: string): Promise<Buffer> =>
  await runWell(home, 'curl', [
    '-sS',
    '-u',
    `${user}:${PASSWORD}`,
    `imap://127.0.0.1:${dovecot.port}/${path}`,
    ...(command === undefined ? [] : ['-X', command]),
  ])

const delivered = (id: string, recipient: string, event = 'delivered'): Promise<unknown> =>
  provider.event(
    event,
    (said) =>
      said['messageId'] === `<${id}@biglobe.example>` &&
      said['recipient'] === recipient &&
      said['remote'] !== undefined,
    20_000,
  )

/** The number of the mail in the INBOX. */
async function numberOf(user: string, id: string): Promise<string> {
  const found = await imap(user, 'INBOX', `SEARCH HEADER Message-ID <${id}@biglobe.example>`)
  return /\d+/.exec(found.toString())?.[0] ?? assert.fail(`no ${id}: ${found.toString()}`)
}

const fetchMail = async (user: string, id: string): Promise<Buffer> =>
  await imap(user, `INBOX;MAILINDEX=${await numberOf(user, id)}`)

/** Names of the fields on top that are not the author's, and what follows. */
function withoutAdded(mail: Buffer, first: string): { added: string[]; rest: Buffer } {
  const at = mail.indexOf(`\r\n${first}:`) + 2
  const names = mail.toString('latin1', 0, at).match(/^[!-9;-~]+(?=:)/gm) ?? []
  return { added: [...names], rest: mail.subarray(at) }
}

/** Dovecot may still be busy with it. */
async function fetchWhenThere(isIt: (mail: string) => boolean): Promise<string> {
  for (let left = 100; left > 0; left--) {
    const mails = (await imap(AZUMA, 'INBOX', 'SEARCH ALL')).toString().match(/\d+/g) ?? []
    for (const number of mails.toReversed()) {
      const mail = (await imap(AZUMA, `INBOX;MAILINDEX=${number}`)).toString()
      if (isIt(mail)) return mail
    }
  }
  return assert.fail('it does not arrive')
}

async function byMbsync(): Promise<Buffer[]> {
  const folder = join(home, 'mbsync')
  await mkdir(folder)
  const rc = `IMAPAccount dovecot
Host 127.0.0.1
Port ${dovecot.port}
User ${AZUMA}
Pass "${PASSWORD}"
SSLType None
AuthMechs PLAIN

IMAPStore far
Account dovecot

MaildirStore near
Inbox ${folder}/inbox
Path ${folder}/

Channel all
Far :far:
Near :near:
Create Near
Sync Pull
`
  await writeFile(join(folder, 'rc'), rc)
  await runWell(home, 'mbsync', ['-c', join(folder, 'rc'), 'all'])
  return readMaildir(join(folder, 'inbox'), MBSYNCS_OWN)
}

/** All that is there, saved by mutt, which knows nothing but server, name and password. */
async function byMutt(): Promise<Buffer[]> {
  const saved = join(home, 'saved')
  const lines = [
    `imap_user="${AZUMA}" imap_pass="${PASSWORD}" imap_authenticators=plain ssl_starttls=no ssl_force_tls=no`,
    `folder="${home}" mbox_type=Maildir sort=mailbox-order weed=no`,
    'confirmappend=no confirmcreate=no delete=no move=no quit=yes wait_key=no sleep_time=0',
  ]
  await writeFile(join(home, '.muttrc'), lines.map((line) => `set ${line}\n`).join(''))
  const keys = `<tag-pattern>.<enter><tag-prefix><copy-message>${saved}<enter><exit>`
  const command = `mutt -n -f imap://127.0.0.1:${dovecot.port}/INBOX -e 'push "${keys}"'`
  await runWell(home, 'script', ['-qec', command, '/dev/null'])
  return readMaildir(saved, MUTTS_OWN)
}

/** Of each mail, without the fields that the program writes for itself at the end of the header. */
async function readMaildir(folder: string, ofProgram: RegExp): Promise<Buffer[]> {
  const files = await Promise.all(
    ['new', 'cur'].map(async (part) => (await readdir(join(folder, part))).map((name) => join(folder, part, name))),
  )
  return await Promise.all(
    files.flat().map(async (file) =>
      Buffer.from(
        withCrlf(await readFile(file))
          .toString('latin1')
          .replace(ofProgram, ''),
        'latin1',
      ),
    ),
  )
}

const MUTTS_OWN = /(?:^(?:Status|Content-Length|Lines): .*\r\n)+(?=\r\n)/m
const MBSYNCS_OWN = /^X-TUID: .*\r\n(?=\r\n)/m

/** In the middle of the ciphertext. */
function tamper(mail: Buffer): Buffer {
  const at = Math.floor(mail.length / 2)
  const whole = mail.toString('latin1')
  return Buffer.from(whole.slice(0, at) + whole.slice(at).replace(/[A-Za-y]/, 'z'), 'latin1')
}

const OF_DOVECOT = ['Return-Path', 'Delivered-To', 'Received']
const OF_SEALPOST = ['Authentication-Results', 'X-Sealpost-Status']
const READERS = { mbsync: 'isync', mutt: 'mutt', script: 'bsdutils' }

describe('with Dovecot behind', needsDovecot({ curl: 'curl' }), () => {
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'sealpost-imap-'))
    const quota = { [FULL]: { password: PASSWORD, quotaBytes: QUOTA_BYTES } }
    tls = await createTlsCertificate({ hosts: [HOST], nowMs: Date.now() })
    dovecot = await startDovecot({ users: { [AZUMA]: { password: PASSWORD }, ...quota }, tls })
    dns = await startScriptedDns({ a: { [HOST]: ['127.0.0.1'] } })
    provider = await makeProvider({
      domains: ['biglobe.example'],
      config: { mailboxes: { lmtp: dovecot.lmtp }, keys: { algorithm: 'ec-p256', openpgp: 'off' } },
    })
    for (const address of [AZUMA, FULL, NOWHERE]) {
      await provider.cli(['user', 'add', address, '--password-stdin'], `${PASSWORD}\n`)
      const [key] = await provider.cli(['key', 'export', address])
      certificates.set(address, certificateOf(String(key?.['pem'])))
    }
    await provider.cli(['key', 'import', '-'], writeCertificatePem(suzuki.certificate.encoded))
    await provider.start()
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await dovecot?.[Symbol.asyncDispose]()
    await dns?.[Symbol.asyncDispose]()
    await rm(home, { recursive: true, force: true })
  })

  test('protected mail from outside is read by IMAP as it was written; what is added stands on top', async () => {
    assert.match(await comesIn(AZUMA, 'from-outside', DIFFICULT), /^250 /)
    await delivered('from-outside', AZUMA)
    const { added, rest } = withoutAdded(await fetchMail(AZUMA, 'from-outside'), 'From')
    assert.deepEqual(added, [...OF_DOVECOT, ...OF_SEALPOST, 'Received', 'Received'])
    assertSameBytes(rest, Buffer.from(text(SUZUKI, AZUMA, 'from-outside') + DIFFICULT))
  })

  test('the verdict is a keyword, and no mail can forge it', async () => {
    const flags = async (id: string): Promise<string> =>
      (await imap(AZUMA, 'INBOX', `FETCH ${await numberOf(AZUMA, id)} FLAGS`)).toString()
    assert.match(await flags('from-outside'), /\$SealpostVerified/)
    assert.match(await flags('from-outside'), /\$SealpostEncrypted/)
    const forged = 'X-Sealpost-Status: Encrypted on the way. Signature valid: written by u-suzuki\r\n'
    const message = `${text('eve@evil.example', AZUMA, 'forged', forged)}Hello\r\n`
    assert.match(await sendUnauthenticated(provider.ports.mx, 'eve@evil.example', { to: [AZUMA], message }), /^250 /)
    await delivered('forged', AZUMA)
    assert.doesNotMatch(await flags('forged'), /Sealpost/)
    assert.match((await fetchMail(AZUMA, 'forged')).toString(), /^X-Sealpost-Status: Not protected\.\r$/m)
  })

  test('between our own users: mbsync and mutt read what was written', needsAll(READERS), async (t) => {
    const sent = Buffer.from(text(AZUMA, AZUMA, 'inside') + DIFFICULT)
    assert.match(await sends([AZUMA], sent), /^250 /)
    await delivered('inside', AZUMA)
    const check = (mail: Buffer): void => {
      const { added, rest } = withoutAdded(mail, 'From')
      assert.deepEqual(added, [...OF_DOVECOT, ...OF_SEALPOST, 'Received'])
      assertSameBytes(rest, sent)
    }
    for (const [name, fetchAll] of Object.entries({ mbsync: byMbsync, mutt: byMutt }))
      await t.test(name, async () =>
        check((await fetchAll()).find((mail) => mail.includes('<inside@')) ?? assert.fail('it is not there')),
      )
  })

  test('tampered mail is refused in the session, and Dovecot never sees it', async () => {
    const before = provider.log.filter(({ event }) => event === 'delivered').length
    assert.match(await comesIn(AZUMA, 'tampered', 'Hello\r\n', SUZUKI, tamper), /^550 5\.7\.7 /)
    assert.equal(provider.log.filter(({ event }) => event === 'delivered').length, before)
  })

  test('each recipient has an answer of their own: a full mailbox and an unknown one are told to the sender', async () => {
    const sent =
      text(AZUMA, `${FULL}, ${NOWHERE}`, 'three') +
      'x'
        .repeat(70)
        .concat('\r\n')
        .repeat(QUOTA_BYTES / 60)
    assert.match(await sends([AZUMA, FULL, NOWHERE], Buffer.from(sent)), /^250 /)
    await delivered('three', AZUMA)
    for (const [recipient, reply] of [
      [FULL, /^552 5\.2\.2 /],
      [NOWHERE, /^550 5\.1\.1 /],
    ] as const) {
      const returned = await provider.event('returned', (said) => said['recipient'] === recipient, 20_000)
      assert.match(String(returned['reply']), reply)
    }
    const report = await fetchWhenThere((mail) => mail.includes(`Final-Recipient: rfc822; ${FULL}`))
    assert.match(report, /^Message-ID: <three@biglobe\.example>\r$/m)
    assert.doesNotMatch(report, /Secret|xxxxxx/)
    assert.doesNotMatch(report, /^Remote-MTA/m)
  })

  test('a stranger whom nobody vouches for is not told: the mail is held, and can be released', async () => {
    const large = 'x'
      .repeat(70)
      .concat('\r\n')
      .repeat(QUOTA_BYTES / 60)
    assert.match(await comesIn(FULL, 'forged-sender', large, 'eve@evil.example'), /^250 /)
    await delivered('forged-sender', FULL, 'held')
    const [row] = (await provider.cli(['queue', 'list'])).filter(({ state }) => state === 'held')
    assert.equal(row?.['to'], FULL)
    assert.match(String(row['reply']), /^552 5\.2\.2 /)
    await provider.cli(['queue', 'remove', String(row['id'])])
  })

  test('while Dovecot is down mail waits, and all of it arrives when it is up', async () => {
    await dovecot.stop()
    const ids = Array.from({ length: 10 }, (_none, index) => `waiting-${index}`)
    for (const id of ids) assert.match(await comesIn(AZUMA, id), /^250 /)
    await provider.event('deferred', (said) => said['messageId'] === '<waiting-0@biglobe.example>')
    assert.equal((await provider.cli(['queue', 'list'])).length, ids.length)
    await dovecot.start()
    await provider.cli(['queue', 'retry', '--all'])
    for (const id of ids) await delivered(id, AZUMA)
    for (const id of ids) await numberOf(AZUMA, id)
    assert.deepEqual(await provider.cli(['queue', 'list']), [])
  })
  test('on another machine Dovecot gets mail only over TLS, from a host whose certificate names it', async () => {
    const anchor = join(home, 'anchor.pem')
    await writeFile(anchor, tls.certificatePem)
    const lmtp = `${HOST}:${dovecot.lmtpPort}`
    await provider.configure({ mailboxes: { lmtp }, dns: { resolver: dns.resolver } })
    await provider.stop()
    await provider.start()
    assert.match(await comesIn(AZUMA, 'to-another-machine'), /^250 /)
    const isIt = (event: Event): boolean => event['messageId'] === '<to-another-machine@biglobe.example>'
    const deferred = await provider.event('deferred', isIt, 20_000)
    assert.match(String(deferred['reply']), /^454 4\.7\.\d .*certificate/)
    await provider.stop()
    await provider.start({ NODE_EXTRA_CA_CERTS: anchor })
    await provider.cli(['queue', 'retry', '--all'])
    const { tls: version, verified } = await provider.event('delivered', isIt, 20_000)
    assert.deepEqual([version, verified], ['TLSv1.3', 'operator'])
  })
})
