/**
 * What a mail may teach 222: a certificate that an administrator confirmed for one address says nothing of another, and
 * a certificate from outside is kept for the author of the mail only.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { parseAddress } from '../../src/message/address.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { makeProvider } from '../support/provider.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'
import { DAY_MS, makeCertificate } from '../support/x509-maker.ts'

const READER = 'bob@abc.example'
const MALLORY = 'mallory@evil.example'
const VICTIM = 'chief@bank.example'

test('a confirmed certificate that names a second address does not become trusted for that one by signing a mail', async () => {
  await using provider = await makeProvider({ domains: ['abc.example'] })
  await provider.cli(['user', 'add', READER])
  const signer = twoNamed(MALLORY, VICTIM)
  const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(signer.certificate.encoded).toString('base64')}\n-----END CERTIFICATE-----\n`
  await provider.cli(['key', 'import', '-', '--address', MALLORY], pem)
  await provider.start()

  const header = `From: ${MALLORY}\r\nTo: ${READER}\r\nSubject: Hello\r\nMessage-ID: <harvest@evil.example>\r\n`
  const message = protectedMail({ layering: 'sign', signer: { ...signer, chain: [] }, header, body: 'Hello\r\n' })
  assert.match(await sendUnauthenticated(provider.ports.mx, MALLORY, { to: [READER], message }), /^250/)
  const { signature } = await provider.event('verdict')
  assert.equal(signature, 'valid', 'the administrator has confirmed it for its author')

  assert.deepEqual(await provider.cli(['key', 'list', VICTIM]), [], 'of the second address the mail says nothing')
  assert.deepEqual(
    (await provider.cli(['key', 'list', MALLORY])).map((key) => key['trust']),
    ['confirmed'],
  )
})

test('a certificate that names thousands of addresses fills no store', async () => {
  await using provider = await makeProvider({ domains: ['abc.example'] })
  await provider.cli(['user', 'add', READER])
  await provider.start()
  const others = Array.from({ length: 3_000 }, (_, index) => `user${index}@bank.example`)
  const signer = twoNamed(MALLORY, ...others)
  const header = `From: ${MALLORY}\r\nTo: ${READER}\r\nSubject: Hello\r\nMessage-ID: <thousands@evil.example>\r\n`
  const message = protectedMail({ layering: 'sign', signer: { ...signer, chain: [] }, header, body: 'Hello\r\n' })
  assert.match(await sendUnauthenticated(provider.ports.mx, MALLORY, { to: [READER], message }), /^250/)
  const harvested = await provider.event('key-harvested')
  assert.deepEqual([harvested['address'], harvested['trust']], [MALLORY, 'candidate'])
  const known = (await provider.cli(['key', 'list'])).map((key) => key['address'])
  assert.deepEqual(new Set(known), new Set([READER, MALLORY]))
  assert.equal(known.length, 3, 'two of the reader')
})

function twoNamed(...addresses: readonly string[]) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const names = addresses.map((address) => mailboxName(parseAddress(address) ?? assert.fail()))
  const times = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS }
  return makeCertificate({ name: 'Mallory', key: privateKey, extensions: [subjectAltName(names, false)], ...times })
}
