/**
 * 300 connections at once with 10 MB each against a server that may have little memory: it stays small, everybody hears an
 * answer, what is answered 250 is there, and in the end it takes mail as before.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { talkPop3s } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, talkSmtp } from '../support/smtp-client.ts'

const USER = 'u-suzuki@abc.com'
const CONNECTIONS = 300
const MAIL_BYTES = 10 * 2 ** 20
/** The process alone has some 200 MB; an eighth of this is for mails in work. */
const CEILING_MEGABYTES = 400
/** What copies of the mails in work, and of those being answered, take at worst: threads, sockets, what is not collected yet. */
const SLACK_MEGABYTES = 50

test('300 connections with 10 MB each: memory stays below its ceiling, all are answered, nothing is lost', async (t) => {
  await using provider = await makeProvider({
    domains: ['abc.com'],
    config: { limits: { memoryMaxMegabytes: CEILING_MEGABYTES, connectionsPerAddressMax: CONNECTIONS } },
  })
  const password = String((await provider.cli(['user', 'add', USER]))[0]?.['password'])
  await provider.start()
  assert.match(await sendUnauthenticated(provider.ports.mx, 'x@x.example', SMALL), /^250/)
  const idle = await residentMegabytes(provider, 'VmRSS')

  const answers = await Promise.all(Array.from({ length: CONNECTIONS }, () => sendLarge(provider.ports.mx)))
  const peak = await residentMegabytes(provider, 'VmHWM')
  const counts = Object.fromEntries(
    Object.entries(Object.groupBy(answers, (answer) => answer.slice(0, 9))).map(([text, all]) => [text, all?.length]),
  )
  t.diagnostic(`resident: ${idle} MB idle, ${peak} MB at most; ${JSON.stringify(counts)}`)

  const accepted = answers.filter((answer) => answer.startsWith('250')).length
  assert(
    answers.every((answer) => /^(?:250|421 4\.3\.2|451 4\.3\.2)/.test(answer)),
    JSON.stringify(counts),
  )
  assert(accepted >= 5 && accepted < CONNECTIONS, `${accepted} accepted`)
  assert(peak < CEILING_MEGABYTES + SLACK_MEGABYTES, `${peak} MB`)
  await provider.event('overloaded')
  await provider.event('recovered')

  assert.match(await sendUnauthenticated(provider.ports.mx, 'x@x.example', SMALL), /^250/)
  assert.match(await sendLarge(provider.ports.mx), /^250/)
  assert.equal(await mailsOf(provider, password), accepted + 3)
})

const SMALL = { to: [USER], message: 'From: x@x.example\r\nSubject: x\r\n\r\nhello\r\n' }
const LARGE = Buffer.from(`From: x@x.example\r\nSubject: x\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(MAIL_BYTES / 78)}`)

/** The last that the server said. */
async function sendLarge(port: number): Promise<string> {
  await using talk = await talkSmtp(port)
  for (const line of ['EHLO x.example', 'MAIL FROM:<x@x.example>', `RCPT TO:<${USER}>`, 'DATA']) {
    const answer = await answerOr(talk.transcript, talk.say(line))
    if (!/^[23]/.test(answer)) return answer
  }
  const sent = (async () => {
    for (let at = 0; at < LARGE.length; at += 2 ** 16) await talk.write(LARGE.subarray(at, at + 2 ** 16))
  })()
  await sent
  return await answerOr(talk.transcript, talk.say(Buffer.from('.\r\n')))
}

/** Who is turned away may find the connection closed when it says the next thing. */
async function answerOr(transcript: readonly string[], answer: Promise<string>): Promise<string> {
  try {
    return await answer
  } catch (error) {
    return transcript.findLast((line) => line.startsWith('< 4'))?.slice(2) ?? String(error)
  }
}

async function residentMegabytes(provider: Provider, what: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${provider.process?.pid}/status`, 'utf8')
  return Math.round(Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024)
}

async function mailsOf(provider: Provider, password: string): Promise<number> {
  await using talk = await talkPop3s(provider.ports.pop3s)
  for (const line of [`USER ${USER}`, `PASS ${password}`]) await talk.say(line)
  return Number(String(await talk.say('STAT')).split(' ')[1])
}
