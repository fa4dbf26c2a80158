/**
 * Terminals of one user: every fetching program gets the same mail, two of them at the same time, nobody has to set up more
 * than server, name and password (S14, S15), and the answer goes back.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { FETCHERS, curlPop, curlTakes } from '../support/clients/fetchers.ts'
import { runWell } from '../support/clients/run.ts'
import { assertSameMail } from '../support/clients/same-mail.ts'
import { type Sample, ISO_2022_JP, UTF_8, head, noise } from '../support/clients/samples.ts'
import { SENDERS, SEND_WHEN_EDITED, curlSends, muttOnScreen, muttSettings, put } from '../support/clients/senders.ts'
import {
  AZUMA,
  ESTO,
  KUBOTA,
  SUZUKI,
  type Terminal,
  type World,
  makeWorld,
} from '../support/clients/three-providers.ts'
import { startWireTap } from '../support/wire-tap.ts'

let world: World

before(async () => {
  world = await makeWorld({ submission: { allowPlainAuthOnLoopback: true } })
})

after(async () => {
  await world?.[Symbol.asyncDispose]()
})

/** What fetching programs like to change. "From " at a line start is not in it: mbox files, in which some keep mail, change that. */
const DIFFICULT = '.\r\n..\r\n.a\r\n..b\r\n\r\n. c\r\n \r\nS\xe3o Paulo\r\n' + 'x'.repeat(990) + '\r\n\r\n\r\n'

const messageId = (mail: Buffer): string => /^Message-ID: (.*)$/im.exec(mail.toString('latin1'))?.[1] ?? ''

const CURL = needsAll({ curl: 'curl' })

test('every fetching program gets what was sent, and leaves it to the others', CURL, async (t) => {
  const sender = world.terminal(AZUMA)
  const type =
    'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n'
  const messages = [
    ISO_2022_JP.message(AZUMA, SUZUKI),
    UTF_8.message(AZUMA, SUZUKI),
    Buffer.from(head(AZUMA, SUZUKI, `Subject: difficult\r\n${type}\r\n${DIFFICULT}`), 'latin1'),
  ]
  for (const message of messages) {
    await curlSends(sender, { from: AZUMA, to: [SUZUKI], message, way: 'starttls' })
    await world.stored(SUZUKI)
  }
  for (const fetcher of FETCHERS)
    for (const way of fetcher.ways)
      await t.test(`${fetcher.name} by ${way}`, needsAll(fetcher.packages), async () => {
        const fetched = await fetcher.fetch(world.terminal(SUZUKI), way)
        assert.equal(fetched.length, messages.length)
        for (const sent of messages) {
          const same = fetched.find((each) => messageId(each) === messageId(sent))
          assertSameMail(same ?? assert.fail(`${messageId(sent)} is missing`), { sent })
        }
      })
  await t.test('a terminal with a wrong password gets nothing', async () => {
    const thief = { ...world.terminal(SUZUKI), password: 'wrong' }
    await assert.rejects(curlPop(thief, 'tls', '1'), /67/) // CURLE_LOGIN_DENIED
  })
})

test(
  'two terminals of one user fetch at the same time; what one deletes, the other has until it quits',
  CURL,
  async () => {
    const body = noise(1_500_000).toString('base64').replaceAll(/.{76}/g, '$&\r\n')
    const sent = Buffer.from(`${head(AZUMA, ESTO, 'Subject: both\r\n')}\r\n${body}\r\n`)
    await curlSends(world.terminal(AZUMA), { from: AZUMA, to: [ESTO], message: sent, way: 'tls' })
    await world.stored(ESTO)
    let slowIsDone = false
    const slow = curlPop(world.terminal(ESTO), 'tls', '1', ['--limit-rate', '200K']).finally(() => (slowIsDone = true))
    // the second comes while the first is reading, and even deletes
    await world.provider(ESTO).event('login-succeeded', (event) => event['name'] === ESTO)
    const fast = await curlTakes(world.terminal(ESTO), 'stls')
    assert.equal(slowIsDone, false)
    for (const fetched of [fast, await slow]) assertSameMail(fetched, { sent })
    assert.equal((await curlPop(world.terminal(ESTO), 'tls', '')).toString().trim(), '')
  },
)

const WITH_MUTT = needsAll({ curl: 'curl', mutt: 'mutt', script: 'bsdutils' })

test('u-suzuki reads with mutt and answers from there; t-azuma fetches the answer', WITH_MUTT, async () => {
  const question: Sample = UTF_8
  const from = world.terminal(AZUMA)
  await using heard = await startWireTap(() => world.provider(KUBOTA).ports.submission)
  await SENDERS[1]?.send(from, question, KUBOTA, 'starttls')
  await world.stored(KUBOTA)
  const reader = world.terminal(KUBOTA)
  const editor = put(reader, 'editor.sh', 'echo "we agree" >> "$1"\n')
  put(
    reader,
    '.muttrc',
    `${muttSettings(reader, heard.port)}${SEND_WHEN_EDITED}set editor="sh ${editor}" include=yes ssl_force_tls=no\n`,
  )
  await muttOnScreen(reader, `-f pops://localhost:${reader.ports.pop3s}`, '<reply>')
  await world.stored(AZUMA)
  const [sent] = heard.messages
  assert(sent !== undefined)
  const answer = sent.toString('utf8')
  assert.match(answer, /^> 価格は百二十三万円です。\r$/m)
  assert.match(answer, /^we agree\r$/m)
  assert.match(answer, /^In-Reply-To: <[^>]+@terminal\.example>\r$/m)
  assertSameMail(await curlTakes(world.terminal(AZUMA)), { sent, local: true })
})

/** Names of all files below a folder. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const CRYPTOGRAPHY = /pkcs7|pkcs12|smime\.p7|multipart\/signed|PRIVATE KEY|BEGIN CERTIFICATE|BEGIN PGP|OpenPGP/i

/** With nothing but this; who vouches for the servers' certificate is the system's affair. */
async function freshTerminal(
  address: string,
): Promise<{ terminal: Terminal; netrc: string; env: Record<string, string> }> {
  const terminal = world.terminal(address)
  const netrc = put(terminal, '.netrc', `machine localhost login ${address} password ${terminal.password}\n`)
  return { terminal, netrc, env: { CURL_CA_BUNDLE: terminal.anchor } }
}

test(
  'a terminal knows server, name and password, and nothing else; a new one works as the old one did',
  CURL,
  async () => {
    const phone = await freshTerminal(AZUMA)
    const message = put(phone.terminal, 'letter', ISO_2022_JP.message(AZUMA, SUZUKI))
    const submission = `smtps://localhost:${phone.terminal.ports.submissions}/phone`
    const letter = ['--mail-from', AZUMA, '--mail-rcpt', SUZUKI, '-T', message, submission]
    await runWell(phone.terminal.home, 'curl', ['-sS', '-n', ...letter], { env: phone.env })
    const { sizeBytes } = (await world.stored(SUZUKI)) as unknown as { sizeBytes: number }
    // the terminal is lost; its owner takes another one, and yet another
    for (const name of ['PDA', 'PC']) {
      const { terminal, env } = await freshTerminal(SUZUKI)
      const list = await runWell(terminal.home, 'curl', ['-sS', '-n', `pop3s://localhost:${terminal.ports.pop3s}/`], {
        env,
      })
      const number = list.toString('latin1').trim().split('\r\n').at(-1)?.split(' ')[0]
      const url = `pop3s://localhost:${terminal.ports.pop3s}/${number}`
      const fetched = await runWell(terminal.home, 'curl', ['-sS', '-n', url, '-o', '-'], { env })
      assert.equal(fetched.length, sizeBytes, name)
      assertSameMail(fetched, { sent: readFileSync(message) })
      assert.doesNotMatch(fetched.toString('latin1'), CRYPTOGRAPHY)
      assert.deepEqual(
        filesIn(terminal.home),
        [join(terminal.home, '.netrc')],
        'no key, no certificate, no list of keys',
      )
    }
    for (const file of filesIn(phone.terminal.home)) assert.doesNotMatch(readFileSync(file, 'latin1'), CRYPTOGRAPHY)
  },
)
