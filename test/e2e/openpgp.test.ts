/**
 * OpenPGP between two providers, and beside S/MIME in one mail: who gets which form, what the readers are told, what happens
 * to a mail that somebody has changed, and to keys that are found, renewed and revoked.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parsePart } from '../../src/message/parse.ts'
import { fieldBody, firstField } from '../../src/message/header-field.ts'
import { contentTypeOf } from '../../src/message/content-type.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { type WireTap, startWireTap } from '../support/wire-tap.ts'

const AZUMA = 't-azuma@biglobe.example'
const KUBOTA = 'h-kubota@biglobe.example' // whose key nobody abroad knows
const OPENPGP_ONLY = 'u-suzuki@abc.example'
const SMIME_ONLY = 'i-esto@abc.example'
const BLIND_WITH_BOTH = 'blind@abc.example'
const NEITHER = 'plain@abc.example'

let here: Provider
let abroad: Provider
let wire: WireTap
const passwords = new Map<string, string>()

before(async () => {
  abroad = await makeProvider({ domains: ['abc.example'] })
  wire = await startWireTap(() => abroad.ports.mx)
  const relay = { routes: { 'abc.example': `127.0.0.1:${wire.port}` } }
  here = await makeProvider({
    domains: ['biglobe.example'],
    config: { relay, policy: { standards: ['openpgp', 'smime'] } },
  })
  for (const address of [AZUMA, KUBOTA, OPENPGP_ONLY, SMIME_ONLY, BLIND_WITH_BOTH, NEITHER]) {
    const [user] = await homeOf(address).cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
  }
  for (const address of [AZUMA, OPENPGP_ONLY, BLIND_WITH_BOTH]) await makeKnown(address, 'openpgp')
  for (const address of [AZUMA, SMIME_ONLY, BLIND_WITH_BOTH]) await makeKnown(address, 'smime')
  await Promise.all([here.start(), abroad.start()])
})
after(async () => {
  await here[Symbol.asyncDispose]()
  await abroad[Symbol.asyncDispose]()
  await wire[Symbol.asyncDispose]()
})

const homeOf = (address: string): Provider => (address.endsWith('@abc.example') ? abroad : here)

const openpgpText = (key: Readonly<Record<string, unknown>> | undefined): string =>
  Buffer.from(String(key?.['openpgp']), 'base64').toString('latin1')
const told = (row: Readonly<Record<string, unknown>>, ...names: string[]): string =>
  names.map((name) => row[name]).join(' ')

/** To the other provider, confirmed by its administrator. */
async function makeKnown(address: string, standard: 'smime' | 'openpgp'): Promise<void> {
  const home = homeOf(address)
  const [key] = await home.cli(['key', 'export', address, '--standard', standard])
  const text = standard === 'smime' ? String(key?.['pem']) : openpgpText(key)
  if (standard === 'openpgp') assert.match(text, /^-----BEGIN PGP PUBLIC KEY BLOCK-----/)
  await (home === here ? abroad : here).cli(['key', 'import', '-'], text)
}

/** What went over the wire, once all of it has arrived or come back. */
async function send(id: string, to: readonly string[], from = AZUMA, ending = 'delivered'): Promise<Buffer[]> {
  wire.messages.length = 0
  const named = to.filter((each) => each !== BLIND_WITH_BOTH)
  const message = `From: ${from}\r\nTo: ${named.join(', ')}\r\nSubject: Meeting\r\nMessage-ID: <${id}@biglobe.example>\r\n\r\nMeeting at ten.\r\n`
  const password = passwords.get(from) ?? ''
  const { reply } = await submit({ port: here.ports.submission, user: from, password, to, message })
  assert.match(reply, /^250 /)
  for (const recipient of to)
    await here.event(
      ending,
      (event) => String(event['messageId']).includes(id) && JSON.stringify(event).includes(recipient),
      30_000,
    )
  return wire.messages.splice(0)
}

async function inbox(address: string): Promise<string> {
  const [port, password] = [homeOf(address).ports.pop3s, passwords.get(address) ?? '']
  const [mail] = await fetchWhenThere(port, address, password, 1, 30_000)
  await fetchAll(port, address, password, { remove: true })
  return mail?.toString('latin1').replaceAll(/\r\n[ \t]+/g, ' ') ?? ''
}

function formOf(mail: Buffer): string {
  const { type, parameters } = contentTypeOf(parsePart(mail))
  return `${type} ${parameters.get('protocol') ?? parameters.get('smime-type') ?? ''}`.trim()
}

const ENCRYPTED = 'multipart/encrypted application/pgp-encrypted'
const SIGNED = 'multipart/signed application/pgp-signature'

test('keys of both standards: listed, exported in both forms, taken in', async () => {
  const rows = await here.cli(['key', 'list', AZUMA])
  assert.deepEqual(rows.map((row) => told(row, 'standard', 'trust', 'private')).toSorted(), [
    'openpgp own true',
    'smime own true',
  ])
  const [binary] = await here.cli(['key', 'export', AZUMA, '--standard', 'openpgp', '--binary'])
  const bytes = Buffer.from(String(binary?.['openpgp']), 'base64')
  assert.ok((bytes[0] ?? 0) >= 0x80, 'packets, without armor')
  const [known] = (await here.cli(['key', 'list', OPENPGP_ONLY])).map((row) => told(row, 'standard', 'trust'))
  assert.equal(known, 'openpgp confirmed')
})

test('one mail to recipients of each kind: every one gets the one form that is theirs, and reads it', async () => {
  const crossed = await send('mixed', [OPENPGP_ONLY, SMIME_ONLY, NEITHER, BLIND_WITH_BOTH])
  assert.deepEqual(crossed.map(formOf).toSorted(), [
    'application/pkcs7-mime enveloped-data',
    ENCRYPTED,
    ENCRYPTED,
    SIGNED,
  ])
  for (const mail of crossed.filter((each) => formOf(each) !== SIGNED))
    assert.ok(!mail.includes('Meeting at ten'), 'nothing in clear')
  for (const address of [OPENPGP_ONLY, BLIND_WITH_BOTH, SMIME_ONLY]) {
    const mail = await inbox(address)
    assert.match(mail, /Meeting at ten/)
    assert.match(mail, /X-Sealpost-Status: Encrypted on the way\. Signature valid: written by t-azuma@biglobe\.example/)
    const standard = address === SMIME_ONLY ? 'smime' : 'openpgp'
    assert.match(mail, new RegExp(`Authentication-Results: [^;]+; ${standard}=pass body\\.${standard}-identifier=`))
  }
  const plain = await inbox(NEITHER)
  assert.match(plain, /X-Sealpost-Status: Not encrypted on the way\. Signature valid/)
  assert.match(plain, /openpgp=pass/)
})

test('between providers that know each other: encrypted, and signed outside of that', async () => {
  await here.configure({ peers: ['abc.example'] })
  await here.stop()
  await here.start()
  const [mail] = await send('surrogates', [OPENPGP_ONLY])
  assert.equal(formOf(mail ?? Buffer.alloc(0)), SIGNED)
  assert.match(mail?.toString('latin1') ?? '', /multipart\/encrypted/)
  assert.match(mail?.toString('latin1') ?? '', /\r\nSubject: \[\.\.\.\]/)
  const read = await inbox(OPENPGP_ONLY)
  assert.match(read, /Encrypted on the way\. Signature valid/)
  assert.match(read, /\r\nSubject: Meeting/)
})

test('changed on the way: refused while the sender’s server listens, and the sender is told', async () => {
  for (const [id, change] of [
    ['tampered-signature', (mail: string) => mail.replace(/(BEGIN PGP SIGNATURE-----\r\n\r\n.{40})./, '$1#')],
    ['tampered-ciphertext', (mail: string) => flipped(mail, 'BEGIN PGP MESSAGE-----\r\n\r\n', 400)],
  ] as const) {
    wire.replies.length = 0
    wire.tamper = (mail) => Buffer.from(change(mail.toString('latin1')), 'latin1')
    await send(id, [OPENPGP_ONLY], AZUMA, 'returned')
    wire.tamper = undefined
    assert.ok(
      wire.replies.some((reply) => reply.startsWith('550 5.7.7')),
      `${id}: ${wire.replies.join(' | ')}`,
    )
    const report = await inbox(AZUMA)
    assert.match(report, /5\.7\.7/)
  }
})

function flipped(text: string, behind: string, chars: number): string {
  const at = text.indexOf(behind) + behind.length + chars
  const other = text[at] === 'A' ? 'B' : 'A'
  return text.slice(0, at) + other + text.slice(at + 1)
}

test('Autocrypt: the author’s key goes along, is taken in as a candidate, and is not shown', async () => {
  const [mail] = await send('introduced', [OPENPGP_ONLY], KUBOTA)
  const field = firstField(parsePart(mail ?? Buffer.alloc(0)), 'Autocrypt')
  assert.ok(field)
  assert.match(fieldBody(field), /^addr=h-kubota@biglobe\.example; prefer-encrypt=mutual; keydata=/)
  const read = await inbox(OPENPGP_ONLY)
  assert.doesNotMatch(read, /^Autocrypt/m)
  assert.match(read, /Signed by a key that nobody we trust vouches for/)
  const known = await abroad.cli(['key', 'list', KUBOTA])
  assert.deepEqual(
    known.map((row) => told(row, 'standard', 'trust')),
    ['openpgp candidate'],
  )
  await abroad.cli(['key', 'confirm', String(known[0]?.['fingerprint'])])
  await send('confirmed', [OPENPGP_ONLY], KUBOTA)
  assert.match(await inbox(OPENPGP_ONLY), /Signature valid: written by h-kubota@biglobe\.example/)
})

test('revoked by its owner: nothing is encrypted to it, and what it has signed is refused', async () => {
  const [signed] = await send('before-revocation', [NEITHER], KUBOTA)
  assert.match(await inbox(NEITHER), /Signature valid/)
  const [own] = (await here.cli(['key', 'list', KUBOTA])).filter((row) => row['standard'] === 'openpgp')
  await here.cli(['key', 'revoke', String(own?.['fingerprint'])])
  const [revoked] = await here.cli(['key', 'export', KUBOTA, '--standard', 'openpgp'])
  assert.ok(JSON.stringify(revoked?.['keys']).includes(String(own?.['fingerprint'])))
  await abroad.cli(['key', 'import', '-'], openpgpText(revoked))
  const again = signed?.toString('latin1').replace('before-revocation', 'after-revocation') ?? ''
  assert.match(await sendUnauthenticated(abroad.ports.mx, KUBOTA, { to: [NEITHER], message: again }), /^550 5\.7\.1 /)
  const [next] = await send('after-revocation-2', [NEITHER], KUBOTA)
  assert.equal(formOf(next ?? Buffer.alloc(0)).startsWith('multipart/signed application/pkcs7'), true, 'S/MIME is left')
})
