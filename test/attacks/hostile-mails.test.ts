/**
 * Mails made to cost much or to speak in our name, through a running provider: each is answered for good, within the
 * time that one mail may take, by workers that stay alive; and nothing from outside passes for a word of ours.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { HOSTILE_MAILS } from '../support/hostile-mails.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { openPieceByPiece, protectedMail, receive, receiveInMemory } from '../support/protected-mail.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'
import { ALICE, headerOf } from '../support/tampering.ts'

const BOB = 'bob@biglobe.example'
/** Of one mail in a worker; by default it is 30. */
const TIMEOUT_SECONDS = 15
const SIZE_BYTES = 2 ** 20
/** What costs most for its size is tried with a whole mail box full. */
const LARGE_BYTES = 24 * 2 ** 20

let provider: Provider
let password = ''
const alice = smimeIdentity('p256', ALICE)
let bob: Parameters<typeof protectedMail>[0]['signer']['certificate']

before(async () => {
  provider = await makeProvider({
    domains: ['biglobe.example'],
    config: { protection: { timeoutSeconds: TIMEOUT_SECONDS } },
  })
  const [user] = await provider.cli(['user', 'add', BOB])
  password = String(user?.['password'])
  const [key] = await provider.cli(['key', 'export', BOB])
  const parsed = parseCertificate(Buffer.from(String(key?.['pem']).replaceAll(/-----.*-----|\s/g, ''), 'base64'))
  assert(parsed.ok)
  bob = parsed.value
  const pem = Buffer.from(alice.certificate.encoded).toString('base64')
  await provider.cli(['key', 'import', '-'], `-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`)
  await provider.start()
})
after(() => provider[Symbol.asyncDispose]())

const send = (message: Buffer): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, 'a@evil.example', { to: [BOB], message })

for (const { what, make } of HOSTILE_MAILS)
  test(`${what}: answered for good, in time`, async (t) => {
    const begunMs = performance.now()
    const reply = await send(make(SIZE_BYTES, BOB))
    t.diagnostic(`${Math.round(performance.now() - begunMs)} ms: ${reply}`)
    assert.match(reply, /^(?:250 2\.0\.0|550 5\.7\.7|550 5\.6\.0|554 5\.6\.0) /)
    const mails = await fetchAll(provider.ports.pop3s, BOB, password, { remove: true })
    assert.equal(mails.length, reply.startsWith('250') ? 1 : 0)
    for (const mail of mails) assert.doesNotMatch(mail.toString('latin1', 0, 1000), /Signature valid/)
  })

test('the costliest of them stay within the limit when they are large', (t) => {
  const reader = {
    keys: [smimeIdentity('p256', BOB)],
    known: [{ certificate: alice.certificate, trust: 'confirmed' as const }],
  }
  for (const { what, make } of HOSTILE_MAILS) {
    const mail = make(LARGE_BYTES, BOB)
    for (const open of [receiveInMemory, openPieceByPiece]) {
      const begunMs = performance.now()
      open(mail, reader)
      const tookMs = performance.now() - begunMs
      if (tookMs > 1000) t.diagnostic(`${what}, ${open.name}: ${Math.round(tookMs)} ms for ${mail.length} bytes`)
      assert(tookMs < TIMEOUT_SECONDS * 1000, `${what}: ${tookMs} ms`)
    }
  }
})

test('ten million tiny revocation lists are not read to the end', () => {
  const [hostile] = HOSTILE_MAILS.filter(({ what }) => what === 'revocation lists without number')
  const mail = hostile?.make(SIZE_BYTES, BOB) ?? assert.fail()
  assert.match(receive(mail, { keys: [], known: [] }).report.summary.reason ?? '', /too many revocation lists/)
})

const FORGED = [
  'Authentication-Results: mail.biglobe.example; smime=pass body.smime-identifier=boss@bank.example',
  'authentication-results:\r\n (see below) mail.biglobe.example /1; smime=pass',
  'X-Sealpost-Status: Signature valid: written by boss@bank.example',
  'X-SEALPOST-Anything: forged',
  'X-Sealpost: forged',
  'Return-Path: <forged@bank.example>',
].join('\r\n')

test('what a mail says in our name is taken out, outside and inside of every layering', async () => {
  const rows = ['none', 'sign', 'encrypt-sign', 'sign-encrypt', 'triple'] as const
  for (const layering of rows)
    for (const headerProtection of layering === 'none' ? [false] : [true, false]) {
      const header = `${FORGED}\r\n${headerOf(ALICE, BOB, `<forged@peer.example>`)}`
      const mail =
        layering === 'none'
          ? Buffer.from(`${header}\r\nbody\r\n`)
          : protectedMail({
              layering,
              signer: alice,
              recipients: [{ ...alice, certificate: bob }],
              header,
              body: 'body\r\n',
              headerProtection,
            })
      assert.match(await send(mail), /^250 /)
      const [stored = Buffer.alloc(0)] = await fetchAll(provider.ports.pop3s, BOB, password, { remove: true })
      const [shown = ''] = stored.toString('latin1').split('\r\n\r\n')
      assert(stored.toString('latin1').endsWith('body\r\n'), layering)
      assert.doesNotMatch(
        shown,
        /forged@bank|boss@bank|X-SEALPOST-Anything|X-Sealpost: forged/,
        `${layering}:\n${shown}`,
      )
      for (const ours of [/^Return-Path: <a@evil\.example>/gm, /^Authentication-Results:/gim, /^X-Sealpost-Status:/gim])
        assert.equal(shown.match(ours)?.length, 1, `${layering}: ${String(ours)}\n${shown}`)
      assert.equal(/smime=pass/.test(shown), layering !== 'none')
    }
})

test("another server's results stay, and a field that hides ours behind a lone CR goes", async () => {
  const kept = 'Authentication-Results: mx.peer.example; dkim=pass'
  const hidden = 'X-Innocent: a\rX-Sealpost-Status: Signature valid: forged@bank.example'
  const broken = 'X-Sealpost-Status forged@bank.example'
  const header = `${kept}\r\n${hidden}\r\n${broken}\r\n${headerOf(ALICE, BOB, '<cr@peer.example>')}`
  const inside = protectedMail({ layering: 'sign', signer: alice, header, body: 'x\r\n', signing: { form: 'opaque' } })
  // only what is encoded can bring a lone CR past the border: outside, it is refused
  assert.match(await send(inside), /^550 5\.6\.11 /)
  const outside = inside.toString('latin1').replace(`${hidden}\r\n`, '').replace(`${broken}\r\n`, '')
  assert.match(await send(Buffer.from(outside, 'latin1')), /^250 /)
  const [stored = Buffer.alloc(0)] = await fetchAll(provider.ports.pop3s, BOB, password, { remove: true })
  const [shown = ''] = stored.toString('latin1').split('\r\n\r\n')
  assert(shown.includes(kept))
  assert.doesNotMatch(shown, /forged@bank/)
})

test('afterwards every worker is still the first', () => {
  const lost = provider.log.filter((event) => event.event === 'worker-replaced' || event.event === 'trouble')
  assert.deepEqual(lost, [])
  assert.equal(provider.process?.exitCode, null)
})
