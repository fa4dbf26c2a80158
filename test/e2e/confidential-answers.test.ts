/**
 * The reply rules of RFC 9788 §6: a user reads a mail whose Subject was hidden on its way, and answers in a program that
 * knows nothing of it. To whom has a key, the answer hides it again; to whom has none, it does not go, and the user is told.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { submit } from '../support/smtp-client.ts'
import { type WireTap, startWireTap } from '../support/wire-tap.ts'

const ALICE = 'alice@hides.example'
const BOB = 'bob@here.example'
const COLLEAGUE = 'carol@here.example'
const NO_KEY = 'nobody@hides.example'
const SECRET = 'Merger with Foo'
const FIRST = '<first@hides.example>'

let here: Provider
let abroad: Provider
let wire: WireTap
const passwords = new Map<string, string>()

before(async () => {
  // neither knows that the other one reads RFC 9788; only the one abroad hides Subjects
  abroad = await makeProvider({ domains: ['hides.example'], config: { policy: { subject: 'hidden' } } })
  wire = await startWireTap(() => abroad.ports.mx)
  const config = { relay: { routes: { 'hides.example': `127.0.0.1:${wire.port}` } }, policy: { subject: 'visible' } }
  here = await makeProvider({ domains: ['here.example'], config })
  for (const [home, other, address] of [
    [abroad, here, ALICE],
    [here, abroad, BOB],
    [here, abroad, COLLEAGUE],
    [abroad, undefined, NO_KEY],
  ] as const) {
    const [user] = await home.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
    const [key] = await home.cli(['key', 'export', address])
    await other?.cli(['key', 'import', '-'], String(key?.['pem']))
  }
  await here.start()
  await abroad.configure({ relay: { routes: { 'here.example': `127.0.0.1:${here.ports.mx}` } } })
  await abroad.start()
  await send(abroad, ALICE, [BOB], `Subject: ${SECRET}\r\nMessage-ID: ${FIRST}\r\n`)
})
after(async () => {
  await here[Symbol.asyncDispose]()
  await abroad[Symbol.asyncDispose]()
  await wire[Symbol.asyncDispose]()
})

async function send(provider: Provider, from: string, to: readonly string[], header: string): Promise<string> {
  const message = `From: ${from}\r\nTo: ${to.join(', ')}\r\n${header}Content-Type: text/plain\r\n\r\nNever tell.\r\n`
  const password = passwords.get(from) ?? ''
  return (await submit({ port: provider.ports.submission, user: from, password, to, message })).reply
}

/** What went over the wire, when it has gone. */
async function wired(id: string, recipient: string): Promise<string> {
  const isIt = (event: Record<string, unknown>): boolean =>
    String(event['messageId']).includes(id) && event['recipient'] === recipient
  await here.event('delivered', isIt, 30_000)
  return wire.messages.splice(0).map(String).join('\n')
}

test('the answer to one with a key hides the Subject, though the policy here leaves it visible', async () => {
  const mail = await fetchWhenThere(here.ports.pop3s, BOB, passwords.get(BOB) ?? '')
  assert.match(String(mail), new RegExp(`^Subject: ${SECRET}\\r$`, 'm'))
  const header = `Subject: Re: ${SECRET}\r\nMessage-ID: <answer@here.example>\r\n`
  assert.match(await send(here, BOB, [ALICE], `${header}In-Reply-To: ${FIRST}\r\n`), /^250 .*encrypted/)
  const onTheWire = await wired('answer', ALICE)
  assert.match(onTheWire, /^Subject: \[\.\.\.\]\r$/m)
  assert(!onTheWire.includes(SECRET))
  const read = await fetchWhenThere(abroad.ports.pop3s, ALICE, passwords.get(ALICE) ?? '')
  assert.match(String(read), new RegExp(`^Subject: Re: ${SECRET}\\r$`, 'm'))
  assert.match(String(read), /\r\n\r\nNever tell\.\r\n/, 'what was repeated in the text is gone again')
})

test('to one without a key it does not go, and the others are served', async () => {
  const header = `Subject: Re: ${SECRET}\r\nMessage-ID: <both@here.example>\r\nReferences: <x@y> ${FIRST}\r\n`
  assert.match(await send(here, BOB, [NO_KEY], header), /^554 5\.7\.5 .*hidden its subject.*begin a new mail/)
  assert.match(await send(here, BOB, [ALICE, NO_KEY], header), /^250 .*encrypted and signed for 1; not sent to nobody@/)
  const onTheWire = await wired('both', ALICE)
  assert(onTheWire.includes('both@here.example') && !onTheWire.includes(SECRET))
  const [, notice] = await fetchWhenThere(here.ports.pop3s, BOB, passwords.get(BOB) ?? '', 2)
  assert.match(String(notice), /nobody@hides\.example/)
})

test('who answers the answer is bound too, and whoever had no such mail is not', async () => {
  const answers = 'In-Reply-To: <answer@here.example>\r\n'
  assert.match(await send(here, BOB, [NO_KEY], `Subject: Re: x\r\n${answers}`), /^554 5\.7\.5/)
  assert.match(
    await send(here, COLLEAGUE, [NO_KEY], `Subject: free\r\nMessage-ID: <free@here.example>\r\n${answers}`),
    /^250/,
  )
  assert.match(await wired('free', NO_KEY), /^Subject: free\r$/m)
  const other = 'Subject: another\r\nMessage-ID: <another@here.example>\r\nIn-Reply-To: <unknown@hides.example>\r\n'
  assert.match(await send(here, BOB, [ALICE], other), /^250/)
  assert.match(await wired('another', ALICE), /^Subject: another\r$/m)
})

test('a Subject that cannot be hidden is not sent', async () => {
  const header = `Subject: Re: ${SECRET}\r\nContent-Type: text\r\nIn-Reply-To: ${FIRST}\r\n`
  const message = `From: ${BOB}\r\nTo: ${ALICE}\r\n${header}\r\nNever tell.\r\n`
  const password = passwords.get(BOB) ?? ''
  const { reply } = await submit({ port: here.ports.submission, user: BOB, password, to: [ALICE], message })
  assert.match(reply, /^554 5\.6\.0 .*Content-Type/)
})
