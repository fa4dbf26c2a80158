/** Every mail program sends an attachment of 20 MB; curl fetches it at the other provider, byte for byte. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { curlTakes } from '../support/clients/fetchers.ts'
import { assertSameMail } from '../support/clients/same-mail.ts'
import { LARGE } from '../support/clients/samples.ts'
import { SENDERS, sentFrom } from '../support/clients/senders.ts'
import { AZUMA, SUZUKI, type World, makeWorld } from '../support/clients/three-providers.ts'
import { type WireTap, startWireTap } from '../support/wire-tap.ts'

/** 20 MB in base64. */
const SENT_MIN_BYTES = 27_000_000

let world: World
/** Reads what programs that write the message themselves have written. */
let tap: WireTap

before(async () => {
  world = await makeWorld({ submission: { allowPlainAuthOnLoopback: true } })
  tap = await startWireTap(() => world.provider(AZUMA).ports.submission)
})

after(async () => {
  await tap?.[Symbol.asyncDispose]()
  await world?.[Symbol.asyncDispose]()
})

for (const [index, sender] of SENDERS.entries())
  test(`${sender.name} sends ${LARGE.name}`, needsAll({ ...sender.packages, curl: 'curl' }), async () => {
    const from = world.terminal(AZUMA)
    await sender.send(from, LARGE, SUZUKI, !sender.verbatim ? tap.port : index % 2 === 0 ? 'starttls' : 'tls')
    const sent = sender.verbatim ? sentFrom(from) : tap.messages.splice(0)[0]
    assert(sent !== undefined && sent.length > SENT_MIN_BYTES, 'it was sent, all of it')
    assert.match(sent.toString('latin1', 0, 20_000), LARGE.mark)
    await world.stored(SUZUKI)
    assertSameMail(await curlTakes(world.terminal(SUZUKI)), { sent })
  })
