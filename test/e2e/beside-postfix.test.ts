/** A real Postfix has the ports to the world, Sealpost stands behind it: the set-ups that operators are shown, both ways. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  BESIDE_POSTFIX,
  type BesidePostfix,
  type PostfixBeside,
  SIGNED_IN,
  STRANGER,
  startPostfixBeside,
} from '../support/beside-postfix.ts'
import { tampered } from '../support/correspondent-cases.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { needsPostfix } from '../support/postfix.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { sendMail, talkSmtp } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
const OTHER = 'u-suzuki@b.example'
const PASSWORD = 'correct horse battery'
const mail = (from: string, to: string, text: string): string =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: Plan\r\nMessage-ID: <${text}@x.example>\r\n\r\nsecret ${text}\r\n`

for (const setUp of BESIDE_POSTFIX)
  describe(setUp, needsPostfix(), () => {
    let world: World
    before(async () => (world = await startWorld(setUp)))
    after(() => world?.[Symbol.asyncDispose]())
    const isBefore = setUp === 'postfix-before-queue.cf'

    test('out: what a user sends leaves encrypted and signed, and only so', async () => {
      assert.match(await world.send('submission', SIGNED_IN, USER, OTHER, mail(USER, OTHER, 'out')), /^250/)
      const [sent = ''] = await world.postfix.mailbox('u-suzuki', 1)
      assert.match(sent, /^Content-Type: (?:application\/pkcs7-mime|multipart\/signed)/m)
      assert.doesNotMatch(sent, /secret/)
      const file = join(world.abroad.dir, 'sent.eml')
      writeFileSync(file, sent.replaceAll('\n', '\r\n'), 'latin1')
      const [opened] = await world.abroad.cli(['open', file, '--for', OTHER, '--plaintext'])
      assert.deepEqual(opened?.['summary'], { encrypted: true, signature: 'valid', signer: USER, reason: null })
      assert.match(String(opened?.['plaintext']), /secret out/)
    })

    test('in: what comes protected is read in plain, and is known to come from its client', async () => {
      const sealed = await world.seal('in')
      assert.match(await world.send('mx', STRANGER, OTHER, USER, sealed), /^250/)
      const [read] = await fetchWhenThere(world.here.ports.pop3s, USER, PASSWORD)
      const text = read?.toString('latin1') ?? ''
      assert.match(text, /smime=pass/)
      assert.match(text, /secret in\r\n/)
      assert.match(
        text,
        new RegExp(`^Received: from client\\.example \\(\\[${STRANGER}\\]\\) by mail\\.here\\.example`, 'm'),
      )
    })

    test(
      isBefore ? 'in: the sender of a tampered mail hears it in the session' : 'in: a tampered mail is refused',
      async () => {
        const before = (await fetchAll(world.here.ports.pop3s, USER, PASSWORD)).length
        const reply = await world.send(
          'mx',
          STRANGER,
          OTHER,
          USER,
          tampered(Buffer.from(await world.seal('bad'), 'latin1')),
        )
        if (isBefore) assert.match(reply, /^550 5\.7\.7/)
        await world.here.event('refused', ({ reply: said }) => String(said).startsWith('550 5.7.7'))
        assert.equal((await fetchAll(world.here.ports.pop3s, USER, PASSWORD)).length, before)
      },
    )

    test('nobody relays: strangers, and users under the names of others', async () => {
      const elsewhere = 'x@elsewhere.example'
      const refused = [
        await world.send('mx', STRANGER, OTHER, elsewhere, mail(OTHER, elsewhere, 'r1')),
        await world.send('mx', STRANGER, USER, elsewhere, mail(USER, elsewhere, 'r2')),
        await world.send('submission', STRANGER, USER, OTHER, mail(USER, OTHER, 'r3')),
        await world.direct(world.here.ports.mx, STRANGER, OTHER, OTHER),
        await world.direct(world.here.ports.submission, STRANGER, USER, OTHER),
        await world.direct(world.here.ports.submission, '127.0.0.1', 'x@elsewhere.example', OTHER),
        await world.direct(world.postfix.ports.protected, STRANGER, USER, OTHER),
      ]
      for (const reply of refused) assert.match(reply, /^5(?:30|50|54) /)
    })

    test('while Sealpost is away nothing leaves in clear', async () => {
      await world.here.stop()
      const reply = await world.send('submission', SIGNED_IN, USER, OTHER, mail(USER, OTHER, 'later'))
      assert.match(reply, isBefore ? /^451/ : /^250/)
      if (!isBefore) await world.logged(/relay=none.*status=deferred/)
      // after the queue, a report about the tampered mail is there too
      assert.doesNotMatch((await world.postfix.mailbox('u-suzuki', 1)).join(''), /secret/)
    })
  })

interface World extends AsyncDisposable {
  readonly here: Provider
  /** Never started: it seals and opens for the other side. */
  readonly abroad: Provider
  readonly postfix: PostfixBeside
  send(port: 'mx' | 'submission', client: string, from: string, to: string, message: string | Buffer): Promise<string>
  /** Past Postfix, up to RCPT. */
  direct(port: number, client: string, from: string, to: string): Promise<string>
  seal(text: string): Promise<string>
  logged(line: RegExp): Promise<void>
}

async function startWorld(setUp: BesidePostfix): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const here = stack.use(
    await makeProvider({ domains: ['here.example'], config: { authentication: { inbound: false } } }),
  )
  const abroad = stack.use(await makeProvider({ domains: ['b.example'] }))
  const postfix = stack.use(await startPostfixBeside(setUp, here, ['u-suzuki']))
  await here.cli(['user', 'add', USER, '--password-stdin'], PASSWORD)
  await abroad.cli(['user', 'add', OTHER])
  for (const [from, to, address] of [
    [here, abroad, USER],
    [abroad, here, OTHER],
  ] as const) {
    const [key] = await from.cli(['key', 'export', address])
    await to.cli(['key', 'import', '-'], String(key?.['pem']))
  }
  await here.start()
  const say = async (port: number, client: string, lines: readonly string[]): Promise<string> => {
    await using talk = await talkSmtp(port, { from: client })
    let reply = ''
    for (const line of ['EHLO client.example', ...lines]) reply = await talk.say(line)
    return reply
  }
  const disposing = stack.move()
  return {
    here,
    abroad,
    postfix,
    async send(port, client, from, to, message) {
      await using talk = await talkSmtp(postfix.ports[port], { from: client })
      await talk.say('EHLO client.example')
      return await sendMail(talk, from, { to: [to], message })
    },
    async direct(port, client, from, to) {
      const refused = await say(port, client, [`MAIL FROM:<${from}>`])
      return refused.startsWith('250') ? say(port, client, [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) : refused
    },
    async seal(text) {
      const file = join(abroad.dir, `${text}.eml`)
      writeFileSync(file, mail(OTHER, USER, text))
      const [made] = await abroad.cli(['seal', file, '--from', OTHER])
      return String(made?.['message'])
    },
    async logged(line) {
      const endMs = performance.now() + 10_000
      while (!line.test(postfix.log())) {
        if (performance.now() > endMs) throw new Error(`not logged: ${postfix.log()}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    [Symbol.asyncDispose]: () => disposing.disposeAsync(),
  }
}
