/**
 * Somebody has talked one of the authorities that we trust into a certificate for a correspondent of ours, and sends a mail
 * signed with it. It verifies; but our mail must not be encrypted to that key from then on, and a person must hear of it.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAddress } from '../../src/message/address.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { mailboxName, subjectAltName } from '../../src/protection/smime/x509/write-certificate.ts'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { makeProvider } from '../support/provider.ts'
import { sendUnauthenticated } from '../support/smtp-client.ts'
import { AES_256_GCM, statingMail } from '../support/stating-mail.ts'
import { DAY_MS, type Entity, makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const READER = 'bob@abc.example'
const POSTMASTER = 'postmaster@abc.example'
const VICTIM = 'chief@bank.example'
const PASSWORD = 'correct horse battery'
const times = { notBeforeMs: Date.now() - 100 * DAY_MS, notAfterMs: Date.now() + DAY_MS }

test('a certificate by another authority is held, the postmaster told, and used only once it is confirmed', async () => {
  await using provider = await makeProvider({ domains: ['abc.example'] })
  for (const user of [READER, POSTMASTER]) await provider.cli(['user', 'add', user, '--password-stdin'], PASSWORD)
  const usual = makeAuthority({ name: 'Usual', ...times })
  const talkative = makeAuthority({ name: 'Talkative', ...times })
  for (const { certificate } of [usual, talkative])
    await provider.cli(['trust', 'add', '-'], writeCertificatePem(certificate.encoded))
  await provider.start()
  const [genuine, forged] = [issuedBy(usual), issuedBy(talkative)]
  const deliver = async (signer: Entity): Promise<void> => {
    const messageId = `<${signer.certificate.fingerprint}@bank.example>`
    const mail = { signer, capabilities: [AES_256_GCM], signingTimeMs: Date.now(), from: VICTIM, to: READER, messageId }
    assert.match(
      await sendUnauthenticated(provider.ports.mx, VICTIM, { to: [READER], message: statingMail(mail) }),
      /^250/,
    )
    assert.equal((await provider.event('verdict', (each) => each['messageId'] === messageId))['signature'], 'valid')
  }
  const draft = join(provider.dir, 'draft.eml')
  await writeFile(draft, `From: ${READER}\r\nTo: ${VICTIM}\r\nSubject: Plan\r\n\r\nSecret\r\n`)
  /** Which of the two keys opens our next mail to them. */
  const readers = async (): Promise<string[]> => {
    const [sealed] = await provider.cli(['seal', draft, '--from', READER])
    const file = join(provider.dir, 'sealed.eml')
    await writeFile(file, String(sealed?.['message']), 'latin1')
    const opened: string[] = []
    for (const [name, { certificate, key }] of Object.entries({ genuine, forged })) {
      const bundle = join(provider.dir, `${name}.pem`)
      await writeFile(
        bundle,
        `${writeCertificatePem(certificate.encoded)}${key.export({ type: 'pkcs8', format: 'pem' })}`,
      )
      const [report] = await provider.cli(['open', file, '--with', bundle])
      const layers = report?.['layers'] as { kind: string; verdict: string }[]
      if (layers.some(({ verdict }) => verdict === 'decrypted')) opened.push(name)
    }
    return opened
  }

  await deliver(genuine)
  assert.deepEqual(await readers(), ['genuine'])
  await deliver(forged)
  const { fingerprint } = forged.certificate
  const told = await provider.event('key-changed')
  assert.deepEqual([told['address'], told['fingerprint'], told['held']], [VICTIM, fingerprint, true])
  assert.deepEqual(await readers(), ['genuine'], 'what they have talked the authority into gains them nothing')
  const keys = await provider.cli(['key', 'list', VICTIM])
  assert.deepEqual(
    new Map(keys.map((key) => [key['fingerprint'], key['held']])),
    new Map([
      [fingerprint, true],
      [genuine.certificate.fingerprint, false],
    ]),
  )
  const [notice] = await fetchWhenThere(provider.ports.pop3s, POSTMASTER, PASSWORD)
  assert.match(String(notice), new RegExp(`sealpost key confirm ${fingerprint}`))

  await provider.cli(['key', 'confirm', fingerprint])
  assert.deepEqual(await readers(), ['forged'], 'an administrator has asked')
})

function issuedBy(issuer: Entity): Entity {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const names = [mailboxName(parseAddress(VICTIM) ?? assert.fail())]
  return makeCertificate({ name: VICTIM, issuer, key, extensions: [subjectAltName(names, false)], ...times })
}
