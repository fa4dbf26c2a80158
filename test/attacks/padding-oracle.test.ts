/**
 * Vaudenay's padding oracle (Eurocrypt 2002) by SMTP: who has captured a mail in AES-CBC sends variants of its ciphertext,
 * and learns from "250" and "550" what the padding was. Only a few refusals are told; what is held is the postmaster's.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Collector } from '../../src/base/byte-sink.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { readCertificates } from '../../src/protection/smime/key-files/pem.ts'
import { smime } from '../../src/protection/smime/smime.ts'
import { writeFields } from '../../src/message/header-field.ts'
import { fetchAll } from '../support/pop3-client.ts'
import { cmsOf, withByte, withCms } from '../support/protected-mail.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'

const READER = 'u-suzuki@abc.com'
const TOLD_MAX = 2
const TYPE = 'application/pkcs7-mime'

let provider: Provider
let password: string
let captured: Buffer

before(async () => {
  provider = await makeProvider({
    domains: ['abc.com'],
    config: { limits: { refusalsAfterDecryptionPerDay: TOLD_MAX } },
  })
  const [user] = await provider.cli(['user', 'add', READER])
  password = String(user?.['password'])
  const [exported] = await provider.cli(['key', 'export', READER])
  captured = Buffer.concat([
    Buffer.from('Message-ID: <captured@evil.example>\r\n'),
    encryptedTo(String(exported?.['pem'])),
  ])
  await provider.start()
})

after(() => provider[Symbol.asyncDispose]())

test('after a few refusals, wrong and right padding are answered alike, and the wrong one reaches nobody', async () => {
  // the last octet of the last block but one decides about the padding: all but one or two of its values are wrong
  const cms = cmsOf(captured, TYPE)
  const replies: string[] = []
  for (let variant = 1; variant <= TOLD_MAX + 3; variant++)
    replies.push(
      await send(
        withCms(
          captured,
          TYPE,
          withByte(cms, cms.length - 17, (byte) => byte ^ (0x80 + variant)),
        ),
      ),
    )
  for (const reply of replies.slice(0, TOLD_MAX))
    assert.equal(reply, '550 5.7.7 Message integrity failure: the message was changed after it was protected')
  const good = await send(captured)
  assert.match(good, /^250 2\.0\.0 Delivered as [0-9a-f-]{36}$/)
  for (const reply of replies.slice(TOLD_MAX)) assert.match(reply, /^250 2\.0\.0 Delivered as [0-9a-f-]{36}$/)
  assert.equal((await fetchAll(provider.ports.pop3s, READER, password)).length, 1)
  assert.equal((await provider.cli(['quarantine', 'list'])).length, 3)
})

test('the postmaster can look at what is held, deliver it as it came, or drop it', async () => {
  const [first, second, third] = (await provider.cli(['quarantine', 'list'])).map((row) => String(row['id']))
  assert(first !== undefined && second !== undefined && third !== undefined)
  const [shown] = await provider.cli(['quarantine', 'show', first])
  assert.match(String(shown?.['message']), /smime-type=enveloped-data/)
  await provider.cli(['quarantine', 'release', first])
  await provider.cli(['quarantine', 'remove', second])
  const mails = await fetchAll(provider.ports.pop3s, READER, password)
  assert.equal(mails.length, 2)
  assert.match(String(mails[1]), /smime-type=enveloped-data/)
  assert.deepEqual(
    (await provider.cli(['quarantine', 'list'])).map((row) => String(row['id'])),
    [third],
  )
  const traced = await provider.cli(['trace', '<captured@evil.example>'])
  const told = traced.flatMap(({ event, facts }) =>
    event === 'administered' ? [(facts as { operation: string }).operation] : [],
  )
  assert.deepEqual(told, ['quarantine release', 'quarantine remove'])
  await assert.rejects(provider.cli(['quarantine', 'release', first]), /There is no quarantine entry/)
})

const send = (message: Uint8Array): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, 'eve@evil.example', { to: [READER], message })

/** Encrypted in CBC, not signed: what every mail program could have written. */
function encryptedTo(pem: string): Buffer {
  const [der] = unwrap(readCertificates(Buffer.from(pem)))
  const certificate = unwrap(parseCertificate(der ?? new Uint8Array(0)))
  const out = new Collector()
  const { fields, sink } = smime.encrypt([certificate], { cipher: 'aes-256-cbc' }, 0, out)
  sink.write(Buffer.from('Content-Type: text/plain\r\n\r\nThe price is 1,234,567 yen, and nobody else may know.\r\n'))
  sink.end()
  const header = `From: eve@evil.example\r\nTo: ${READER}\r\nSubject: x\r\nMIME-Version: 1.0\r\n`
  return Buffer.concat([Buffer.from(header), writeFields(fields), Buffer.from('\r\n'), ...out.take()])
}

function unwrap<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  assert(result.ok)
  return result.value
}
