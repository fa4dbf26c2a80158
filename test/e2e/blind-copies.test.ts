/**
 * Bcc: a blind recipient gets a copy of their own that names nobody else, and nobody else's copy names them: no field,
 * no address, no key. With and without known keys, here and abroad, one and several; and the sender's own copy.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { childrenOf } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'
import { decodeBody } from '../../src/message/decode.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { isNamedBy } from '../../src/protection/smime/cms/entity-id.ts'
import { readEnvelope } from '../../src/protection/smime/cms/enveloped-data.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { submit } from '../support/smtp-client.ts'
import { type WireTap, startWireTap } from '../support/wire-tap.ts'

const SENDER = 't-azuma@biglobe.example'
const LOCAL_BLIND = 'h-kubota@biglobe.example'
const NAMED = 'u-suzuki@abc.example'
const NAMED_TOO = 'i-esto@abc.example'
const NAMED_NO_KEY = 'plain@abc.example'
const BLIND = 'blind-one@abc.example'
const BLIND_TOO = 'blind-two@abc.example'
const BLIND_NO_KEY = 'blind-plain@abc.example'
const WITH_KEY = [NAMED, NAMED_TOO, BLIND, BLIND_TOO]
const ALL_BLIND = [BLIND, BLIND_TOO, BLIND_NO_KEY, LOCAL_BLIND]

let here: Provider
let abroad: Provider
let wire: WireTap
const passwords = new Map<string, string>()
const certificates = new Map<string, Parameters<typeof isNamedBy>[1]>()

before(async () => {
  abroad = await makeProvider({ domains: ['abc.example'] })
  wire = await startWireTap(() => abroad.ports.mx)
  const config = { relay: { routes: { 'abc.example': `127.0.0.1:${wire.port}` } }, peers: ['abc.example'] }
  here = await makeProvider({ domains: ['biglobe.example'], config })
  for (const address of [SENDER, LOCAL_BLIND, NAMED, NAMED_TOO, NAMED_NO_KEY, BLIND, BLIND_TOO, BLIND_NO_KEY]) {
    const home = address.endsWith('@abc.example') ? abroad : here
    const [user] = await home.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
    const [key] = await home.cli(['key', 'export', address])
    const pem = String(key?.['pem'])
    const parsed = parseCertificate(Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64'))
    assert(parsed.ok)
    certificates.set(address, parsed.value)
    if (WITH_KEY.includes(address)) await here.cli(['key', 'import', '-'], pem)
    if (address === SENDER) await abroad.cli(['key', 'import', '-'], pem)
  }
  await Promise.all([here.start(), abroad.start()])
})
after(async () => {
  await here[Symbol.asyncDispose]()
  await abroad[Symbol.asyncDispose]()
  await wire[Symbol.asyncDispose]()
})

async function send(id: string, header: string, to: readonly string[]): Promise<Buffer[]> {
  wire.messages.length = 0
  const message = `From: ${SENDER}\r\n${header}Message-ID: <${id}@biglobe.example>\r\n\r\nMeeting at ten.\r\n`
  const password = passwords.get(SENDER) ?? ''
  const { reply } = await submit({ port: here.ports.submission, user: SENDER, password, to, message })
  assert.match(reply, /^250 /)
  for (const recipient of to)
    await here.event(
      'delivered',
      (event) => String(event['messageId']).includes(id) && event['recipient'] === recipient,
      30_000,
    )
  return wire.messages.splice(0)
}

/** Whose keys open the mail; by the addresses above. */
function keysNamed(mail: Buffer): string[] {
  const [sealed] = childrenOf(parsePart(mail)).children
  assert(sealed !== undefined)
  const envelope = readEnvelope(decodeBody(sealed).bytes)
  if (!envelope.ok) return []
  const ids = envelope.value.recipientInfos.flatMap((info) =>
    info.kind === 'key-transport'
      ? [info.id]
      : info.kind === 'key-agreement'
        ? info.recipients.map(({ id }) => id)
        : [],
  )
  const names = ids.map(
    (id) => [...certificates].find(([, certificate]) => isNamedBy(id, certificate))?.[0] ?? 'somebody',
  )
  return names.toSorted((a, b) => a.localeCompare(b))
}

async function inbox(address: string): Promise<string> {
  const home = address.endsWith('@abc.example') ? abroad : here
  const [mail] = await fetchWhenThere(home.ports.pop3s, address, passwords.get(address) ?? '', 1, 30_000)
  await fetchAll(home.ports.pop3s, address, passwords.get(address) ?? '', { remove: true })
  return mail?.toString() ?? ''
}

const TO = `To: Suzuki <${NAMED}>, ${NAMED_NO_KEY}\r\nCc: team: ${NAMED_TOO};\r\n`

test('one of each: copies name nobody who is blind', async () => {
  const everyone = [NAMED, NAMED_TOO, NAMED_NO_KEY, ...ALL_BLIND]
  const crossed = await send('each', `${TO}Bcc: ${ALL_BLIND.join(', ')}\r\n`, everyone)
  const sealed = crossed.map(keysNamed).filter((names) => names.length > 0)
  assert.deepEqual(
    sealed.toSorted((a, b) => a.length - b.length || String(a).localeCompare(String(b))),
    [[BLIND], [BLIND_TOO], [NAMED_TOO, SENDER, NAMED].toSorted((a, b) => a.localeCompare(b))],
    'a blind copy has one key and not even the sender’s; the others share one',
  )
  assert.equal(crossed.length, 5, 'and two are signed only, one for the named and one for the blind')
  for (const mail of crossed) {
    const text = mail.toString('latin1')
    assert.doesNotMatch(text, /^Bcc:/im)
    for (const blind of ALL_BLIND) assert(!text.includes(blind), `${blind} on the wire`)
  }
  for (const reader of everyone) {
    const text = await inbox(reader)
    assert(text.includes('Meeting at ten.'), reader)
    assert.doesNotMatch(text, /^Bcc:/im)
    for (const blind of ALL_BLIND) if (blind !== reader) assert(!text.includes(blind), `${reader} can read of ${blind}`)
    assert(text.includes('Signature valid'), text.slice(0, 400))
  }
})

test('nobody is named at all: each gets a copy of their own, and the sender none', async () => {
  for (const [id, header] of [
    ['undisclosed', 'To: undisclosed-recipients:;\r\n'],
    ['no-to', 'Subject: x\r\n'],
    ['only-bcc', `Bcc: ${BLIND},\r\n ${BLIND_TOO}\r\n`],
  ] as const) {
    const crossed = await send(id, header, [BLIND, BLIND_TOO])
    assert.deepEqual(
      crossed.map(keysNamed).toSorted((a, b) => String(a).localeCompare(String(b))),
      [[BLIND], [BLIND_TOO]],
      id,
    )
    for (const mail of crossed) assert.doesNotMatch(mail.toString('latin1'), /blind-|^Bcc:/im)
    for (const reader of [BLIND, BLIND_TOO]) {
      const text = await inbox(reader)
      assert(!text.includes(reader === BLIND ? BLIND_TOO : BLIND), id)
    }
  }
})

test('the sender’s own copy is sealed like any other, and can be opened', async () => {
  await send('own', `To: ${NAMED}\r\nBcc: ${SENDER}\r\n`, [NAMED, SENDER])
  const own = await inbox(SENDER)
  assert(own.includes('Signature valid') && own.includes('Meeting at ten.'))
  assert.doesNotMatch(own, /^Bcc:/im)
  const text = await inbox(NAMED)
  assert.doesNotMatch(text, /^Bcc:/im)
})
