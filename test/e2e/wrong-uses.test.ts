/**
 * What nobody should do, through a whole running provider: each is answered with a clear reply and the right code
 * (RFC 3463), nothing of it reaches a mailbox, and the server goes on serving.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'

import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit, talkSmtp } from '../support/smtp-client.ts'
import { DAY_MS, certificateDer } from '../support/x509-maker.ts'

const AZUMA = 't-azuma@biglobe.example'
const SUZUKI = 'u-suzuki@biglobe.example'
const SIZE_MAX = 2 ** 20

let provider: Provider
const passwords = new Map<string, string>()

before(async () => {
  provider = await makeProvider({
    domains: ['biglobe.example'],
    config: {
      limits: { messageSizeMaxBytes: SIZE_MAX, recipientsMax: 100 },
      relay: { routes: { '*': '127.0.0.1:9' } },
      policy: { perDomain: { 'secret.example': { noKey: 'require' } } },
    },
  })
  for (const address of [AZUMA, SUZUKI]) {
    const [user] = await provider.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
  }
  await provider.cli(['key', 'import', '-'], certificateOfTomorrow('tomorrow@far.example'))
  await provider.start()
})
after(() => provider[Symbol.asyncDispose]())

function certificateOfTomorrow(address: string): string {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const extensions = [subjectAltName([mailboxName(address)], false)]
  const notBeforeMs = Date.now() + DAY_MS
  return writeCertificatePem(
    certificateDer({ name: address, key, extensions, notBeforeMs, notAfterMs: notBeforeMs + DAY_MS }),
  )
}

const mail = (from: string, more = '', body = 'Hello\r\n'): string =>
  `From: ${from}\r\nTo: ${SUZUKI}\r\nSubject: x\r\n${more}\r\n${body}`

interface Attempt {
  readonly user?: string
  readonly password?: string
  readonly from?: string
  readonly to?: readonly string[]
  readonly message?: string | Uint8Array
  readonly mailParameters?: string
}

const submitted: readonly [attempt: Attempt, reply: RegExp, why: string][] = [
  [{ user: 'nobody@biglobe.example', password: 'x' }, /^535 5\.7\.8 /, 'unknown user'],
  [{ password: 'wrong' }, /^535 5\.7\.8 /, 'wrong password'],
  [{ from: SUZUKI }, /^550 5\.7\.1 /, "somebody else's address in MAIL"],
  [{ from: '' }, /^550 5\.7\.1 /, 'no address in MAIL'],
  [{ message: mail(SUZUKI) }, /^550 5\.7\.1 /, "somebody else's From"],
  [{ message: mail(AZUMA, `Sender: ${SUZUKI}\r\n`) }, /^550 5\.7\.1 /, "somebody else's Sender"],
  [{ message: mail(AZUMA, `Reply-To: ${SUZUKI}\r\n`) }, /^550 5\.7\.1 /, "somebody else's Reply-To"],
  [{ message: mail(AZUMA, `From: ${SUZUKI}\r\n`) }, /^550 5\.7\.1 /, 'two From fields'],
  [{ message: mail(`${AZUMA}, ${SUZUKI}`) }, /^550 5\.7\.1 /, 'two authors'],
  [{ message: `To: ${SUZUKI}\r\n\r\nx\r\n` }, /^550 5\.7\.1 /, 'no From'],
  [{ message: mail('t-azuma') }, /^550 5\.1\.7 /, 'a From that is no address'],
  [{ message: mail(`=?utf-8?q?a=0D=0ABcc:_${SUZUKI}?= <${AZUMA}>`) }, /^550 5\.1\.7 /, 'a line end hidden in the name'],
  [{ message: mail(`=?utf-8?q?=3C${SUZUKI}=3E?= <${AZUMA}>`) }, /^550 5\.1\.7 /, 'another address hidden in the name'],
  [{ message: mail(`"${SUZUKI}\0" <${AZUMA}>`) }, /^550 5\.6\.0 /, 'NUL in the name'],
  [{ message: mail(AZUMA, '', 'a\nb\r\n') }, /^550 5\.6\.11 /, 'bare LF'],
  [{ message: mail(AZUMA, '', 'a\rb\r\n') }, /^550 5\.6\.11 /, 'bare CR'],
  [{ message: mail(AZUMA, '', 'a\0b\r\n') }, /^550 5\.6\.0 /, 'NUL'],
  [{ message: mail(AZUMA, '', '0123456789abcdef\r\n'.repeat(SIZE_MAX / 16)) }, /^552 5\.3\.4 /, 'larger than allowed'],
  [{ mailParameters: ` SIZE=${SIZE_MAX + 1}` }, /^552 5\.3\.4 /, 'said to be larger than allowed'],
  [{ message: `From: ${AZUMA}\r\n${'X: yyyy\r\n'.repeat(80_000)}` }, /^550 5\.6\.0 /, 'a header without end'],
  [{ message: mail(AZUMA, 'X: y\r\n'.repeat(3000)) }, /^554 5\.6\.0 /, 'a header of 3000 fields'],
  [{ message: mail(AZUMA, 'Content-Type: a/b\r\nContent-Type: c/d\r\n') }, /^554 5\.6\.0 /, 'Content-Type twice'],
  [
    { message: mail(AZUMA, 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n', 'in the clear\r\n') },
    /^554 5\.6\.0 /,
    'a mail that says that it is encrypted, and is not',
  ],
  [{ message: mail(AZUMA, 'Received: by x\r\n'.repeat(101)) }, /^554 5\.4\.6 /, 'a loop'],
  [{ to: ['x@secret.example'] }, /^554 5\.7\.5 .*no key/i, 'encryption demanded for the domain, and no key known'],
  [{ message: mail(AZUMA, 'X-Sealpost: require\r\n'), to: ['x@far.example'] }, /^554 5\.7\.5 /, 'encryption asked for'],
  [{ to: ['tomorrow@far.example'] }, /^451 4\.3\.5 .*not valid yet/, 'nobody is written to in clear for a wrong clock'],
  [{ to: ['no address'] }, /^501 5\.1\.3 /, 'a recipient that is no address'],
]

for (const [attempt, reply, why] of submitted)
  test(`submission: ${why}`, async () => {
    const { user = AZUMA, to = [SUZUKI], message = mail(AZUMA), ...rest } = attempt
    const password = attempt.password ?? passwords.get(AZUMA) ?? ''
    const sent = await submit({
      port: provider.ports.submission,
      user,
      password,
      to,
      message,
      ...rest,
      from: attempt.from ?? AZUMA,
    })
    assert.match(sent.reply, reply)
  })

const dialogs: readonly [listener: 'mx' | 'submission', lines: readonly string[], reply: RegExp, why: string][] = [
  ['submission', ['EHLO a', `MAIL FROM:<${AZUMA}>`], /^530 5\.7\.0 /, 'sending without signing in'],
  ['submission', ['EHLO a', 'AUTH PLAIN AGEAYg=='], /^538 5\.7\.11 /, 'a password in clear'],
  ['mx', ['EHLO a', 'AUTH PLAIN AGEAYg=='], /^502 5\.5\.1 /, 'signing in where servers send'],
  ['mx', ['EHLO a', 'MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>'], /^550 5\.7\.1 /, 'relaying'],
  ['mx', ['EHLO a', `MAIL FROM:<${AZUMA}>`, 'RCPT TO:<c@d.example>'], /^550 5\.7\.1 /, "relaying in a user's name"],
  ['mx', ['EHLO a', 'MAIL FROM:<a@b.example>', 'RCPT TO:<c%d.example@biglobe.example>'], /^550 5\.1\.1 /, '% hack'],
  ['mx', ['EHLO a', 'MAIL FROM:<a@b.example>', 'RCPT TO:<nobody@biglobe.example>'], /^550 5\.1\.1 /, 'no such user'],
  ['mx', ['EHLO a', 'MAIL FROM:<a@b.example>', 'DATA'], /^503 5\.5\.1 /, 'data for nobody'],
  ['mx', ['EHLO a;b'], /^501 /, 'a name that would break a header field'],
  ['mx', ['EHLO a', 'MAIL FROM:<"a\\\u0001b"@b.example>'], /^501 5\.1\.7 |^50\d /, 'a control character in an address'],
]

for (const [listener, lines, reply, why] of dialogs)
  test(`${listener}: ${why}`, async () => {
    await using talk = await talkSmtp(provider.ports[listener])
    let last = ''
    for (const line of lines) last = await talk.say(line)
    assert.match(last, reply)
  })

test('recipients without limit: the hundred and first is put off, the others are served', async () => {
  await using talk = await talkSmtp(provider.ports.submissions, { tls: true })
  await talk.say('EHLO a')
  await talk.say(`AUTH PLAIN ${Buffer.from(`\0${AZUMA}\0${passwords.get(AZUMA)}`).toString('base64')}`)
  await talk.say(`MAIL FROM:<${AZUMA}>`)
  for (let i = 0; i < 100; i++) assert.match(await talk.say(`RCPT TO:<r${i}@far.example>`), /^250 /)
  assert.match(await talk.say('RCPT TO:<r100@far.example>'), /^452 4\.5\.3 /)
  assert.match(await talk.say('RSET'), /^250 /)
})

test('a sign-in that is tried again and again is ended', async () => {
  await using talk = await talkSmtp(provider.ports.submissions, { tls: true })
  await talk.say('EHLO a')
  const wrong = Buffer.from('\0a@biglobe.example\0b').toString('base64')
  assert.match(await talk.say(`AUTH PLAIN ${wrong}`), /^535 5\.7\.8 /)
  assert.match(await talk.say(`AUTH PLAIN ${wrong}`), /^535 5\.7\.8 /)
  assert.match(await talk.say(`AUTH PLAIN ${wrong}`), /^535 5\.7\.8 /)
  assert.match(await talk.say('NOOP').catch(() => '421 closed'), /^421 /)
})

test('where a domain demands encryption, a recipient without a key is refused at RCPT, and the others are served', async () => {
  await using talk = await talkSmtp(provider.ports.submissions, { tls: true })
  await talk.say('EHLO a')
  await talk.say(`AUTH PLAIN ${Buffer.from(`\0${AZUMA}\0${passwords.get(AZUMA)}`).toString('base64')}`)
  await talk.say(`MAIL FROM:<${AZUMA}>`)
  assert.match(await talk.say('RCPT TO:<x@secret.example>'), /^554 5\.7\.5 Encryption is required/)
  assert.match(await talk.say(`RCPT TO:<${SUZUKI}>`), /^250 /)
  assert.match(await talk.say('RCPT TO:<x@far.example>'), /^250 /)
  assert.match(await talk.say('RSET'), /^250 /)
})

test('the refused recipient is named to the sender, and the others are served', async () => {
  const message = mail(AZUMA, 'X-Sealpost: require\r\nMessage-ID: <partial@biglobe.example>\r\n')
  const password = passwords.get(AZUMA) ?? ''
  const to = [SUZUKI, 'x@far.example']
  const { reply } = await submit({ port: provider.ports.submission, user: AZUMA, password, to, message })
  assert.match(reply, /^250 2\.0\.0 Queued: encrypted and signed for 1; not sent to x@far\.example/)
  const [report] = await fetchWhenThere(provider.ports.pop3s, AZUMA, password)
  const text = report?.toString() ?? ''
  assert.match(text, /multipart\/report/)
  assert.match(text, /Final-Recipient: rfc822; ?x@far\.example/)
  assert.match(text, /Status: 5\.7\.5/)
  assert.match(text, /554 5\.7\.5/)
  assert(!text.includes('u-suzuki@biglobe.example\r\nAction'), 'only the refused one')
  const [delivered] = await fetchWhenThere(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '')
  assert.match(delivered?.toString() ?? '', /Signature valid/)
  assert.doesNotMatch(delivered?.toString() ?? '', /X-Sealpost: require/)
  for (const user of [AZUMA, SUZUKI])
    await fetchAll(provider.ports.pop3s, user, passwords.get(user) ?? '', { remove: true })
})

test('eight bits without 8BITMIME are kept as they are', async () => {
  const message = Buffer.concat([Buffer.from(mail('a@b.example', '', '')), Buffer.from([0xe9, 0x80, 0xff, 13, 10])])
  assert.match(await sendUnauthenticated(provider.ports.mx, 'a@b.example', { to: [SUZUKI], message }), /^250 /)
  const [stored] = await fetchWhenThere(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '')
  assert(stored?.includes(message))
  await fetchAll(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '', { remove: true })
})

test('afterwards the mailboxes are empty, no worker was lost, and a good mail goes through', async () => {
  for (const user of [AZUMA, SUZUKI])
    assert.equal((await fetchAll(provider.ports.pop3s, user, passwords.get(user) ?? '')).length, 0, user)
  const password = passwords.get(AZUMA) ?? ''
  const message = mail(AZUMA, 'Message-ID: <good@biglobe.example>\r\n')
  const { reply } = await submit({ port: provider.ports.submission, user: AZUMA, password, to: [SUZUKI], message })
  assert.match(reply, /^250 2\.0\.0 /)
  const [stored] = await fetchWhenThere(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '')
  assert(stored?.includes('Hello'))
  assert.equal(provider.process?.exitCode, null)
  const bad = provider.log.filter((event) => event.event === 'trouble' || event.event === 'worker-replaced')
  assert.deepEqual(bad, [])
})
