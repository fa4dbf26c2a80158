/**
 * A mail that hangs, kills or fills the thread that works on it: its own sender hears 451 and may try again, its thread
 * is replaced, and nobody else notices. The threads misbehave by test/support/misbehave-preload.ts.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { eventually } from '../support/eventually.ts'

const AZUMA = 't-azuma@biglobe.example'
const SUZUKI = 'u-suzuki@biglobe.example'
/** Long enough for all that is not to hang, on a machine that does ten other things. */
const TIMEOUT_SECONDS = 6
const BAD: readonly [word: string, why: RegExp][] = [
  ['MISBEHAVE-HANG', /timeout/],
  ['MISBEHAVE-EXIT', /code 7/],
  ['MISBEHAVE-THROW', /RangeError: out of its mind/],
  ['MISBEHAVE-HEAP', /memory/i],
]
const GOOD_COUNT = 20

let provider: Provider
const passwords = new Map<string, string>()

before(async () => {
  const config = { protection: { threads: 2, timeoutSeconds: TIMEOUT_SECONDS, heapMaxMegabytes: 64 } }
  provider = await makeProvider({ domains: ['biglobe.example'], config })
  for (const address of [AZUMA, SUZUKI]) {
    const [user] = await provider.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
  }
  const preload = new URL('../support/misbehave-preload.ts', import.meta.url).href
  await provider.start({ NODE_OPTIONS: `--import ${preload}` })
})
after(() => provider[Symbol.asyncDispose]())

const mail = (from: string, id: string, body: string): string =>
  `From: ${from}\r\nTo: ${SUZUKI}\r\nMessage-ID: <${id}@x.example>\r\n\r\n${body}\r\n`

const receive = (id: string, body: string): Promise<string> =>
  sendUnauthenticated(provider.ports.mx, 'a@x.example', { to: [SUZUKI], message: mail('a@x.example', id, body) })

const submitted = async (id: string, body: string): Promise<string> => {
  const password = passwords.get(AZUMA) ?? ''
  const message = mail(AZUMA, id, body)
  return (await submit({ port: provider.ports.submission, user: AZUMA, password, to: [SUZUKI], message })).reply
}

const mailbox = (remove: boolean): Promise<Buffer[]> =>
  fetchAll(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '', { remove })

const replaced = (): string[] =>
  provider.log.filter(({ event }) => event === 'worker-replaced').map((event) => String(event['why']))

test('while four mails kill their threads, twenty others come in', async () => {
  const good = Array.from({ length: GOOD_COUNT }, (_, i) => receive(`good${i}`, `good ${i}`))
  const bad = BAD.map(([word]) => receive(word.toLowerCase(), word))
  const more = Array.from({ length: GOOD_COUNT }, (_, i) => receive(`more${i}`, `more ${i}`))
  for (const reply of await Promise.all(bad)) assert.match(reply, /^451 4\.3\.0 /)
  for (const reply of await Promise.all([...good, ...more])) assert.match(reply, /^250 2\.0\.0 /)
  const mails = await mailbox(true)
  const ids = mails.map((each) => /^Message-ID: <(.*)@x\.example>/m.exec(each.toString())?.[1] ?? '').toSorted()
  const sent = Array.from({ length: GOOD_COUNT }, (_, i) => [`good${i}`, `more${i}`]).flat()
  assert.deepEqual(ids, sent.toSorted(), 'each of them once, and none of the bad ones')
  for (const [word, why] of BAD) {
    const refused = await provider.event(
      'refused',
      (event) => event['messageId'] === `<${word.toLowerCase()}@x.example>`,
    )
    assert.match(String(refused['reply']), /^451 4\.3\.0 /)
    await eventually(() =>
      assert(
        replaced().some((each) => why.test(each)),
        `${word}: ${replaced().join(' | ')}`,
      ),
    )
  }
  await eventually(() => assert.equal(replaced().length, BAD.length, replaced().join(' | ')))
})

test('the same when they are submitted, in one piece and as a stream; nothing of them is queued', async () => {
  const before = replaced().length
  const large = 'x'.repeat(70).concat('\r\n').repeat(15_000)
  // a stream that hangs is given up after twenty times as long (wiring/gateway.ts), which is too long to wait for here
  const bodies = BAD.flatMap(([word]) =>
    word.endsWith('HANG')
      ? [[word, word]]
      : [
          [word, word],
          [word, large + word],
        ],
  )
  for (const [word = '', body = ''] of bodies) {
    assert.match(await submitted(`${word.toLowerCase()}-${body.length}`, body), /^451 4\.3\.0 /, word)
    assert.match(await submitted(`after-${word.toLowerCase()}-${body.length}`, 'good'), /^250 2\.0\.0 /)
  }
  await eventually(() => assert.equal(replaced().length, before + bodies.length))
  const mails = await fetchWhenThere(provider.ports.pop3s, SUZUKI, passwords.get(SUZUKI) ?? '', bodies.length)
  assert.equal(mails.length, bodies.length)
  assert(mails.every((each) => each.includes('Signature valid')))
  assert.deepEqual(await provider.cli(['queue', 'list']), [])
  await mailbox(true)
})

test('a hanging mail holds up no more than its own thread', async () => {
  const begunMs = performance.now()
  const hanging = receive('hang-alone', 'MISBEHAVE-HANG')
  for (let i = 0; i < 5; i++) assert.match(await receive(`quick${i}`, 'quick'), /^250 /)
  const quickMs = performance.now() - begunMs
  assert.match(await hanging, /^451 4\.3\.0 /)
  assert(quickMs < TIMEOUT_SECONDS * 1000, `five mails took ${Math.round(quickMs)} ms beside a hanging one`)
})

test('the server is the same process, and stops as it should', async () => {
  assert.deepEqual(
    provider.log.filter(({ event }) => event === 'trouble'),
    [],
  )
  assert.equal(await provider.stop(), 0)
})
