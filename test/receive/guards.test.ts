/** Rates and shortages, as clients hear of them on the SMTP listeners. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Overload } from '../../src/base/overload.ts'
import { type RateLimits, Rates } from '../../src/base/rates.ts'
import { reply } from '../../src/protocol/smtp-reply.ts'
import type { GuardDeps } from '../../src/receive/guards.ts'
import { playDialog } from '../dialogs/run-dialogs.ts'
import { PLAIN, startTestSmtp, type TestSmtp } from '../support/smtp-server.ts'

const UNLIMITED: RateLimits = {
  connectionsPerAddress: 0,
  mailsPerAddress: 0,
  recipientsPerAddress: 0,
  refusedRecipientsPerAddress: 0,
  loginFailuresPerAddress: 0,
  mailsPerUser: 0,
  recipientsPerUser: 0,
  loginFailuresPerUser: 0,
}

interface World {
  readonly server: TestSmtp
  readonly time: { nowMs: number }
  readonly facts: { residentBytes: number; freeDiskBytes: number; busy: boolean }
  readonly said: string[]
  readonly load: Overload
}

const servers: TestSmtp[] = []
after(() => Promise.all(servers.map((server) => server.stop(0))))

async function worldWith(limits: Partial<RateLimits>, heldMaxBytes = 2 ** 20): Promise<World> {
  const time = { nowMs: 0 }
  const facts = { residentBytes: 0, freeDiskBytes: 1_000, busy: false }
  const said: string[] = []
  const load = new Overload({
    limits: () => ({ heldMaxBytes, residentMaxBytes: 100, freeDiskMinBytes: 1_000 }),
    facts: {
      residentBytes: () => facts.residentBytes,
      freeDiskBytes: () => facts.freeDiskBytes,
      threadsBusy: () => facts.busy,
    },
    events: { overloaded: ({ why }) => said.push(`overloaded ${why}`), recovered: () => said.push('recovered') },
  })
  const rates = new Rates({
    limits: () => ({ ...UNLIMITED, ...limits }),
    exempt: () => false,
    nowMs: () => time.nowMs,
  })
  const guards: GuardDeps = { rates, load }
  const server = await startTestSmtp({ guards })
  servers.push(server)
  return { server, time, facts, said, load }
}

const play = ({ server }: World, why: string, text: string): Promise<void> =>
  playDialog(why, text, { listeners: server.dialogListeners })

const MAIL = '> MAIL FROM:<a@b.example>\n'
const SUBMIT = '> MAIL FROM:<t-azuma@biglobe.example>\n'
const TO = '> RCPT TO:<t-azuma@biglobe.example>\n'
const HELLO = '< 220\n> EHLO x.example\n<+ 250 PIPELINING\n'
const LOGIN = `${HELLO}> AUTH PLAIN ${PLAIN}\n< 235\n`

test('connections of one address in a minute: 421 4.7.0, closed', async () => {
  const world = await worldWith({ connectionsPerAddress: 2 })
  const turnedAway = '! connect\n< 421 4.7.0 Too many connections from your address in a minute\n~ close'
  await play(world, 'connections', `${HELLO}! connect\n${HELLO}${turnedAway}`)
  world.time.nowMs = 30_000
  await play(world, 'later', `${HELLO}${turnedAway}`)
  assert.equal(world.server.events.filter((event) => event.startsWith('refused 421 4.7.0')).length, 2)
})

test('mails of one server in a minute: 450 4.7.1 to MAIL, the session goes on', async () => {
  const world = await worldWith({ mailsPerAddress: 2 })
  const refused = `${MAIL}< 450 4.7.1 Too many messages from your address in a minute\n`
  await play(world, 'mails', `${HELLO}${`${MAIL}< 250\n> RSET\n< 250\n`.repeat(2)}${refused}> NOOP\n< 250`)
  world.time.nowMs = 30_000
  await play(world, 'later', `${HELLO}${MAIL}< 250\n> RSET\n< 250\n${refused}`)
})

test('recipients of one server in a minute: 450 4.7.1 to RCPT, and those before are served', async () => {
  const world = await worldWith({ recipientsPerAddress: 2 })
  const unknown = '> RCPT TO:<nobody@biglobe.example>\n< 550 5.1.1\n'
  const end = '> DATA\n< 354\n> Subject: x\n> \n> .\n< 250'
  const third = '> RCPT TO:<u2@biglobe.example>\n< 450 4.7.1 Too many recipients from your address in a minute\n'
  await play(world, 'recipients', `${HELLO}${MAIL}< 250\n${TO}< 250\n${unknown}${third}${end}`)
  assert.deepEqual(
    world.server.mails.map(({ envelope }) => envelope.rcptTo.length),
    [1],
  )
})

test('guessing at addresses: after so many that do not exist, those that do hear the same', async () => {
  const world = await worldWith({ refusedRecipientsPerAddress: 3 })
  const guesses = [1, 2, 3].map((number) => `> RCPT TO:<guess${number}@biglobe.example>\n< 550 5.1.1\n`).join('')
  const blind = '< 450 4.7.1 Too many unknown recipients in a minute\n'
  await play(
    world,
    'harvest',
    `${HELLO}${MAIL}< 250\n${guesses}${TO}${blind}> RCPT TO:<guess4@biglobe.example>\n${blind}`,
  )
  await play(world, 'a new session does not help', `${HELLO}${MAIL}< 250\n${TO}${blind}`)
  world.time.nowMs = 20_000
  await play(world, 'later', `${HELLO}${MAIL}< 250\n${TO}< 250`)
})

test('mails and recipients of one user in a minute, on whatever connection', async () => {
  const world = await worldWith({ mailsPerUser: 2, recipientsPerUser: 1, mailsPerAddress: 1, recipientsPerAddress: 1 })
  const refused = '< 450 4.7.1 Too many recipients from your account in a minute\n'
  await play(world, 'one', `@ submission\n${LOGIN}${SUBMIT}< 250\n${TO}< 250\n> RCPT TO:<x@y.example>\n${refused}`)
  const none = '< 450 4.7.1 Too many messages from your account in a minute\n'
  await play(world, 'two', `@ submissions\n${LOGIN}${SUBMIT}< 250\n> RSET\n< 250\n${SUBMIT}${none}`)
})

test('no disk: 452 4.3.1 to MAIL; too much for the threads: 451 4.3.2; both said once, and that they are over', async () => {
  const world = await worldWith({})
  world.facts.freeDiskBytes = 999
  const full = `${MAIL}< 452 4.3.1 Not enough disk space\n`
  await play(world, 'disk', `${HELLO}${full}${full}`)
  world.facts.freeDiskBytes = 1_000
  await play(world, 'room', `${HELLO}${MAIL}< 250`)
  world.facts.busy = true
  await play(world, 'threads', `${HELLO}${MAIL}< 451 4.3.2 Too busy`)
  world.facts.busy = false
  await play(world, 'again', `${HELLO}${MAIL}< 250`)
  assert.deepEqual(world.said, ['overloaded disk', 'recovered', 'overloaded threads', 'recovered'])
})

test('no memory: a message ends with 451 4.3.2, newcomers hear 421, and all is well when others have ended', async () => {
  const world = await worldWith({}, 100_000)
  const gate = Promise.withResolvers<void>()
  world.server.onAccept = async () => {
    await gate.promise
    return reply(250, '2.0.0', 'Queued')
  }
  const begin = `${HELLO}${MAIL}< 250\n${TO}< 250\n> DATA\n< 354\n> Subject: x\n> \n`
  const large = `>> \\*{900|${'x'.repeat(98)}\\r\\n}\n> .\n`
  const first = play(world, 'first', `${begin}${large}< 250`)
  while (world.load.heldBytes < 90_000) await new Promise((resolve) => setTimeout(resolve, 5))
  await play(world, 'a newcomer', '< 421 4.3.2 Too busy, try again later\n~ close')
  gate.resolve()
  await first
  assert.equal(world.load.heldBytes, 0)
  const tooLarge = begin + large.replace('900', '1100')
  await play(world, 'no room for it', `${tooLarge}< 451 4.3.2 Too busy\n> RSET\n< 250\n${MAIL}< 250`)
  await play(
    world,
    'announced',
    `${HELLO}> MAIL FROM:<a@b.example> SIZE=110000\n< 250\n${TO}< 250\n> DATA\n< 451 4.3.2`,
  )
  assert.equal(world.server.mails.length, 1)
  assert.equal(world.load.heldBytes, 0)
  assert.deepEqual(world.server.aborted, ['Too busy, try again later'])
})
