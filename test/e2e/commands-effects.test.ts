/** What the commands do to real mail while the server runs: users, keys, trust and the queue. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { freePort } from '../support/free-port.ts'
import { type Provider, makeProvider, runSealpost } from '../support/provider.ts'
import { runCommand } from '../support/run-command.ts'
import { startScriptedSmtp } from '../support/scripted-smtp.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { type SmimeIdentity, smimeIdentity } from '../support/smime-identity.ts'
import { makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const EVENT_TIMEOUT_MS = 60_000
const CHANGE_TIMEOUT_MS = 30_000
/** Shorter than the shortest rest of a domain. */
const RETRY_TIMEOUT_MS = 30_000
const dir = mkdtempSync(join(tmpdir(), 'sealpost-effects-'))
let provider: Provider
const passwords = new Map<string, string>()
let mails = 0
/** Of the next hop for e.example, where nobody listens yet. */
let deadPort = 0

before(async () => {
  deadPort = await freePort()
  provider = await makeProvider({
    domains: ['a.example'],
    config: {
      relay: {
        routes: { 'c.example': '127.0.0.1:1', 'd.example': '127.0.0.1:1', 'e.example': `127.0.0.1:${deadPort}` },
      },
    },
  })
  for (const name of ['ann', 'ben', 'cara']) {
    const [user] = await provider.cli(['user', 'add', `${name}@a.example`])
    passwords.set(name, String(user?.['password']))
  }
  await provider.start()
})
after(async () => {
  await provider[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

const text = (from: string, to: string): string =>
  `From: ${from}\r\nTo: ${to}\r\nMessage-ID: <${++mails}@test.example>\r\nSubject: Hello\r\n\r\nHi\r\n`

const fromOutside = (to: string, message: string | Uint8Array = text('x@c.example', to)): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, 'x@c.example', { to: [to], message })

const submitAs = async (name: string, to: string, header = ''): Promise<string> => {
  const user = `${name}@a.example`
  const message = header + text(user, to)
  const password = passwords.get(name) ?? ''
  return (await submit({ port: provider.ports.submission, user, password, to: [to], message })).reply
}

const fetchOf = (name: string): Promise<Buffer[]> =>
  fetchAll(provider.ports.pop3s, `${name}@a.example`, passwords.get(name) ?? '', { remove: true })

/** The server hears of a change made by a command a moment later. */
async function soon<T>(look: () => Promise<T>, matches: (found: T) => boolean): Promise<T> {
  const endMs = Date.now() + CHANGE_TIMEOUT_MS
  for (;;) {
    const found = await look()
    if (matches(found) || Date.now() > endMs) return found
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

test('a suspended user cannot sign in, and mail is still taken; resumed, it is there', async () => {
  await provider.cli(['user', 'suspend', 'ben@a.example'])
  const refused = await soon(
    () => submitAs('ben', 'ann@a.example'),
    (reply) => reply.startsWith('535'),
  )
  assert.match(refused, /^535 5\.7\.8/)
  await assert.rejects(fetchOf('ben'), /login failed: -ERR/)
  assert.match(await fromOutside('ben@a.example'), /^250 2\.0\.0/)
  await provider.cli(['user', 'resume', 'ben@a.example'])
  const [mail, ...others] = await soon(
    () => fetchOf('ben').catch(() => []),
    (found) => found.length > 0,
  )
  assert.equal(others.length, 0)
  assert.match(String(mail), /\r\nHi\r\n$/)
})

test('a removed user gets no mail (550 5.1.1) and cannot sign in; the address is never given again', async () => {
  assert.match(await fromOutside('cara@a.example'), /^250/)
  await provider.cli(['user', 'remove', 'cara@a.example'])
  const reply = await soon(
    () => fromOutside('cara@a.example'),
    (said) => said.startsWith('550'),
  )
  assert.match(reply, /^550 5\.1\.1/)
  await assert.rejects(fetchOf('cara'), /login failed: -ERR/)
  const again = await runCommand(['user', 'add', 'cara@a.example', '--config', provider.configFile])
  assert.deepEqual([again.code, /given out already/.test(again.stderr)], [1, true])
  assert.equal((await provider.cli(['key', 'list', 'cara@a.example'])).length, 2, 'her keys stay')
})

test('after key rotate, old mail still opens, and new mail is signed with the new key', async () => {
  const draft = join(dir, 'draft.eml')
  writeFileSync(draft, text('ben@a.example', 'ann@a.example'))
  const [sealed] = await provider.cli(['seal', draft, '--from', 'ben@a.example'])
  const [rotated] = await provider.cli(['key', 'rotate', 'ann@a.example'])
  await provider.cli(['key', 'rotate', 'ben@a.example'])
  assert.ok(String(sealed?.['message']).includes('pkcs7-mime'))
  assert.match(await fromOutside('ann@a.example', Buffer.from(String(sealed?.['message']), 'latin1')), /^250/)
  const [opened] = await fetchOf('ann')
  assert.match(String(opened), /Authentication-Results: [^\r]*(?:\r\n[ \t][^\r]*)*smime=pass/)
  assert.match(String(opened), /\r\nHi\r\n$/)

  const answer = join(dir, 'answer.eml')
  writeFileSync(answer, text('ann@a.example', 'ben@a.example'))
  const [fresh] = await provider.cli(['seal', answer, '--from', 'ann@a.example'])
  const file = join(dir, 'fresh.eml')
  writeFileSync(file, String(fresh?.['message']), 'latin1')
  const [{ keys }] = [rotated as { keys: { fingerprint: string }[] }]
  const [exported] = await provider.cli(['key', 'export', 'ann@a.example'])
  assert.partialDeepStrictEqual(exported?.['keys'], [{ fingerprint: keys[0]?.fingerprint }])
  const newKey = join(dir, 'new.pem')
  writeFileSync(newKey, String(exported?.['pem']))
  const [found] = await provider.cli(['open', file, '--with', newKey])
  assert.equal((found as { layers: { verdict: string }[] }).layers[0]?.verdict, 'valid')
})

test('a revoked key is used no more, and mail signed with it is refused', async () => {
  const carl = smimeIdentity('p256', 'carl@c.example')
  await provider.cli(['key', 'import', '-'], writeCertificatePem(carl.certificate.encoded))
  assert.equal(await verdictOf(carl), 'valid')
  const draft = join(dir, 'to-carl.eml')
  writeFileSync(draft, text('ann@a.example', 'carl@c.example'))
  const seal = async (): Promise<string> => {
    const [sealed] = await provider.cli(['seal', draft, '--from', 'ann@a.example'])
    return String(sealed?.['message'])
  }
  assert.match(await seal(), /application\/pkcs7-mime/)
  await provider.cli(['key', 'revoke', carl.certificate.fingerprint])
  assert.doesNotMatch(await seal(), /application\/pkcs7-mime/)
  const reply = await soon(
    () => fromOutside('ann@a.example', signedBy(carl)),
    (said) => said.startsWith('550'),
  )
  assert.match(reply, /^550 5\.7\.1/)
  await fetchOf('ann')
})

test('mail under an authority is believed from trust add to trust remove', async () => {
  const time = { notBeforeMs: Date.UTC(2020, 0, 1), notAfterMs: Date.UTC(2060, 0, 1) }
  const root = makeAuthority({ name: 'Root', ...time })
  const extensions = [subjectAltName([mailboxName('carl@d.example')], false)]
  const carl = { ...makeCertificate({ name: 'Carl', issuer: root, extensions, ...time }), chain: [] }
  const { fingerprint } = root.certificate
  assert.equal(await verdictOf(carl, 'carl@d.example'), 'untrusted')
  await provider.cli(['trust', 'add', '-'], writeCertificatePem(root.certificate.encoded))
  assert.equal(
    await soon(
      () => verdictOf(carl, 'carl@d.example'),
      (verdict) => verdict === 'valid',
    ),
    'valid',
  )
  await provider.cli(['trust', 'remove', fingerprint])
  const after = await soon(
    () => verdictOf(carl, 'carl@d.example'),
    (verdict) => verdict !== 'valid',
  )
  assert.equal(after, 'untrusted')
  await fetchOf('ann')
})

test('queue list, hold, release and remove; trace tells what happened', async () => {
  assert.match(await submitAs('ann', 'dora@c.example'), /^250/)
  const messageId = `<${mails}@test.example>`
  const list = async (): Promise<readonly Record<string, unknown>[]> => provider.cli(['queue', 'list'])
  const [item] = await soon(list, ([first]) => Number(first?.['attempts']) > 0)
  assert.deepEqual(
    [item?.['from'], item?.['to'], item?.['state'], item?.['messageId']],
    ['ann@a.example', 'dora@c.example', 'ready', messageId],
  )
  const id = String(item?.['id'])
  assert.deepEqual(await provider.cli(['queue', 'hold', id]), [{ change: 'hold', count: 1 }])
  assert.equal((await list())[0]?.['state'], 'held')
  assert.deepEqual(await provider.cli(['queue', 'release', '--all']), [{ change: 'release', count: 1 }])
  assert.equal((await list())[0]?.['state'], 'ready')
  assert.deepEqual(await provider.cli(['queue', 'remove', id]), [{ change: 'remove', count: 1 }])
  assert.deepEqual(await list(), [])
  const traced = await provider.cli(['trace', messageId])
  assert.equal(traced[0]?.['event'], 'queued')
  assert.match(String(traced[0]?.['detail']), /dora@c\.example: (?:smime|openpgp), signed only$/)
  assert.deepEqual(
    traced.flatMap(({ event, detail }) =>
      event === 'administered' ? [String(detail).replace(/ by cli:.*,/, '')] : [],
    ),
    ['hold', 'release', 'remove'].map((change) => `queue ${change} for dora@c.example`),
  )
  const { copies } = (traced[0] ?? {})['facts'] as { copies: readonly Record<string, unknown>[] }
  assert.deepEqual([copies[0]?.['recipients'], copies[0]?.['protection']], [['dora@c.example'], 'signed'])
  assert.deepEqual(await provider.cli(['trace', messageId.slice(1, -1)]), traced)
})

test('the trace tells why a submitted mail was refused, and by which keys another was opened', async () => {
  const [user, to, password] = ['ann@a.example', 'ben@a.example', passwords.get('ann') ?? '']
  const message = text('cara@a.example', to)
  const { reply } = await submit({ port: provider.ports.submission, user, password, to: [to], message })
  assert.match(reply, /^550 5\.7\.1 From is cara@a\.example/)
  const [refused = {}, ...more] = await provider.cli(['trace', `<${mails}@test.example>`])
  assert.deepEqual([refused['event'], refused['detail'], more], ['refused', `submission: refused with ${reply}`, []])
  assert.equal((refused['facts'] as { sender: string }).sender, user)

  assert.match(await submitAs('ann', to), /^250/)
  const traced = await soon(
    () => provider.cli(['trace', `<${mails}@test.example>`]),
    (entries) => entries.length === 3,
  )
  assert.deepEqual(
    traced.map(({ event }) => event),
    ['queued', 'verdict', 'delivered'],
  )
  const key = String.raw`key [0-9a-f]{16} of (?:ann|ben)@a\.example \(own\)`
  assert.match(String(traced[0]?.['detail']), new RegExp(`, encrypt-sign \\(.*\\), aes-.*, for ${key}, ${key}$`))
  assert.match(
    String(traced[1]?.['detail']),
    new RegExp(`^accept for ben@a.example: rule valid, .*, encrypted aes.*, signature valid by ann@a.example, ${key}`),
  )
  await fetchOf('ben')
})

test('the queue is listed and changed by domain, sender and state; people see ages', async () => {
  assert.match(await submitAs('ann', 'dora@c.example'), /^250/)
  assert.match(await submitAs('ann', 'emil@d.example'), /^250/)
  const queue = (...args: string[]) => provider.cli(['queue', ...args])
  await soon(
    () => queue('list'),
    (items) => items.length === 2 && items.every(({ attempts }) => Number(attempts) > 0),
  )
  assert.deepEqual(await queue('hold', '--domain', 'D.example'), [{ change: 'hold', count: 1 }])
  assert.deepEqual(
    (await queue('list', '--state', 'held')).map(({ to }) => to),
    ['emil@d.example'],
  )
  assert.deepEqual(await queue('retry', '--all'), [{ change: 'retry', count: 1 }], 'what is held stays held')
  assert.equal((await queue('list', '--sender', 'ann@a.example')).length, 2)
  assert.deepEqual(await queue('list', '--sender', '<>'), [])
  const table = await runSealpost(['queue', 'list', '--config', provider.configFile])
  assert.match(table, /^ID +AGE +NEXT +ATTEMPTS +FROM +TO +MESSAGEID +REPLY\n/)
  assert.match(table, /\d+ s +held +1 +ann@a\.example +emil@d\.example /)
  await assert.rejects(queue('list', '--state', 'lost'), /there are ready and held/)
  await assert.rejects(queue('remove', '99999'), /There is no queue entry 99999/)
  assert.deepEqual(await queue('remove', '--state', 'held', '--domain', 'c.example'), [{ change: 'remove', count: 0 }])
  assert.deepEqual(await queue('remove', '--all'), [{ change: 'remove', count: 2 }])
})

test('a next hop that was down is back: queue retry ends the rest of its domain', async () => {
  assert.match(await submitAs('ann', 'eva@e.example'), /^250/)
  const tried = await soon(
    () => provider.cli(['queue', 'list', '--domain', 'e.example']),
    ([item]) => Number(item?.['attempts']) > 0,
  )
  assert.match(String(tried[0]?.['reply']), /^451 4\.4\.1 No connection/)
  await using hop = await startScriptedSmtp({}, { port: deadPort })
  await provider.cli(['queue', 'retry', '--domain', 'e.example'])
  const about = `<${mails}@test.example>`
  const delivered = await provider.event('delivered', ({ messageId }) => messageId === about, RETRY_TIMEOUT_MS)
  assert.deepEqual([delivered['address'], delivered['tls'], hop.messages.length], ['127.0.0.1', 'none', 1])
  const told = (await provider.cli(['trace', about])).filter(({ event }) => event !== 'administered')
  const [deferred, ...rest] = told.slice(1)
  assert.match(String(deferred?.['detail']), /^not delivered yet to eva@e\.example: 451 4\.4\.1 No connection/)
  assert.deepEqual(
    rest.map(({ detail }) => String(detail).replace(/: 250 .*/, '')),
    ['delivered to eva@e.example at 127.0.0.1 [127.0.0.1] (no TLS)'],
  )
})

test('what one command changes, another terminal of the same user sees', async () => {
  assert.match(await submitAs('ann', 'ben@a.example'), /^250/)
  const [mail] = await fetchWhenThere(
    provider.ports.pop3s,
    'ben@a.example',
    passwords.get('ben') ?? '',
    1,
    EVENT_TIMEOUT_MS,
  )
  assert.match(String(mail), /smime=pass/)
})

function signedBy(signer: SmimeIdentity, from = 'carl@c.example'): Buffer {
  const header = text(from, 'ann@a.example').replace('\r\nHi\r\n', '')
  return protectedMail({ layering: 'sign', signer, header, body: 'Hi\r\n' })
}

/** Sends a mail signed by them to Ann, and says how the server judged it. */
async function verdictOf(signer: SmimeIdentity, from = 'carl@c.example'): Promise<unknown> {
  const message = signedBy(signer, from)
  const messageId = `<${mails}@test.example>`
  await fromOutside('ann@a.example', message)
  const event = await provider.event('verdict', (each) => each['messageId'] === messageId, EVENT_TIMEOUT_MS)
  return event['signature']
}
