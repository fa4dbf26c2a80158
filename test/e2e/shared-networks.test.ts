/** Mail from a cloud that sends for strangers too: only what carries our secret is sent on, and nobody outside sees it. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendMail, sendUnauthenticated, talkSmtp } from '../support/smtp-client.ts'

const USER = 't-azuma@here.example'
const OTHER = 'other@here.example'
const PASSWORD = 'correct horse battery'
const SECRET = '0123456789abcdef0123456789abcdef'
const NEXT_SECRET = 'fedcba9876543210fedcba9876543210'

const mail = (secretFields: string): string =>
  `From: ${USER}\r\nTo: ${OTHER}\r\n${secretFields}Subject: Plan\r\n\r\ncontent\r\n`

describe('a network that others send from too', () => {
  let here: Provider
  before(async () => {
    here = await makeProvider({ domains: ['here.example'], config: { authentication: { inbound: false } } })
    const shared = ['secret', 'next-secret'].map((valueFile) => ({
      network: '127.0.0.1/32',
      header: 'X-Our-Mail',
      valueFile,
    }))
    await writeFile(join(here.dir, 'home', 'secret'), `${SECRET}\n`)
    await writeFile(join(here.dir, 'home', 'next-secret'), `${NEXT_SECRET}\n`)
    await here.configure({ submission: { sharedNetworks: shared } })
    for (const address of [USER, OTHER]) await here.cli(['user', 'add', address, '--password-stdin'], PASSWORD)
    await here.start()
  })
  after(() => here?.[Symbol.asyncDispose]())

  /** As a cloud's server does: STARTTLS, no AUTH, BODY=8BITMIME. */
  const send = async (secretFields: string, from = USER): Promise<string> => {
    await using talk = await talkSmtp(here.ports.submission)
    await talk.say('EHLO outbound.cloud.example')
    await talk.say('STARTTLS')
    await talk.startTls()
    await talk.say('EHLO outbound.cloud.example')
    return await sendMail(talk, from, { to: [OTHER], message: mail(secretFields), mailParameters: ' BODY=8BITMIME' })
  }

  test('without the secret, with a wrong one, or with two: refused, and said in the log', async () => {
    for (const fields of [
      '',
      'X-Our-Mail: x\r\n',
      `X-Our-Mail: ${SECRET}\r\nX-Our-Mail: x\r\n`,
      `X-Other: ${SECRET}\r\n`,
    ])
      assert.match(await send(fields), /^550 5\.7\.1 This mail does not prove/)
    await here.event('refused', ({ reply, sender }) => sender === USER && String(reply).includes('does not prove'))
  })

  test('reports and strangers are not taken, nor anything without TLS', async () => {
    const fields = `X-Our-Mail: ${SECRET}\r\n`
    assert.match(await send(fields, ''), /^550 5\.7\.1/)
    assert.match(await send(fields, 'stranger@b.example'), /^550 5\.7\.1/)
    const message = mail(fields)
    assert.match(await sendUnauthenticated(here.ports.submission, USER, { to: [OTHER], message }), /^530 5\.7\.0/)
  })

  test('with either secret it is sent on, and the recipient sees none', async () => {
    assert.match(await send(`x-our-mail: ${SECRET}\r\n`), /^250/)
    assert.match(await send(`X-Our-Mail:\r\n ${NEXT_SECRET}\r\n`), /^250/)
    const read = await fetchWhenThere(here.ports.pop3s, OTHER, PASSWORD, 2)
    assert.equal(read.length, 2)
    for (const each of read) {
      const text = each.toString('latin1')
      assert.match(text, /\r\n\r\ncontent\r\n/)
      assert.doesNotMatch(text, /x-our-mail/i)
      assert(!text.includes(SECRET) && !text.includes(NEXT_SECRET))
    }
  })
})
