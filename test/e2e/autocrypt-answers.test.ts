/**
 * Somebody without a key that we know writes with an Autocrypt field: whether answers are encrypted to the key in it
 * (`policy.autocryptKeys`), as gpg reads them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { type Gpg, makeGpg } from '../support/gpg.ts'
import { messageOf } from '../support/pgp-mime.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { type ScriptedSmtp, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const READER = 'anna@abc.example'
const PASSWORD = 'correct horse battery'
const DAY_MS = 24 * 60 * 60_000

const { skip } = needsAll({ gpg: 'gpg' })

let gpg: Gpg
let dns: ScriptedDns
let nextHop: ScriptedSmtp
let provider: Provider

before(async () => {
  if (skip !== false) return
  gpg = await makeGpg()
  nextHop = await startScriptedSmtp({})
  // who sends from here is vouched for by the one domain, and not by the other
  dns = await startScriptedDns({
    txt: {
      'vouched.example': 'v=spf1 ip4:127.0.0.0/8 -all',
      '_dmarc.vouched.example': 'v=DMARC1; p=none',
      'unvouched.example': 'v=spf1 -all',
      '_dmarc.unvouched.example': 'v=DMARC1; p=none',
    },
  })
  provider = await makeProvider({
    domains: ['abc.example'],
    config: {
      relay: { routes: { '*': `127.0.0.1:${nextHop.port}` } },
      lookup: { wkd: false },
      dns: { resolver: dns.resolver },
      authentication: { exemptNetworks: [] },
      policy: {
        perDomain: {
          'peer.example': { autocryptKeys: 'always' },
          'never.example': { autocryptKeys: 'never' },
        },
      },
    },
  })
  await provider.cli(['user', 'add', READER, '--password-stdin'], PASSWORD)
  await provider.start()
})
after(async () => {
  if (skip !== false) return
  await provider[Symbol.asyncDispose]()
  await nextHop[Symbol.asyncDispose]()
  await dns[Symbol.asyncDispose]()
  await gpg[Symbol.asyncDispose]()
})

let count = 0
const newKey = (address: string): Promise<Buffer> => gpg.newKey(`Somebody <${address}>`, 'ed25519')

/** A mail to our user, with an Autocrypt field when a key is given. */
async function write(
  from: string,
  key?: Buffer,
  { prefer = ' prefer-encrypt=mutual;', atMs = Date.now(), mailFrom = from } = {},
): Promise<void> {
  const data = key === undefined ? '' : (await gpg.publicOf(key)).toString('base64').replaceAll(/.{70}/g, '$&\r\n ')
  const field = key === undefined ? '' : `Autocrypt: addr=${from};${prefer} keydata=\r\n ${data}\r\n`
  const date = new Date(atMs).toUTCString().replace('GMT', '+0000')
  const header = `From: ${from}\r\nTo: ${READER}\r\nDate: ${date}\r\nSubject: Hello\r\nMessage-ID: <${count++}@peer.example>\r\n`
  const message = `${header}${field}\r\nHello\r\n`
  assert.match(await sendUnauthenticated(provider.ports.mx, mailFrom, { to: [READER], message }), /^250/)
}

async function answer(to: string, more = ''): Promise<string> {
  const message = `From: ${READER}\r\nTo: ${to}\r\nSubject: Re: Hello\r\n${more}\r\nThe answer.\r\n`
  const { reply } = await submit({
    port: provider.ports.submission,
    user: READER,
    password: PASSWORD,
    to: [to],
    message,
  })
  return reply
}

const lastCrossed = (): Buffer => nextHop.messages.at(-1) ?? assert.fail('nothing has crossed')

/** By gpg with this key, signed by our user. */
async function mustRead(mail: Buffer, key: Buffer): Promise<void> {
  const [own] = await provider.cli(['key', 'export', READER, '--standard', 'openpgp', '--binary'])
  const opened = await gpg.decrypt(messageOf(mail), key, Buffer.from(String(own?.['openpgp']), 'base64'))
  assert('content' in opened, JSON.stringify(opened))
  assert.ok(opened.signed)
  assert.match(opened.content.toString(), /The answer\./)
}

const ON_THEIR_WORD = /^250 .*encrypted and signed for 1; for .* with a key that nobody vouches for/
const SIGNED_ONLY = /^250 .*only signed for/

test('who asks to be answered encrypted is, and reads the answer with gpg', { skip }, async () => {
  const address = 'asks@peer.example'
  const key = await newKey(address)
  await write(address, key)
  assert.match(await answer(address), ON_THEIR_WORD)
  const { copies } = await provider.event('queued')
  const [{ keys }] = copies as [{ keys: readonly { address: string; trust: string }[] }]
  assert.equal(keys.find((each) => each.address === address)?.trust, 'candidate')
  await provider.event('delivered', (event) => event['recipient'] === address)
  const crossed = lastCrossed()
  assert.ok(!crossed.includes('The answer'))
  await mustRead(crossed, key)
  const [known] = await provider.cli(['key', 'list', address])
  assert.equal(known?.['trust'], 'candidate', 'it is not believed for that')
})

test('the newest mail counts, not the one that came last; who only shows a key is not asking', { skip }, async () => {
  const address = 'changes@peer.example'
  const [old, young] = [await newKey(address), await newKey(address)]
  const atMs = Date.now()
  await write(address, young, { atMs })
  await write(address, old, { atMs: atMs - DAY_MS })
  assert.match(await answer(address), ON_THEIR_WORD)
  await provider.event('delivered', (event) => event['recipient'] === address)
  await mustRead(lastCrossed(), young)
  await write(address, young, { prefer: '', atMs }) // a Date has whole seconds: of the same one the last counts
  assert.match(await answer(address), SIGNED_ONLY)
})

test('who has written without such a field for 35 days has another program now', { skip }, async () => {
  const address = 'silent@peer.example'
  const key = await newKey(address)
  await write(address, key, { atMs: Date.now() - 40 * DAY_MS })
  await write(address, undefined, { atMs: Date.now() - 10 * DAY_MS })
  assert.match(await answer(address), ON_THEIR_WORD)
  await write(address)
  assert.match(await answer(address), SIGNED_ONLY)
})

test(
  'where encryption is required such a key is none; nor where the domain’s policy says never',
  { skip },
  async () => {
    const address = 'strict@peer.example'
    await write(address, await newKey(address))
    assert.match(
      await answer(address, 'X-Sealpost: require\r\n'),
      /^554 5\.7\.5 .*no key is known for strict@peer\.example/,
    )
    const other = 'asks@never.example'
    await write(other, await newKey(other))
    assert.match(await answer(other), SIGNED_ONLY)
  },
)

test('a key that was revoked here is not used because its owner asks for it', { skip }, async () => {
  const address = 'revoked@peer.example'
  await write(address, await newKey(address))
  const [known] = await provider.cli(['key', 'list', address])
  await provider.cli(['key', 'revoke', String(known?.['fingerprint'])])
  assert.match(await answer(address), SIGNED_ONLY)
})

test(
  'by default it counts only where the domain vouches for the mail; what another mail says changes nothing',
  { skip },
  async () => {
    const [address, forged] = ['asks@vouched.example', 'asks@unvouched.example']
    const key = await newKey(address)
    await write(forged, await newKey(forged))
    assert.match(await answer(forged), SIGNED_ONLY)
    await write(address, key)
    assert.match(await answer(address), ON_THEIR_WORD)
    await write(address, await newKey(address), { mailFrom: 'eve@unvouched.example' })
    assert.match(await answer(address), ON_THEIR_WORD)
    await provider.event('delivered', (event) => event['recipient'] === address)
    await mustRead(lastCrossed(), key)
  },
)
