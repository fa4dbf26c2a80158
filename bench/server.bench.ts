/** The whole server, as `sealpost serve`: start, memory under a very large mail, mails a second. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StandardName } from '../src/protection/standard.ts'
import { type Provider, makeProvider } from '../test/support/provider.ts'
import { sendMail, signIn, talkSmtp } from '../test/support/smtp-client.ts'
import { percentiles } from './measure.ts'
import { cpuMsOf, forgetPeak, hasProcessFigures, memoryOf } from './process-figures.ts'
import type { Effort, Row } from './row.ts'
import { sampleMail, wholeMail } from './sample-mail.ts'
import { type SmtpDrain, startDrain } from './smtp-drain.ts'

const SENDER = 't-azuma@biglobe.ne.jp'
const RECIPIENT = 'u-suzuki@abc.com'
const READY_AIM = { atMost: 1000 }
const MEMORY_AIM = { atMost: 64 }
const LOOP_DELAY_AIM = { atMost: 20 }
const CONNECTIONS = 8
const MAIL_BYTES = 5_000
const PATIENCE_MS = 120_000

export async function serverRows(effort: Effort): Promise<Row[]> {
  return [...(await rowsOf('smime', effort)), ...(hasProcessFigures ? await rowsOf('openpgp', effort) : [])]
}

async function rowsOf(standard: StandardName, effort: Effort): Promise<Row[]> {
  await using drain = await startDrain()
  await using world = await build(drain, standard)
  const rows = standard === 'smime' ? await startRows(world.sending, effort) : []
  if (!hasProcessFigures) return rows
  await world.sending.start(loopDelayEnv(world.sending))
  rows.push(await outboundMemoryRow(world, drain, effort))
  const large = await sealedLargeMail(world, drain, effort)
  rows.push(...(await outboundRows(world, drain, effort)))
  await world.sending.stop()
  await world.receiving.start(loopDelayEnv(world.receiving))
  rows.push(await inboundMemoryRow(world, large, effort))
  rows.push(...(await inboundRows(world, drain, effort)))
  return rows
}

interface World extends AsyncDisposable {
  readonly standard: StandardName
  readonly sending: Provider
  readonly receiving: Provider
  readonly password: string
}

/** Two providers that know each other's users; what the first sends ends in the drain, which can give it to the second. */
async function build(drain: SmtpDrain, standard: StandardName): Promise<World> {
  const policy = { standards: [standard] }
  const [sending, receiving] = await Promise.all([
    makeProvider({
      domains: ['biglobe.ne.jp'],
      config: {
        relay: { routes: { 'abc.com': `127.0.0.1:${drain.port}` } },
        peers: ['abc.com'],
        policy,
        limits: { messageSizeMaxBytes: 200_000_000 },
      },
    }),
    makeProvider({ domains: ['abc.com'], config: { peers: ['biglobe.ne.jp'], policy } }),
  ])
  const [user] = await sending.cli(['user', 'add', SENDER])
  await receiving.cli(['user', 'add', RECIPIENT])
  await sending.cli(['key', 'import', '-'], await keyOf(receiving, RECIPIENT, standard))
  await receiving.cli(['key', 'import', '-'], await keyOf(sending, SENDER, standard))
  return {
    standard,
    sending,
    receiving,
    password: String(user?.['password']),
    async [Symbol.asyncDispose]() {
      await Promise.all([sending[Symbol.asyncDispose](), receiving[Symbol.asyncDispose]()])
    },
  }
}

/** As people exchange them. */
async function keyOf(provider: Provider, address: string, standard: StandardName): Promise<string> {
  const [key] = await provider.cli(['key', 'export', address, '--standard', standard])
  return standard === 'smime' ? String(key?.['pem']) : Buffer.from(String(key?.['openpgp']), 'base64').toString()
}

const named = ({ standard }: World): string => (standard === 'smime' ? '' : 'OpenPGP, ')

/** From the command to the "ready" line; with what Node compiled last time, and without. */
async function startRows(provider: Provider, { smoke }: Effort): Promise<Row[]> {
  const warm: number[] = []
  const cold: number[] = []
  for (let run = smoke ? 1 : 0; run < 6; run += smoke ? 5 : 1) {
    const cache = await mkdtemp(join(tmpdir(), 'sealpost-cache-'))
    cold.push(await startOnce(provider, { NODE_COMPILE_CACHE: cache }))
    warm.push(await startOnce(provider, { NODE_COMPILE_CACHE: cache }))
    await rm(cache, { recursive: true, force: true })
  }
  return [
    { case: 'start to ready', value: Math.min(...warm), unit: 'ms', ...percentiles(warm), aim: READY_AIM },
    { case: 'start to ready, first time', value: Math.min(...cold), unit: 'ms', ...percentiles(cold), aim: READY_AIM },
  ]
}

async function startOnce(provider: Provider, env: Record<string, string>): Promise<number> {
  const ms = await provider.start(env)
  await provider.stop()
  return ms
}

async function outboundMemoryRow(world: World, drain: SmtpDrain, { smoke }: Effort): Promise<Row> {
  const { sending, password } = world
  const megabytes = smoke ? 3 : 100
  const message = wholeMail(sampleMail(megabytes * 1e6, SENDER, RECIPIENT))
  const { idleMb, moreMb } = await memoryFor(pidOf(sending), smoke ? 1 : 2, async () => {
    await using talk = await signIn(sending.ports.submission, SENDER, password)
    const before = drain.taken.messages
    expectAccepted(await sendMail(talk, SENDER, { to: [RECIPIENT], message }))
    await allTaken(drain, before + 1)
  })
  const name = `memory above the idle ${idleMb.toFixed(0)} MB: ${named(world)}submission to next hop, ${megabytes} MB`
  return { case: name, value: moreMb, unit: 'MB', aim: MEMORY_AIM }
}

/** A mail is opened in one piece: nothing of it may be shown before all of it has been verified. */
async function inboundMemoryRow(world: World, large: Buffer, { smoke }: Effort): Promise<Row> {
  const { receiving } = world
  const { idleMb, moreMb } = await memoryFor(pidOf(receiving), smoke ? 1 : 2, async () => {
    await using talk = await talkSmtp(receiving.ports.mx)
    await talk.say('EHLO mail.biglobe.ne.jp')
    expectAccepted(await sendMail(talk, SENDER, { to: [RECIPIENT], message: large, stuffed: true }))
  })
  const name = `memory above the idle ${idleMb.toFixed(0)} MB: ${named(world)}Internet to mailbox, ${(large.length / 1e6).toFixed(0)} MB`
  return { case: name, value: moreMb, unit: 'MB' }
}

/** The highest of all moments of some runs against the server at rest. */
async function memoryFor(
  pid: number,
  runs: number,
  run: () => Promise<void>,
): Promise<{ readonly idleMb: number; readonly moreMb: number }> {
  if (runs > 1) await pause(2000)
  await forgetPeak(pid)
  const { rssMb: idleMb } = await memoryOf(pid)
  for (let index = 0; index < runs; index++) await run()
  const { peakMb } = await memoryOf(pid)
  return { idleMb, moreMb: peakMb - idleMb }
}

async function sealedLargeMail({ sending, password }: World, drain: SmtpDrain, { smoke }: Effort): Promise<Buffer> {
  drain.keepMax = 1
  const message = wholeMail(sampleMail(smoke ? 1e6 : 30e6, SENDER, RECIPIENT))
  await using talk = await signIn(sending.ports.submission, SENDER, password)
  const before = drain.taken.messages
  expectAccepted(await sendMail(talk, SENDER, { to: [RECIPIENT], message }))
  await allTaken(drain, before + 1)
  drain.keepMax = 0
  return drain.kept.pop() as Buffer
}

async function outboundRows(world: World, drain: SmtpDrain, effort: Effort): Promise<Row[]> {
  const { sending, password } = world
  const mails = effort.smoke ? 20 : 2_000
  const warmUp = effort.smoke ? 4 : 400
  const deliver = async (count: number): Promise<number[]> => {
    const before = drain.taken.messages
    const took = await inParallel(count, async (next) => {
      await using talk = await signIn(sending.ports.submission, SENDER, password)
      const times: number[] = []
      while (next() !== undefined) {
        const message = wholeMail(sampleMail(MAIL_BYTES, SENDER, RECIPIENT))
        const startMs = performance.now()
        expectAccepted(await sendMail(talk, SENDER, { to: [RECIPIENT], message }))
        times.push(performance.now() - startMs)
      }
      return times
    })
    await allTaken(drain, before + count)
    return took
  }
  await deliver(warmUp)
  drain.keepMax = effort.smoke ? 20 : 500
  return await flow(`${named(world)}submission to next hop, 5 kB`, sending, mails, () => deliver(mails))
}

/** The mails that the drain has kept, each several times. */
async function inboundRows(world: World, drain: SmtpDrain, effort: Effort): Promise<Row[]> {
  const { receiving } = world
  const mails = effort.smoke ? 20 : 2_000
  const warmUp = effort.smoke ? 4 : 400
  const receive = (count: number): Promise<number[]> =>
    inParallel(count, async (next) => {
      await using talk = await talkSmtp(receiving.ports.mx)
      await talk.say('EHLO mail.biglobe.ne.jp')
      const times: number[] = []
      for (let index = next(); index !== undefined; index = next()) {
        const message = drain.kept[index % drain.kept.length] as Buffer
        const startMs = performance.now()
        expectAccepted(await sendMail(talk, SENDER, { to: [RECIPIENT], message, stuffed: true }))
        times.push(performance.now() - startMs)
      }
      return times
    })
  await receive(warmUp)
  const rows = await flow(`${named(world)}Internet to mailbox, 5 kB`, receiving, mails, () => receive(mails))
  const wrong = receiving.log.find((event) => event.event === 'verdict' && event['signature'] !== 'valid')
  if (wrong !== undefined) throw new Error(`not verified: ${JSON.stringify(wrong)}`)
  return rows
}

const delayFile = (provider: Provider): string => join(provider.dir, 'loop-delay')

const loopDelayEnv = (provider: Provider): Record<string, string> => ({
  NODE_OPTIONS: `--import=${join(import.meta.dirname, 'loop-delay-preload.ts')}`,
  LOOP_DELAY_FILE: delayFile(provider),
})

/** Of the server's main thread, 99 % of the times, in milliseconds; since the last call. */
async function loopDelayOf(provider: Provider): Promise<number> {
  const file = delayFile(provider)
  await rm(file, { force: true })
  process.kill(pidOf(provider), 'SIGUSR2')
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '') return Number(text)
    await pause(10)
  }
}

/** Of one stretch of mails: how many a second all in all, and what each cost the server. */
async function flow(name: string, provider: Provider, mails: number, run: () => Promise<number[]>): Promise<Row[]> {
  const pid = pidOf(provider)
  await loopDelayOf(provider) // from now on
  const [startMs, startCpuMs] = [performance.now(), await cpuMsOf(pid)]
  const took = await run()
  const seconds = (performance.now() - startMs) / 1000
  const cpuMs = (await cpuMsOf(pid)) - startCpuMs
  const delayMs = await loopDelayOf(provider)
  return [
    { case: `server: ${name}, ${CONNECTIONS} connections`, value: mails / seconds, unit: '/s', ...percentiles(took) },
    { case: `server: ${name}, CPU a mail`, value: cpuMs / mails, unit: 'ms' },
    { case: `server: ${name}, event loop late by (99 %)`, value: delayMs, unit: 'ms', aim: LOOP_DELAY_AIM },
  ]
}

/** `work` runs once for each connection and takes numbers from 0 until there are none left. */
async function inParallel(
  count: number,
  work: (next: () => number | undefined) => Promise<number[]>,
): Promise<number[]> {
  let begun = 0
  const next = (): number | undefined => (begun < count ? begun++ : undefined)
  return (await Promise.all(Array.from({ length: CONNECTIONS }, () => work(next)))).flat()
}

async function allTaken(drain: SmtpDrain, messages: number): Promise<void> {
  const late = new AbortController()
  const timeout = pause(PATIENCE_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`the next hop has ${drain.taken.messages} of ${messages} mails`)
  })
  timeout.catch(() => undefined)
  await Promise.race([drain.whenTaken(messages), timeout])
  late.abort()
}

function expectAccepted(reply: string): void {
  if (!reply.startsWith('250')) throw new Error(`not accepted: ${reply}`)
}

function pidOf(provider: Provider): number {
  const pid = provider.process?.pid
  if (pid === undefined) throw new Error('the server does not run')
  return pid
}
