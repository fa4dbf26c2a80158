/** Mail from the Internet, judged by what the DNS says of its sender: over the wire, with a name server of the test. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { latin1 } from '../../src/base/bytes.ts'
import { dkimpyIsHere, dkimpySigns } from '../support/dkimpy.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'

const AZUMA = 't-azuma@biglobe.example'
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const RECORD = `v=DKIM1; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`

let dns: ScriptedDns
let provider: Provider
let password = ''

before(async () => {
  dns = await startScriptedDns({
    txt: {
      'bank.example': 'v=spf1 -all',
      '_dmarc.bank.example': 'v=DMARC1; p=reject',
      's._domainkey.bank.example': RECORD,
      'shop.example': 'v=spf1 ip4:127.0.0.0/8 -all',
      '_dmarc.shop.example': 'v=DMARC1; p=reject',
      'careful.example': 'v=spf1 -all',
      '_dmarc.careful.example': 'v=DMARC1; p=quarantine',
    },
    broken: ['down.example', '_dmarc.down.example'],
  })
  const config = { dns: { resolver: dns.resolver }, authentication: { exemptNetworks: [] } }
  provider = await makeProvider({ domains: ['biglobe.example'], config })
  const [user] = await provider.cli(['user', 'add', AZUMA])
  password = String(user?.['password'])
  await provider.start()
})
after(async () => {
  await provider[Symbol.asyncDispose]()
  await dns[Symbol.asyncDispose]()
})

const mailFrom = (domain: string, more = ''): string =>
  `${more}From: me@${domain}\r\nTo: ${AZUMA}\r\nSubject: Hello\r\nMessage-ID: <1@${domain}>\r\n\r\nHello\r\n`

const send = (message: string, from: string): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, from, { to: [AZUMA], message })

/** The one mail that is in the mailbox, unfolded. */
async function received(): Promise<string> {
  const mails = await fetchAll(provider.ports.pop3s, AZUMA, password, { remove: true })
  assert.equal(mails.length, 1)
  return (mails[0] as Buffer).toString().replaceAll(/\r\n[ \t]+/g, ' ')
}

test('in the name of a domain that asks to refuse: 550 5.7.26, and nothing is stored', async () => {
  assert.match(await send(mailFrom('bank.example'), 'me@bank.example'), /^550 5\.7\.26 .*DMARC/)
  assert.match(await send(mailFrom('bank.example'), 'eve@shop.example'), /^550 5\.7\.26 /)
  const verdict = await provider.event('verdict')
  assert.equal(verdict['authentication'], 'spf=fail dkim=none dmarc=fail')
  assert.deepEqual(await fetchAll(provider.ports.pop3s, AZUMA, password), [])
})

test('SPF vouches, and what a stranger says of himself in our name is gone', async () => {
  const forged = `Authentication-Results: mail.biglobe.example; dmarc=pass header.from=bank.example\r\n`
  assert.match(await send(mailFrom('shop.example', forged), 'me@shop.example'), /^250 /)
  const mail = await received()
  assert.match(
    mail,
    /^Authentication-Results: \S+; smime=none; spf=pass smtp\.mailfrom=shop\.example; dkim=none; dmarc=pass \(p=reject\) header\.from=shop\.example\r$/m,
  )
  assert.doesNotMatch(mail, /bank\.example/)
})

test('a domain that asks for quarantine: delivered, and the reader is told', async () => {
  assert.match(await send(mailFrom('careful.example'), 'me@careful.example'), /^250 /)
  assert.match(
    await received(),
    /^X-Sealpost-Status: Not protected\. Warning: the domain in From does not vouch for this mail\.\r$/m,
  )
})

test('a name server in trouble refuses nothing', async () => {
  assert.match(await send(mailFrom('down.example'), 'me@down.example'), /^250 /)
  assert.match(await received(), /; spf=temperror .*; dmarc=temperror /)
})

test("the author's own valid signature says more than the domain that the mail came from", async () => {
  const [known, stranger] = [smimeIdentity('p256', 'me@bank.example'), smimeIdentity('rsa-2048', 'me@bank.example')]
  await provider.cli(['key', 'import', '-'], writeCertificatePem(known.certificate.encoded))
  const signedBy = (signer: typeof known): string => {
    const header = `From: me@bank.example\r\nTo: ${AZUMA}\r\nMessage-ID: <2@bank.example>\r\n`
    return latin1(protectedMail({ layering: 'sign', signer, recipients: [], header, body: 'Hello\r\n' }))
  }
  assert.match(await send(signedBy(stranger), 'list@shop.example'), /^550 5\.7\.26 /)
  assert.match(await send(signedBy(known), 'list@shop.example'), /^250 /)
  assert.match(await received(), /; smime=pass [^\r]*; dmarc=fail \(p=reject\) header\.from=bank\.example\r$/m)
})

describe('signed by dkimpy', dkimpyIsHere(), () => {
  const how = { selector: 's', domain: 'bank.example', privkey: privateKey.export({ type: 'pkcs1', format: 'pem' }) }

  test('DKIM vouches for mail that came another way, however large', async () => {
    for (const body of ['', 'x'.repeat(70).concat('\r\n').repeat(100_000)]) {
      const message = latin1(await dkimpySigns('dkim-sign', Buffer.from(`${mailFrom('bank.example')}${body}`), how))
      assert.match(await send(message, 'list@shop.example'), /^250 /)
      assert.match(
        await received(),
        /; dkim=pass header\.d=bank\.example header\.s=s header\.a=rsa-sha256; dmarc=pass /,
      )
      const changed = message.replace('\r\n\r\nHello', '\r\n\r\nJello')
      assert.match(await send(changed, 'list@shop.example'), /^550 5\.7\.26 /)
    }
  })
})
