/** How `serve` starts and ends: SIGTERM while mail flows, with clients that do not go, and start-up that cannot be. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { type Provider, makeProvider } from '../support/provider.ts'
import { HANG, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { submit, talkSmtp } from '../support/smtp-client.ts'
import { queueLength } from './data-folder.ts'
import type { CrashPlan } from './kill-preload.ts'
import { Ledger } from './ledger.ts'
import { PRELOAD, Victim, makePeer, until } from './victim.ts'

/** The contract. What the machine is busy with beside us is not the server's fault: see `stopTimed`. */
const STOP_MAX_MS = 10_000
/** On an idle machine with two cores the start takes half a second; here others may run. */
const START_MAX_MS = 15_000

test('SIGTERM while mail flows: exit status 0 within 10 s, and nothing that was answered 250 is lost', async (t) => {
  const ledger = new Ledger()
  await using things = new AsyncDisposableStack()
  const peer = await makePeer()
  things.use(peer.provider)
  const victim = things.use(await Victim.make('abc.com', peer, ledger))
  await peer.provider.start()
  const startMs = await victim.start()
  t.diagnostic(`ready after ${Math.round(startMs)} ms`)
  assert(startMs < START_MAX_MS)
  for (let round = 0; round < 2; round++) {
    const mails = await victim.newMails(round === 0 ? 'small' : 'large', 16)
    const flowing = mails.map(async (mail, index) => {
      await wait(index * 30)
      await victim.offer(mail).catch(() => undefined) // refused with 421, or not let in at all
    })
    await until('mail flows', async () => mails.some(({ accepted }) => accepted > 0))
    const stopped = await stopTimed(victim.provider)
    t.diagnostic(`stopped after ${stopped.ms} ms with ${mails.filter(({ accepted }) => accepted > 0).length} accepted`)
    assert.equal(stopped.code, 0)
    await Promise.all(flowing)
    await victim.start()
    await victim.finish(mails)
  }
  await victim.collectAll()
  await ledger.collect(peer.mailbox)
  const { lost, duplicated, wrong } = ledger.verdict()
  assert.deepEqual({ lost, duplicated, wrong }, { lost: [], duplicated: [], wrong: [] })
})

test('SIGTERM ends the server in time whoever holds on: slow senders, silent next hops, terminals that do not read', async (t) => {
  await using hop = await startScriptedSmtp({ end: HANG })
  await using provider = await makeProvider({
    domains: ['abc.com'],
    config: {
      relay: { routes: { 'elsewhere.example': `127.0.0.1:${hop.port}` } },
      submission: { allowPlainAuthOnLoopback: true },
    },
  })
  const user = 'u-suzuki@abc.com'
  const password = String((await provider.cli(['user', 'add', user]))[0]?.['password'])
  await provider.start()
  const message = `From: ${user}\r\nTo: x@elsewhere.example\r\nSubject: x\r\n\r\n${'line\r\n'.repeat(20)}`
  const local = message + `${'x'.repeat(70)}\r\n`.repeat(200_000)
  assert.match(
    (await submit({ port: provider.ports.submission, user, password, to: [user], message: local })).reply,
    /^250/,
  )
  await provider.event('delivered', undefined, 60_000)
  const held = { user, password, to: ['x@elsewhere.example'], message }
  assert.match((await submit({ port: provider.ports.submission, ...held })).reply, /^250/)
  await until('the next hop has the mail and says nothing', async () => hop.messages.length > 0)

  await using slow = await sendSlowly(provider, user)
  const reader = connectTls({ port: provider.ports.pop3s, host: '127.0.0.1', rejectUnauthorized: false })
  reader.on('error', () => undefined)
  reader.write(`USER ${user}\r\nPASS ${password}\r\nRETR 1\r\n`) // and nothing of the answer is ever read
  await provider.event('login-succeeded', ({ by }) => by === 'pop3', 60_000)
  const silent = connect(provider.ports.pop3s, '127.0.0.1').on('error', () => undefined) // no handshake, ever

  const stopped = await stopTimed(provider)
  for (const socket of [silent, reader]) socket.destroy()
  t.diagnostic(`stopped after ${stopped.ms} ms`)
  assert.equal(stopped.code, 0)
  assert.equal(slow.accepted, false)
  assert.equal(await queueLength(provider), 1, 'what was under way stays in the queue')
})

for (const [label, why] of [
  ['after sql commit', 'while the store is opened'],
  ['event ready', 'at the moment of "ready"'],
] as const)
  test(`SIGTERM ${why} ends the server in order, SIGHUP does not end it`, async () => {
    const planFile = join(tmpdir(), `sealpost-plan-${randomUUID()}.json`)
    await using provider = await makeProvider({
      domains: ['abc.com'],
      env: { NODE_OPTIONS: `--import=${PRELOAD}`, CRASH_PLAN: planFile, CRASH_NOW: '1' },
    })
    try {
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
        await writeFile(planFile, JSON.stringify({ kind: 'kill', label, nth: 1, signal } satisfies CrashPlan))
        const started = provider.start().catch((error: unknown) => error)
        const child = provider.process
        assert(child !== undefined)
        if (signal === 'SIGTERM') {
          await once(child, 'close') // its last words are read
          assert.deepEqual([child.exitCode, child.signalCode], [0, null])
          assert.equal(provider.log.at(-1)?.event, 'stopped')
        } else {
          await provider.event('reloaded', undefined, 60_000)
          assert.equal(await provider.stop(), 0)
        }
        await started
      }
    } finally {
      await rm(planFile, { force: true })
      await rm(`${planFile}.armed`, { force: true })
    }
  })

test('--role receive takes mail in and leaves the queue to the process that has role relay', async () => {
  await using hop = await startScriptedSmtp({})
  await using provider = await makeProvider({
    domains: ['abc.com'],
    config: { relay: { routes: { 'elsewhere.example': `127.0.0.1:${hop.port}` } } },
  })
  const user = 'u-suzuki@abc.com'
  const password = String((await provider.cli(['user', 'add', user]))[0]?.['password'])
  await provider.start({}, ['--role', 'receive'])
  const mail = { user, password, to: ['x@elsewhere.example', user], message: `From: ${user}\r\n\r\nhello\r\n` }
  assert.match((await submit({ port: provider.ports.submission, ...mail })).reply, /^250/)
  await wait(500)
  assert.equal(await queueLength(provider), 2)
  await stopTimed(provider)
  await provider.start({}, ['--role', 'relay'])
  await until('the queue is empty', async () => (await queueLength(provider)) === 0)
  assert.equal(hop.messages.length, 1)
})

test('a port that is taken ends the start with status 1 and its number, and nothing stays behind', async () => {
  await using provider = await makeProvider({ domains: ['abc.com'] })
  await using holder = await startScriptedSmtp({})
  await provider.configure({ listeners: { pop3s: { port: holder.port } } })
  await assert.rejects(provider.start(), new RegExp(`serve ended with 1.*${holder.port}`, 's'))
})

/** Exit status and time to it. The time counts only as far as the machine gave it to us. */
async function stopTimed(provider: Provider): Promise<{ code: number | null; ms: number }> {
  const beganMs = performance.now()
  const code = await provider.stop()
  const ms = Math.round(performance.now() - beganMs)
  assert(ms < STOP_MAX_MS, `SIGTERM to exit took ${ms} ms`)
  return { code, ms }
}

/** A foreign server in the middle of its data, a line every moment. */
async function sendSlowly(provider: Provider, to: string): Promise<AsyncDisposable & { readonly accepted: boolean }> {
  const talk = await talkSmtp(provider.ports.mx)
  for (const line of ['EHLO slow.example', 'MAIL FROM:<x@slow.example>', `RCPT TO:<${to}>`, 'DATA'])
    assert.match(await talk.say(line), /^[23]5/)
  let accepted = false
  const timer = setInterval(() => {
    talk.say(Buffer.from('a line\r\n')).then(
      (reply) => (accepted ||= reply.startsWith('2')),
      () => clearInterval(timer),
    )
  }, 200)
  return {
    get accepted() {
      return accepted
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await talk[Symbol.asyncDispose]()
    },
  }
}
