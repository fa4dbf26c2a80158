/**
 * Mail that is too large for memory, through a whole running provider: out and in again in bounded memory; changed at its very
 * end it is refused, and neither then nor after a crash is anything of it left that could be read.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { setTimeout as pause } from 'node:timers/promises'
import { forgetPeak, hasProcessFigures, memoryOf } from '../../bench/process-figures.ts'
import { IN_MEMORY_MAX_BYTES } from '../../src/gateway/arrived-mail.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { readCertificates } from '../../src/protection/smime/key-files/pem.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type SmimeIdentity, smimeIdentity } from '../support/smime-identity.ts'
import { sendMail, sendUnauthenticated, submit, talkSmtp } from '../support/smtp-client.ts'
import { eventually } from '../support/eventually.ts'

const AZUMA = 't-azuma@biglobe.example'
const SUZUKI = 'u-suzuki@abc.example'
const MALLORY = 'mallory@example.com'
const LARGE_BYTES = 32e6
/** Both ways in one server that has just started; in memory, it would take seven times the mail for the way in alone. */
const MEMORY_MAX_MB = 160
const PATIENCE_MS = 60_000
const SECRET = 'The secret stands on every line of it.\r\n'

let provider: Provider
let suzuki: SmimeIdentity
const passwords = new Map<string, string>()

before(async () => {
  provider = await makeProvider({
    domains: ['biglobe.example', 'abc.example'],
    config: { limits: { messageSizeMaxBytes: 200_000_000 }, evidence: { keepDays: 0 } },
  })
  for (const address of [AZUMA, SUZUKI]) {
    const [user] = await provider.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
  }
  const [exported] = await provider.cli(['key', 'export', SUZUKI, '--standard', 'smime'])
  const blocks = readCertificates(Buffer.from(String(exported?.['pem'])))
  assert(blocks.ok)
  const certificate = parseCertificate(blocks.value[0] ?? new Uint8Array())
  assert(certificate.ok)
  suzuki = { ...smimeIdentity('p256', SUZUKI), certificate: certificate.value }
  await provider.start()
})
after(() => provider[Symbol.asyncDispose]())

const header = (from: string): string =>
  `From: ${from}\r\nTo: ${SUZUKI}\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n`
const bodyOfBytes = (bytes: number): string => SECRET.repeat(Math.ceil(bytes / SECRET.length))

test('a large mail is protected, delivered, opened and fetched in bounded memory, and arrives as it was', async () => {
  const body = bodyOfBytes(LARGE_BYTES)
  const pid = provider.process?.pid ?? 0
  if (hasProcessFigures) await forgetPeak(pid)
  const idleMb = hasProcessFigures ? (await memoryOf(pid)).rssMb : 0
  const [user, password] = [AZUMA, passwords.get(AZUMA) ?? '']
  const sent = await submit({
    port: provider.ports.submission,
    user,
    password,
    to: [SUZUKI],
    message: `${header(AZUMA)}\r\n${body}`,
  })
  assert.match(sent.reply, /^250 2\.0\.0 Queued: encrypted and signed for 1/)
  await provider.event('stored', undefined, PATIENCE_MS)
  const mail = await fetchFirst()
  assert.equal(mail.length - mail.indexOf('\r\n\r\n') - 4, body.length)
  assert.ok(mail.subarray(-body.length).equals(Buffer.from(body)))
  const verdict = await provider.event('verdict')
  assert.deepEqual([verdict['signature'], verdict['encrypted']], ['valid', true])
  if (!hasProcessFigures) return
  const moreMb = (await memoryOf(pid)).peakMb - idleMb
  assert.ok(moreMb < MEMORY_MAX_MB, `${moreMb.toFixed(0)} MB above idle`)
})

const tampered: readonly [layering: Layering, cipher: 'aes-256-gcm' | 'aes-256-cbc', why: string][] = [
  ['encrypt-sign', 'aes-256-cbc', 'the digest under the signature outside'],
  ['sign-encrypt', 'aes-256-gcm', 'the tag, after all of the content was decrypted'],
  ['sign-encrypt', 'aes-256-cbc', 'the digest under the signature inside'],
]
for (const [layering, cipher, why] of tampered)
  test(`a large mail that was changed at its end is refused, and nothing of it is kept: ${why}`, async () => {
    const before = filesOf(provider)
    const mail = protectedFor(layering, cipher, 2 * IN_MEMORY_MAX_BYTES)
    changeLastOf(mail)
    const reply = await sendUnauthenticated(provider.ports.mx, MALLORY, { to: [SUZUKI], message: mail })
    assert.match(reply, /^550 5\.7\.7 /)
    assert.deepEqual(filesOf(provider), before)
    await eventually(() => assert.equal(provider.log.filter((each) => each.event === 'stored').length, 1))
  })

test('the same mail unchanged is delivered', async () => {
  const mail = protectedFor('sign-encrypt', 'aes-256-gcm', 2 * IN_MEMORY_MAX_BYTES)
  const reply = await sendUnauthenticated(provider.ports.mx, MALLORY, { to: [SUZUKI], message: mail })
  assert.match(reply, /^250 2\.0\.0 /)
})

test('a crash while a large mail is opened leaves nothing that could be read, and no spill', async () => {
  const mail = protectedFor('sign-encrypt', 'aes-256-cbc', 8 * IN_MEMORY_MAX_BYTES)
  await using talk = await talkSmtp(provider.ports.mx)
  await talk.say('EHLO mail.example.com')
  const answered = sendMail(talk, MALLORY, { to: [SUZUKI], message: mail, stuffed: true }).catch(() => 'gone')
  await anyDescriptorOf(provider, / \(deleted\)$/)
  await provider.stop('SIGKILL')
  assert.equal(await answered, 'gone')
  for (const file of filesOf(provider)) assert.ok(!readFileSync(file).includes(SECRET.trim()), file)
  assert.deepEqual(
    filesOf(provider).filter((file) => file.endsWith('.spill')),
    [],
  )
  await provider.start()
})

function protectedFor(layering: Layering, cipher: 'aes-256-gcm' | 'aes-256-cbc', bytes: number): Buffer {
  return protectedMail({
    layering,
    signer: smimeIdentity('p256', MALLORY),
    recipients: [suzuki],
    header: header(MALLORY),
    body: bodyOfBytes(bytes),
    encryption: { cipher },
  })
}

/** One character of the last lines of base64: of the CMS, or of the part under the detached signature. */
function changeLastOf(mail: Buffer): void {
  const signature = mail.lastIndexOf('\r\n--', mail.lastIndexOf('Content-Type: application/pkcs7-signature'))
  const at = (signature < 0 ? mail.length : signature) - 200
  mail[at] = mail[at] === 0x41 ? 0x42 : 0x41
}

/** By a plain client that keeps what comes in pieces. */
async function fetchFirst(): Promise<Buffer> {
  const socket = connect({ port: provider.ports.pop3s, host: '127.0.0.1', rejectUnauthorized: false })
  socket.write(`USER ${SUZUKI}\r\nPASS ${passwords.get(SUZUKI)}\r\nRETR 1\r\nQUIT\r\n`)
  const said = Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>))
  const from = said.indexOf('Return-Path:')
  return said.subarray(from, said.lastIndexOf('\r\n.\r\n') + 2)
}

/** Files of the data folder, the database left out: it is written all the time. */
function filesOf({ configFile }: Provider): string[] {
  const folder = join(configFile, '..')
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('sealpost.db'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

/** Resolves when the server holds a file like this open. */
async function anyDescriptorOf({ process }: Provider, name: RegExp): Promise<void> {
  const folder = `/proc/${process?.pid}/fd`
  for (let tries = 0; tries < 2000; tries++) {
    for (const each of readdirSync(folder))
      try {
        if (name.test(readlinkSync(join(folder, each)))) return
      } catch {
        continue // closed meanwhile
      }
    await pause(5)
  }
  assert.fail('no spill was ever opened')
}
