/**
 * Capability downgrade: somebody wants our next mail to a correspondent in a weaker cipher, or in none, and writes, replays
 * or dates a mail that says that the correspondent reads nothing better (RFC 8551 §2.7.1: only verified signatures, and of
 * these the one signed last).
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { parseAddress } from '../../src/message/address.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'
import {
  AES_128_CBC,
  AES_256_GCM,
  type Capability,
  RC2_40,
  type StatingMail,
  statingMail,
} from '../support/stating-mail.ts'
import { DAY_MS, type Entity, makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const READER = 'bob@abc.example'
const VICTIM = 'chief@bank.example'
const MALLORY = 'mallory@evil.example'
const NOW_MS = Date.now()
const times = { notBeforeMs: NOW_MS - 100 * DAY_MS, notAfterMs: NOW_MS + DAY_MS }

describe('a downgrade of what a correspondent is known to read', () => {
  let provider: Provider
  const authority = makeAuthority({ name: 'Authority', ...times })
  const chief = personOf(VICTIM, authority)
  before(async () => {
    provider = await makeProvider({ domains: ['abc.example'] })
    await provider.cli(['user', 'add', READER])
    await provider.cli(['trust', 'add', '-'], writeCertificatePem(authority.certificate.encoded))
    await provider.start()
    await deliver({ capabilities: [AES_256_GCM, AES_128_CBC], signingTimeMs: NOW_MS - 10 * DAY_MS })
    assert.deepEqual(await ciphers(), ['aes-256-gcm', 'aes-128-cbc'])
  })
  after(() => provider[Symbol.asyncDispose]())

  let count = 0
  const deliver = async (mail: Partial<StatingMail> & { readonly capabilities: readonly Capability[] }) => {
    const messageId = `<${++count}@bank.example>`
    const message = statingMail({ signer: chief, from: VICTIM, to: READER, messageId, ...mail })
    const answer = await sendUnauthenticated(provider.ports.mx, VICTIM, { to: [READER], message })
    const verdict = await provider.event('verdict', (event) => event['messageId'] === messageId)
    return `${answer.slice(0, 3)} ${String(verdict['signature'])}`
  }
  const ciphers = async () => (await provider.cli(['correspondent', 'list', VICTIM]))[0]?.['ciphers']
  const unchanged = async () => assert.deepEqual(await ciphers(), ['aes-256-gcm', 'aes-128-cbc'])

  test('signed by a key that nobody vouches for', async () => {
    const signer = personOf(VICTIM)
    assert.equal(await deliver({ signer, capabilities: [RC2_40], signingTimeMs: NOW_MS }), '250 untrusted')
    await unchanged()
  })

  test('signed by somebody else, whom we trust', async () => {
    const signer = personOf(MALLORY, authority)
    assert.equal(await deliver({ signer, capabilities: [AES_128_CBC], signingTimeMs: NOW_MS }), '550 mismatch')
    await unchanged()
  })

  test('an older mail of their own, sent again', async () => {
    assert.equal(await deliver({ capabilities: [AES_128_CBC], signingTimeMs: NOW_MS - 11 * DAY_MS }), '250 valid')
    await unchanged()
  })

  test('without a signing time', async () => {
    assert.equal(await deliver({ capabilities: [AES_128_CBC] }), '250 valid')
    await unchanged()
  })

  test('dated in the future, so that no honest mail would come after it', async () => {
    assert.equal(await deliver({ capabilities: [AES_128_CBC], signingTimeMs: NOW_MS + 2 * DAY_MS }), '250 valid')
    await unchanged()
  })

  test('what they themselves say later counts; a list of nothing that we write lowers nothing', async () => {
    assert.equal(await deliver({ capabilities: [RC2_40], signingTimeMs: NOW_MS - 9 * DAY_MS }), '250 valid')
    assert.deepEqual(await ciphers(), [])
    assert.equal(await deliver({ capabilities: [AES_128_CBC], signingTimeMs: NOW_MS - 8 * DAY_MS }), '250 valid')
    assert.deepEqual(await ciphers(), ['aes-128-cbc'])
    await provider.cli(['correspondent', 'forget', VICTIM])
    assert.deepEqual(await provider.cli(['correspondent', 'list']), [])
  })
})

function personOf(address: string, issuer?: Entity): Entity {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const names = [mailboxName(parseAddress(address) ?? assert.fail())]
  const signed = issuer === undefined ? {} : { issuer }
  return makeCertificate({ name: address, key, extensions: [subjectAltName(names, false)], ...times, ...signed })
}
