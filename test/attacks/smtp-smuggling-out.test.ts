/**
 * SMTP smuggling, the sending side: what our relay writes can be read in one way only. No CR and no LF stands alone,
 * no line of a message is a lone dot, whatever the message contains and however it is cut; what cannot be sent so is
 * not sent. A server that ends messages at <LF>.<LF> or <CR>.<CR> then finds nothing to end them at.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { array, assert as assertProperty, asyncProperty, boolean, constantFrom, integer } from 'fast-check'
import { deliver, mail, pieces, relayTo, text } from '../support/relay-bench.ts'
import { startScriptedSmtp, type ScriptedSmtp } from '../support/scripted-smtp.ts'
import type { Relay } from '../../src/relay/relay.ts'

/** What published variants are made of, and what surrounds it. */
const SCRAPS = [
  '\r\n',
  '\r',
  '\n',
  '.',
  '..',
  '\r\n.\r\n',
  '\n.\n',
  '\r.\r',
  '\r\n.',
  '\0',
  'MAIL FROM:<x@y.example>',
  'x',
  '\u0085',
  '\v',
]
const BARE = /\r(?!\n)|(?<!\r)\n/

let server: ScriptedSmtp
let relay: Relay & AsyncDisposable
before(async () => {
  server = await startScriptedSmtp({ ehlo: ['PIPELINING', '8BITMIME', 'CHUNKING'] })
  relay = relayTo(server.port)
})
after(async () => {
  await relay[Symbol.asyncDispose]()
  await server.close()
})

/** All octets that the relay has sent since the last time. */
function wire(): string {
  return Buffer.concat(server.received.clear.splice(0)).toString('latin1')
}

test('any message: one that has bare line ends is not sent, any other arrives as it is, and alone', async () => {
  let sent = 0
  await assertProperty(
    asyncProperty(
      array(constantFrom(...SCRAPS), { minLength: 1, maxLength: 25 }),
      integer({ min: 1, max: 40 }),
      boolean(),
      async (scraps, cut, mended) => {
        const body = mended ? scraps.join('').replaceAll(/\r\n|\r|\n/g, '\r\n') : scraps.join('')
        const what = mail({ sizeBytes: body.length })
        const before = server.messages.length
        wire()
        const [result] = await relay.deliver(what, () => pieces(body, cut))
        // a message that is given up may have its last CR sent, and then the connection ends
        const [octets = '', ...ofEarlier] = wire()
          .split(/\r?(?=EHLO )/)
          .toReversed()
        for (const stream of [octets.replace(/\r$/, ''), ...ofEarlier]) assert.doesNotMatch(stream, BARE, 'on the wire')
        if (BARE.test(body)) {
          assert.equal(result?.outcome, 'failed')
          assert.match(text(result), /^554 5\.6\.0/)
          assert.equal(server.messages.length, before)
          return
        }
        assert.equal(result?.outcome, 'delivered', text(result))
        assert.equal(server.messages.length, before + 1, 'one message')
        assert.equal(octets.split('\r\n.\r\n').length, 2, 'one end')
        const arrived = (server.messages.at(-1) ?? Buffer.alloc(0)).toString('latin1').replaceAll(/^\.(?=.)/gm, '')
        assert.equal(arrived, body.endsWith('\r\n') ? body : `${body}\r\n`)
        assert.match(octets, /^(?:EHLO [^\r]*\r\n)?(?:RSET\r\n)?MAIL FROM:<a@a\.example>/)
        assert.doesNotMatch(octets, /^BDAT /m)
        sent++
      },
    ),
    { numRuns: 400 },
  )
  assert(sent > 100, `${sent} sent`)
})

/** Published ends of data (SEC Consult, December 2023, and what was found after it). */
const ENDS = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r\n\0.\r\n',
  '\r\r\n.\r\n',
  '\n\n.\r\n',
] as const
for (const end of ENDS)
  test(`${JSON.stringify(end)} in a message ends it nowhere`, async () => {
    const body = `Subject: x\r\n\r\nline${end}MAIL FROM:<admin@b.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n\r\nx\r\n`
    for (const cut of [1, 3, 1_000]) {
      const before = server.messages.length
      wire()
      const [result] = await deliver(server.port, mail({ sizeBytes: body.length }), () => pieces(body, cut))
      const octets = wire()
      if (BARE.test(body)) assert.equal(result?.outcome, 'failed')
      assert.equal(server.messages.length, before + (result?.outcome === 'delivered' ? 1 : 0))
      assert.equal(octets.split(/[\r\n]+\.[\r\n]+/).length, result?.outcome === 'delivered' ? 2 : 1, text(result))
    }
  })
