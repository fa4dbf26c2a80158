/**
 * The patent's B3 and B5 through a real server: each kind of tampering (test/support/tampering.ts) is sent to port 25.
 * What is refused leaves mailbox and quarantine as they were, and the log says why; what is accepted is shown as what it
 * is. Then the same for the three other policies.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { type Event, type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { ALICE, BODY, MALLORY, type People, TAMPERINGS, alicesMail } from '../support/tampering.ts'
import { replace } from '../support/mail-surgery.ts'

const POLICIES = ['refuse', 'discard', 'quarantine', 'deliver-marked'] as const
type Policy = (typeof POLICIES)[number]
const domainOf = (policy: Policy): string => `${policy}.example`
const bobAt = (policy: Policy): string => `bob@${domainOf(policy)}`
const alice = smimeIdentity('rsa-2048', ALICE)
const mallory = smimeIdentity('rsa-2048', MALLORY)

let provider: Provider
const people = new Map<Policy, People>()
const passwords = new Map<Policy, string>()

before(async () => {
  provider = await makeProvider({
    domains: POLICIES.map(domainOf),
    config: {
      policy: { perDomain: Object.fromEntries(POLICIES.map((each) => [domainOf(each), { onTampered: each }])) },
    },
  })
  for (const policy of POLICIES) {
    const [user] = await provider.cli(['user', 'add', bobAt(policy)])
    passwords.set(policy, String(user?.['password']))
    const [key] = await provider.cli(['key', 'export', bobAt(policy)])
    const bob = parseCertificate(Buffer.from(String(key?.['pem']).replaceAll(/-----.*-----|\s/g, ''), 'base64'))
    assert(bob.ok)
    people.set(policy, { alice, mallory, bob: { certificate: bob.value }, bobAddress: bobAt(policy) })
  }
  await provider.cli(['key', 'import', '-'], [alice, mallory].map(pemOf).join(''))
  await provider.start()
})
after(() => provider[Symbol.asyncDispose]())

const pemOf = ({ certificate }: typeof alice): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate.encoded).toString('base64')}\n-----END CERTIFICATE-----\n`

function peopleOf(policy: Policy): People {
  return people.get(policy) ?? assert.fail()
}

const mailbox = (policy: Policy, remove = false): Promise<Buffer[]> =>
  fetchAll(provider.ports.pop3s, bobAt(policy), passwords.get(policy) ?? '', { remove })

const send = (policy: Policy, message: Buffer): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, 'bounces@evil.example', { to: [bobAt(policy)], message })

const about = (id: string) => (event: Event) => event['messageId'] === id

/** Unfolded; of the first field of that name. */
function headerField(mail: Buffer, name: string): string | undefined {
  const [header = ''] = mail.toString('latin1').split('\r\n\r\n')
  const lines = header.replaceAll(/\r\n(?=[ \t])/g, '').split('\r\n')
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
}

for (const [index, { what, fate, why, make }] of TAMPERINGS.entries())
  test(`${fate}: ${what}`, async () => {
    const id = `<t${index}@peer.example>`
    const mail = make(alicesMail(peopleOf('refuse'), id), peopleOf('refuse'))
    const reply = await send('refuse', mail)
    const mails = await mailbox('refuse', true)
    if (fate === 'malformed') {
      assert.match(reply, /^554 5\.6\.0 /)
      assert.equal(mails.length, 0)
      return
    }
    const verdict = await provider.event('verdict', about(id))
    if (fate === 'refused') {
      assert.match(reply, /^550 5\.7\.7 /)
      assert.equal(mails.length, 0)
      assert.equal(verdict['outcome'], 'refuse')
      assert.match(String(verdict['signature']), /^(?:invalid|mismatch)$/)
      assert.notEqual(verdict['why'] ?? '', '', 'the log says why')
      assert.match(String(verdict['why']), why ?? /./)
      return
    }
    assert.match(reply, /^250 2\.0\.0 /)
    const [stored] = mails
    assert(stored !== undefined && mails.length === 1)
    const isValid = fate === 'valid'
    assert.equal(verdict['signature'] === 'valid' && verdict['rule'] === 'valid', isValid, JSON.stringify(verdict))
    assert.equal(
      /Signature valid: written by alice@peer\.example/.test(headerField(stored, 'X-Sealpost-Status') ?? ''),
      isValid,
    )
    assert.equal(headerField(stored, 'Authentication-Results')?.includes('smime=pass') ?? false, isValid)
    if (!isValid) return
    assert.equal(headerField(stored, 'From'), ALICE)
    assert.equal(headerField(stored, 'Subject'), 'Contract')
    for (const name of ['Reply-To', 'Sender', 'Cc']) assert.equal(headerField(stored, name), undefined, name)
    assert(stored.toString('latin1').endsWith(`\r\n\r\n${BODY}`), stored.toString('latin1'))
  })

test('each policy for tampered mail: what is kept, what is shown, what is logged', async () => {
  const outcomes: readonly [policy: Policy, reply: RegExp, event: string, mails: number][] = [
    ['discard', /^250 /, 'discarded', 0],
    ['quarantine', /^250 /, 'quarantined', 0],
    ['deliver-marked', /^250 /, 'stored', 1],
    ['refuse', /^550 5\.7\.7 /, 'refused', 0],
  ]
  for (const [policy, reply, event, count] of outcomes) {
    const id = `<policy@${domainOf(policy)}>`
    const sent = alicesMail(peopleOf(policy), id)('encrypt-sign')
    const tampered = replace(sent, 'filename="smime.p7m"', 'filename="smime.p7n"')
    assert.match(await send(policy, tampered), reply, policy)
    const said = await provider.event(event, about(id))
    if (event === 'discarded' || event === 'quarantined') assert.match(String(said['why']), /changed after/)
    const verdict = await provider.event('verdict', about(id))
    assert.equal(verdict['signature'], 'invalid')
    assert.equal(verdict['outcome'], policy === 'deliver-marked' ? 'accept' : policy)
    const mails = await mailbox(policy, true)
    assert.equal(mails.length, count, policy)
    for (const mail of mails) {
      const text = mail.toString('latin1')
      assert.match(headerField(mail, 'X-Sealpost-Status') ?? '', /^Warning: changed on the way/)
      assert.match(headerField(mail, 'Authentication-Results') ?? '', /smime=fail/)
      assert(!text.includes(BODY.trim()), 'nothing of it is opened')
      assert(text.endsWith(tampered.toString('latin1').slice(tampered.indexOf('\r\n\r\n'))), 'as it came')
    }
  }
  const held = quarantine()
  assert.equal(held.length, 1)
  assert.deepEqual(JSON.parse(String(held[0]?.['recipients'])), [bobAt('quarantine')])
  assert.equal(held[0]?.['message_id'], `<policy@${domainOf('quarantine')}>`)
  assert.match(String(held[0]?.['reason']), /changed after/)
})

test('a signer who is not the author is treated as tampering by each policy', async () => {
  for (const policy of POLICIES) {
    const id = `<mismatch@${domainOf(policy)}>`
    const sent = alicesMail(peopleOf(policy), id)('encrypt-sign')
    const reply = await send(policy, replace(sent, `From: ${ALICE}`, `From: ${MALLORY}`))
    assert.match(reply, policy === 'refuse' ? /^550 5\.7\.7 / : /^250 /)
    const verdict = await provider.event('verdict', about(id))
    assert.equal(verdict['rule'], 'mismatch')
    const mails = await mailbox(policy, true)
    assert.equal(mails.length, policy === 'deliver-marked' ? 1 : 0)
    for (const mail of mails) {
      assert.match(
        headerField(mail, 'X-Sealpost-Status') ?? '',
        /^Warning: signed by alice@peer\.example, not by mallory/,
      )
      assert(!mail.toString('latin1').includes(BODY.trim()))
    }
  }
  assert.equal(quarantine().length, 2)
})

test('after all of it the mailboxes are empty and the server runs', async () => {
  for (const policy of POLICIES) assert.equal((await mailbox(policy)).length, 0)
  assert.equal(provider.process?.exitCode, null)
  assert.deepEqual(
    provider.log.filter((event) => event.event === 'trouble' || event.event === 'worker-replaced'),
    [],
  )
})

function quarantine(): Record<string, unknown>[] {
  const db = new DatabaseSync(join(provider.dir, 'home', 'sealpost.db'), { readOnly: true })
  const rows = db.prepare('select * from quarantine').all()
  db.close()
  return rows
}
