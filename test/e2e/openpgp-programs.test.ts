/**
 * Correspondents abroad with a program each, and our user on a plain terminal: what the program signs and encrypts comes
 * through the server to the mailbox, what the user sends is read by the program, and what was changed on its way is refused.
 */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { needs, needsAll } from '../support/apt.ts'
import { runProgram } from '../support/correspondent.ts'
import { makeGpg } from '../support/gpg.ts'
import { type MuttProgram, muttOnTerminal } from '../support/mutt-terminal.ts'
import { CONTENT, TEXT } from '../support/openpgp-cases.ts'
import type { OpenpgpProgram } from '../support/openpgp-program.ts'
import { messageOf, multipartEncrypted, multipartSignedPgp } from '../support/pgp-mime.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { makeRnp } from '../support/rnp.ts'
import { type ScriptedSmtp, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { makeSop } from '../support/sop.ts'
import { makeSq } from '../support/sq.ts'

const READER = 'anna@abc.example'
const PASSWORD = 'correct horse battery'

let nextHop: ScriptedSmtp
let provider: Provider
/** Our user's OpenPGP certificate. */
let ours: Buffer

before(async () => {
  nextHop = await startScriptedSmtp({})
  provider = await makeProvider({
    domains: ['abc.example'],
    config: { relay: { routes: { '*': `127.0.0.1:${nextHop.port}` } } },
  })
  await provider.cli(['user', 'add', READER, '--password-stdin'], PASSWORD)
  const [own] = await provider.cli(['key', 'export', READER, '--standard', 'openpgp', '--binary'])
  ours = Buffer.from(String(own?.['openpgp']), 'base64')
  await provider.start()
})
after(async () => {
  await provider[Symbol.asyncDispose]()
  await nextHop[Symbol.asyncDispose]()
})

let count = 0
const headerOf = (from: string): string =>
  `From: ${from}\r\nTo: ${READER}\r\nSubject: Hello\r\nMessage-ID: <${++count}@peer.example>\r\nMIME-Version: 1.0\r\n`

const deliver = (from: string, mail: Buffer): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, from, { to: [READER], message: mail })

const entityFrom = (from: string, entity: Buffer): Buffer => Buffer.concat([Buffer.from(headerOf(from)), entity])

/** What our user finds; the mailbox is empty then. */
async function inbox(): Promise<string> {
  const [mail] = await fetchWhenThere(provider.ports.pop3s, READER, PASSWORD, 1, 30_000)
  await fetchAll(provider.ports.pop3s, READER, PASSWORD, { remove: true })
  return mail?.toString() ?? ''
}

/** What crosses the wire when our user writes. */
async function send(to: string, body = 'The answer.\r\n'): Promise<Buffer> {
  const message = `From: ${READER}\r\nTo: ${to}\r\nSubject: Hello\r\nMessage-ID: <${++count}@abc.example>\r\n\r\n${body}`
  const { reply } = await submit({
    port: provider.ports.submission,
    user: READER,
    password: PASSWORD,
    to: [to],
    message,
  })
  assert.match(reply, /^250 /)
  await provider.event('delivered', (event) => event['messageId'] === `<${count}@abc.example>`)
  return nextHop.messages.at(-1) ?? assert.fail('nothing has crossed')
}

/** Confirmed by the administrator. Some programs write armor, whatever they are asked for. */
async function introduce(address: string, certificate: Buffer): Promise<void> {
  const base64 = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  const armored = `-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n${base64}\n-----END PGP PUBLIC KEY BLOCK-----\n`
  const text = certificate.toString('latin1')
  await provider.cli(['key', 'import', '-', '--address', address], text.startsWith('-----') ? text : armored)
}

const programs: readonly [title: string, debian: string, make: () => Promise<OpenpgpProgram>, kind?: string][] = [
  ['gpg', 'gpg', makeGpg, 'ed25519'],
  ['sq', 'sq', makeSq, 'cv25519'],
  ['sqop', 'sqop', () => makeSop('sqop')],
  ['rnp', 'rnp', makeRnp],
  ['gosop', 'gosop', () => makeSop('gosop')],
]
for (const [title, debian, make, kind] of programs)
  describe(title, needs(title, debian), () => {
    const address = `${title}@peer.example`
    let program: OpenpgpProgram
    let key: Buffer
    before(async () => {
      program = await make()
      key = await program.newKey(`Peer <${address}>`, kind)
      await introduce(address, await program.publicOf(key))
    })
    after(() => program[Symbol.asyncDispose]())

    test('what it signs and encrypts is opened, and changed on its way refused', async () => {
      const entity = multipartEncrypted(await program.encrypt(CONTENT, { to: [ours], signer: key }))
      assert.match(await deliver(address, entityFrom(address, entity)), /^250/)
      const read = await inbox()
      assert.match(read, new RegExp(`Encrypted on the way\\. Signature valid: written by\\s+${address}`))
      assert.ok(read.includes(TEXT))
      const at = entity.indexOf('\r\n\r\n', entity.indexOf('BEGIN PGP MESSAGE')) + 400
      const changed = Buffer.from(entity)
      changed[at] = changed[at] === 0x41 ? 0x42 : 0x41
      assert.match(await deliver(address, entityFrom(address, changed)), /^550 5\.7\.[57] /)
    })

    test('what it signs is verified, and changed on its way refused', async () => {
      const entity = multipartSignedPgp(CONTENT, await program.sign(CONTENT, key))
      assert.match(await deliver(address, entityFrom(address, entity)), /^250/)
      assert.match(await inbox(), /Not encrypted on the way\. Signature valid/)
      const changed = Buffer.from(entity.toString('latin1').replace('Welt', 'Zelt'), 'latin1')
      assert.match(await deliver(address, entityFrom(address, changed)), /^550 5\.7\.7 /)
    })

    test('it reads what our user sends, and says that it is signed', async () => {
      const crossed = await send(address)
      assert.ok(!crossed.includes('The answer'))
      const opened = await program.decrypt(messageOf(crossed), key, ours)
      assert('content' in opened, JSON.stringify(opened))
      assert.ok(opened.signed)
      assert.match(opened.content.toString(), /The answer\./)
    })
  })

for (const title of ['mutt', 'neomutt'] as const satisfies readonly MuttProgram[])
  describe(
    `${title} with gpg`,
    needsAll({ [title]: title, script: 'bsdutils', gpg: 'gpg', 'gpg-agent': 'gpg-agent' }),
    () => {
      const address = `${title}@peer.example`
      test('mail goes there and comes back, signed and encrypted', async () => {
        await using gpg = await makeGpg()
        const key = await gpg.newKey(`Peer <${address}>`, 'ed25519')
        const certificate = await gpg.publicOf(key)
        await introduce(address, certificate)
        await gpg.import(ours)
        const home = join(gpg.home, title)
        await mkdir(join(home, 'tmp'), { recursive: true })
        const mutt = muttOnTerminal(title, home, gpg.home, [
          'set crypt_use_gpgme=yes crypt_autopgp=yes crypt_autosmime=no smime_is_default=no pgp_autoinline=no',
          `set pgp_sign_as="${await gpg.import(certificate)}" crypt_autosign=yes crypt_autoencrypt=yes`,
        ])
        const draft = { from: address, to: READER, subject: 'Hello', body: 'Typed at the terminal.\n', settings: [] }
        const written = (await mutt.compose(draft)).toString('latin1').replaceAll(/\r?\n/g, '\r\n')
        assert.ok(!written.includes('Typed at the terminal'))
        assert.match(await deliver(address, Buffer.from(written, 'latin1')), /^250/)
        const read = await inbox()
        assert.match(read, /Encrypted on the way\. Signature valid/)
        assert.ok(read.includes('Typed at the terminal.'))
        const { message, terminal } = await mutt.show(await send(address))
        assert.ok(message.includes('The answer.'), `${message}\n${terminal}`)
        assert.ok(message.includes(`Good signature from: <${READER}>`), message)
      })
    },
  )

describe('a key that runs out', needs('gpg', 'gpg'), () => {
  test('is not written to any more; what it has signed before still counts; renewed, it is used again', async () => {
    await using gpg = await makeGpg()
    const address = 'renewed@peer.example'
    const key = await gpg.newKey(`Peer <${address}>`, 'ed25519')
    const fingerprint = await gpg.import(key)
    const run = async (...args: readonly string[]): Promise<Buffer> => {
      const { status, stdout, stderr } = await runProgram('gpg', ['--batch', ...args], { env: { GNUPGHOME: gpg.home } })
      assert.equal(status, 0, stderr)
      return stdout
    }
    const listing = (await run('--with-colons', '--list-keys', fingerprint)).toString()
    const subkey = /^sub:[^]*?^fpr:*([0-9A-F]+)/m.exec(listing)?.[1] ?? assert.fail(listing)
    const expire = async (when: string): Promise<void> => {
      await run('--quick-set-expire', fingerprint, when)
      await run('--quick-set-expire', fingerprint, when, subkey)
      await introduce(address, await run('--export', fingerprint))
    }
    const signed = entityFrom(address, multipartSignedPgp(CONTENT, await gpg.sign(CONTENT, key)))
    await expire('seconds=3')
    assert.match((await send(address)).toString('latin1'), /multipart\/encrypted/)
    await pause(4_000)
    assert.match((await send(address)).toString('latin1'), /multipart\/signed/, 'not to a key that has run out')
    assert.match(await deliver(address, signed), /^250/)
    assert.match(await inbox(), /Signature valid/)
    await expire('1y')
    assert.match((await send(address)).toString('latin1'), /multipart\/encrypted/)
  })
})
