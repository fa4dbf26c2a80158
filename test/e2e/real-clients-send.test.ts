/**
 * Every mail program sends every kind of mail (a large one: real-clients-large.test.ts) through the real servers, from one provider to the other, and curl fetches
 * it there: what comes out is what the program sent, byte for byte, trace fields apart.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { curlTakes } from '../support/clients/fetchers.ts'
import { assertSameMail, withCrlf } from '../support/clients/same-mail.ts'
import { LARGE, SAMPLES, UTF_8 } from '../support/clients/samples.ts'
import { SENDERS, type Sender, sentFrom } from '../support/clients/senders.ts'
import {
  AZUMA,
  ESTO,
  KUBOTA,
  SUZUKI,
  type Terminal,
  type World,
  makeWorld,
} from '../support/clients/three-providers.ts'
import { type WireTap, startWireTap } from '../support/wire-tap.ts'
import { eventually } from '../support/eventually.ts'

let world: World
/** Stands between the terminals and the submission port of t-azuma's provider, and keeps what they say. */
let tap: WireTap

before(async () => {
  world = await makeWorld({ submission: { allowPlainAuthOnLoopback: true } })
  tap = await startWireTap(() => world.provider(AZUMA).ports.submission)
})

after(async () => {
  await tap?.[Symbol.asyncDispose]()
  await world?.[Symbol.asyncDispose]()
})

const withCurl = ({ packages }: Sender) => needsAll({ ...packages, curl: 'curl' })

for (const sender of SENDERS)
  for (const [index, sample] of SAMPLES.filter((each) => each !== LARGE).entries())
    test(`${sender.name} sends ${sample.name}`, withCurl(sender), async () => {
      // a program that sends a file takes ports 587 and 465 in turn; what the others write is read on the way
      const way = !sender.verbatim ? tap.port : index % 2 === 0 ? 'starttls' : 'tls'
      const from = world.terminal(AZUMA)
      await sender.send(from, sample, SUZUKI, way)
      const sent = sender.verbatim ? sentFrom(from) : tap.messages.splice(0)[0]
      assert(sent !== undefined, 'it was sent through the tap')
      assert.match(sent.toString('latin1', 0, 20_000), sample.mark)
      await world.stored(SUZUKI)
      assertSameMail(await curlTakes(world.terminal(SUZUKI)), { sent })
    })

/** What mutt (a Maildir) and s-nail (an mbox file) keep under Sent. */
function sentCopy({ home }: Terminal): Buffer {
  const file = join(home, 'sent')
  const maildir = join(file, 'cur')
  try {
    const [name] = readdirSync(maildir)
    return withCrlf(readFileSync(join(maildir, name ?? '')))
  } catch {
    const mbox = readFileSync(file)
    const text = mbox.subarray(mbox.indexOf('\n') + 1, -1) // "From " line; empty line at the end
    return withCrlf(text)
  }
}

for (const sender of SENDERS.filter((each) => !each.verbatim))
  for (const way of ['starttls', 'tls'] as const)
    test(`${sender.name} sends over ${way}: what it keeps under Sent arrives`, withCurl(sender), async () => {
      const from = world.terminal(AZUMA)
      await sender.send(from, UTF_8, SUZUKI, way)
      await world.stored(SUZUKI)
      const fetched = await curlTakes(world.terminal(SUZUKI))
      const copy = sentCopy(from).toString('latin1')
      assert.match(copy, UTF_8.mark)
      // mutt writes the header twice, and looks at its watch each time
      const [date = ''] = /^Date: .*$/m.exec(fetched.toString('latin1')) ?? []
      assertSameMail(fetched, { sent: Buffer.from(copy.replace(/^Date: .*$/m, date), 'latin1') })
    })

for (const sender of SENDERS)
  test(`${sender.name} with a wrong password sends nothing`, withCurl(sender), async () => {
    const from = { ...world.terminal(AZUMA), password: 'wrong' }
    await assert.rejects(sender.send(from, UTF_8, SUZUKI, 'starttls'))
    await eventually(() => assert(world.provider(AZUMA).log.some((event) => event.event === 'login-failed')))
  })

const [swaks, , msmtp, sNail, mutt] = SENDERS as readonly [Sender, Sender, Sender, Sender, Sender]
const directions: readonly [sender: Sender, from: string, to: string, what: string][] = [
  [swaks, SUZUKI, AZUMA, 'back from the second provider to the first'],
  [msmtp, ESTO, KUBOTA, 'from the third provider to another user of the first'],
  [sNail, SUZUKI, ESTO, 'between the second and the third'],
  [mutt, ESTO, AZUMA, 'from the third to the first'],
  [swaks, AZUMA, KUBOTA, 'between users of one provider, sealed and opened all the same'],
]
for (const [sender, from, to, what] of directions)
  test(`${sender.name} sends ${what}`, withCurl(sender), async () => {
    await using heard = await startWireTap(() => world.provider(from).ports.submission)
    await sender.send(world.terminal(from), UTF_8, to, heard.port)
    await world.stored(to)
    const [sent] = heard.messages
    assert(sent !== undefined)
    const local = from.split('@')[1] === to.split('@')[1]
    assertSameMail(await curlTakes(world.terminal(to)), { sent, local })
  })
