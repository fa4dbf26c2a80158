/** Limits that hold over all listeners and sessions of a real server. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { talkPop3s } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { talkSmtp } from '../support/smtp-client.ts'

const [AZUMA, SUZUKI] = ['t-azuma@abc.com', 'u-suzuki@abc.com'] as const
let provider: Provider
const passwords: Record<string, string> = {}

before(async () => {
  provider = await makeProvider({
    domains: ['abc.com'],
    config: {
      limits: {
        rateExemptNetworks: [],
        perMinute: { loginFailuresPerAddress: 5, loginFailuresPerUser: 2, connectionsPerAddress: 13 },
      },
    },
  })
  for (const user of [AZUMA, SUZUKI])
    passwords[user] = String((await provider.cli(['user', 'add', user]))[0]?.['password'])
  await provider.start()
})
after(() => provider?.[Symbol.asyncDispose]())

async function smtpLogin(user: string, password: string): Promise<string> {
  await using talk = await talkSmtp(provider.ports.submissions, { tls: true })
  await talk.say('EHLO terminal.example')
  return await talk.say(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`)
}

async function popLogin(user: string, password: string): Promise<string> {
  await using talk = await talkPop3s(provider.ports.pop3s)
  await talk.say(`USER ${user}`)
  return String(await talk.say(`PASS ${password}`))
}

test('wrong passwords count over SMTP and POP3 together; then the right one is not looked at either', async () => {
  assert.match(await smtpLogin(SUZUKI, 'wrong'), /^535/)
  assert.match(await popLogin(SUZUKI.toUpperCase(), 'wrong'), /^-ERR \[AUTH\]/)
  assert.match(await smtpLogin(SUZUKI, passwords[SUZUKI] ?? ''), /^454 4\.7\.0/)
  assert.match(await popLogin(SUZUKI, passwords[SUZUKI] ?? ''), /^-ERR \[SYS\/TEMP\]/)
})

test('another user of the same address signs in, and is let in again after guesses at that name', async () => {
  assert.match(await smtpLogin(AZUMA, passwords[AZUMA] ?? ''), /^235/)
  const guesses: string[] = []
  while (!guesses.at(-1)?.startsWith('454') && guesses.length < 12) guesses.push(await smtpLogin(AZUMA, 'wrong'))
  assert(guesses.length > 3, 'more than the name alone would have')
  assert.match(guesses.at(-1) ?? '', /^454 4\.7\.0/, 'but no more guesses from this address')
  assert(!JSON.stringify(provider.log).includes('"trouble"'))
})

test('connections of one address in a minute, SMTP and POP3 together', async () => {
  const come = async (): Promise<string> => {
    try {
      return await popLogin('x@abc.com', 'x')
    } catch {
      return 'turned away'
    }
  }
  const answers: string[] = []
  while (answers.at(-1) !== 'turned away' && answers.length < 40) answers.push(await come())
  assert.equal(answers.at(-1), 'turned away', answers.join('\n'))
  await provider.event('refused', ({ reply }) => reply === 'connections-per-minute')
})
