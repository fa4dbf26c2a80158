/**
 * Signing and decryption oracles of a gateway (Schwenk et al., "Mitigation of Attacks on Email End-to-End Encryption", CCS
 * 2020, asks what may be signed and opened for whom; a gateway has the keys of all its users). Whoever gets a mail past
 * it in a user's name has that user's signature, and whoever gets a ciphertext opened on the way has its plaintext. Only a
 * signed-in user's own mail is signed, and nothing is opened but for its recipient. (Who may be named in a submitted
 * mail: test/e2e/wrong-uses.test.ts.)
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import type { SmimeCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { SECRET, cmsEntity, multipart } from '../support/attack.ts'
import { cbcEncrypt, forgeEnvelope } from '../support/forge-cms.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const AZUMA = 't-azuma@biglobe.example'
const SUZUKI = 'u-suzuki@biglobe.example'
const contentKey = Buffer.alloc(32, 8)

let provider: Provider
const passwords = new Map<string, string>()
let azuma: SmimeCertificate

before(async () => {
  provider = await makeProvider({ domains: ['biglobe.example'] })
  for (const address of [AZUMA, SUZUKI]) {
    const [user] = await provider.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
  }
  const [key] = await provider.cli(['key', 'export', AZUMA])
  const parsed = parseCertificate(Buffer.from(String(key?.['pem']).replaceAll(/-----.*-----|\s/g, ''), 'base64'))
  assert(parsed.ok)
  azuma = parsed.value
  await provider.start()
})
after(() => provider[Symbol.asyncDispose]())

/** A mail to Azuma that somebody else has captured. */
const captured = (): string => {
  const ciphertext = cbcEncrypt(contentKey, Buffer.from(`Content-Type: text/plain\r\n\r\n${SECRET}\r\n`))
  return cmsEntity('enveloped-data', forgeEnvelope({ to: { certificate: azuma }, contentKey, ciphertext }))
}

const mail = (from: string, to: string, entity: string): string =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: x\r\nMIME-Version: 1.0\r\n${entity}`

const fetched = async (user: string): Promise<string[]> => {
  const mails = await fetchAll(provider.ports.pop3s, user, passwords.get(user) ?? '', { remove: true })
  return mails.map((each) => each.toString('latin1'))
}

test('a mail from outside in a user’s name is delivered as what it is, and signed by nobody', async () => {
  const message = mail(AZUMA, SUZUKI, 'Content-Type: text/plain\r\n\r\nPay 9999 yen\r\n')
  assert.match(await sendUnauthenticated(provider.ports.mx, AZUMA, { to: [SUZUKI], message }), /^250 /)
  const [shown = '', ...more] = await fetched(SUZUKI)
  assert.deepEqual(more, [])
  assert.match(shown, /smime=none/)
  assert.match(shown, /^X-Sealpost-Status: Not protected/m)
  assert.doesNotMatch(shown, /pkcs7|smime=pass/)
})

test('a captured ciphertext for Azuma, sent to Suzuki: nobody opens it for her, whatever it is in', async () => {
  const entities = [captured(), multipart('mixed', ['\r\nHello', captured()])]
  for (const entity of entities) {
    const message = mail('eve@evil.example', SUZUKI, entity)
    assert.match(await sendUnauthenticated(provider.ports.mx, 'eve@evil.example', { to: [SUZUKI], message }), /^250 /)
  }
  const shown = await fetched(SUZUKI)
  assert.equal(shown.length, entities.length)
  for (const each of shown) assert(each.includes('pkcs7-mime') && !each.includes(SECRET))
})

test('Suzuki submits the captured ciphertext to herself: it is not opened on the way out, nor on the way in', async () => {
  const message = mail(SUZUKI, SUZUKI, multipart('mixed', ['\r\nHello', captured()]))
  const { reply } = await submit({
    port: provider.ports.submission,
    user: SUZUKI,
    password: passwords.get(SUZUKI) ?? '',
    to: [SUZUKI],
    message,
  })
  assert.match(reply, /^250 /)
  const [arrived] = await fetchWhenThere(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '', 1)
  const shown = String(arrived)
  assert.match(shown, /smime=pass/)
  assert(shown.includes('pkcs7-mime') && !shown.includes(SECRET))
})

test('as a mail of its own to both, it opens for Azuma and stays shut for Suzuki', async () => {
  await fetched(SUZUKI)
  const message = mail('eve@evil.example', AZUMA, captured())
  const to = [AZUMA, SUZUKI]
  assert.match(await sendUnauthenticated(provider.ports.mx, 'eve@evil.example', { to, message }), /^250 /)
  const [forAzuma = '', forSuzuki = ''] = [...(await fetched(AZUMA)), ...(await fetched(SUZUKI))]
  assert(forAzuma.includes(SECRET))
  assert(!forSuzuki.includes(SECRET) && forSuzuki.includes('pkcs7-mime'))
})
