/**
 * Many clients at once, each with a session of its own, one mail after the other, across all lives of the server: what was
 * not answered is offered again, as every sender does.
 */
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { signIn, talkSmtp, type SmtpTalk } from '../support/smtp-client.ts'
import type { Ledger, Mailbox, TestMail } from './ledger.ts'

/** Before a refused or interrupted attempt is repeated. */
const PAUSE_MS = 100
/** Between two sessions of a terminal. */
const FETCH_EVERY_MS = 300
/** A client that hears nothing so long has found a silent end. */
const SILENCE_MAX_MS = 60_000

export interface ClientMail {
  readonly mail: TestMail
  readonly from: string
  readonly to: readonly string[]
  readonly message: Buffer
}

export interface LoadDeps {
  readonly host?: string
  readonly ports: Readonly<Record<'mx' | 'submission', number>>
  readonly user: Mailbox
  readonly terminals: readonly Mailbox[]
  readonly ledger: Ledger
  /** Resolves as soon as the server is there. */
  readonly whenUp: () => Promise<void>
  /** The next mail of this client; `undefined` when there are none any more. */
  readonly nextMail: (way: TestMail['way']) => Promise<ClientMail | undefined>
}

export interface LoadFigures {
  /** From the final dot to its 250, in milliseconds. */
  readonly latenciesMs: number[]
  /** Answers 4yz and 5yz to a mail, as they were. */
  readonly refusals: string[]
}

/** Runs until there are no more mails and each was accepted; terminals until `ended`. */
export async function runLoad(
  deps: LoadDeps,
  clients: Readonly<Record<TestMail['way'], number>>,
  figures: LoadFigures,
): Promise<void> {
  const ended = new AbortController()
  const terminals = deps.terminals.map((mailbox) => terminal(deps, mailbox, ended.signal))
  try {
    const of = (way: TestMail['way']): Promise<void>[] =>
      Array.from({ length: clients[way] }, () => client(deps, way, figures))
    await Promise.all([...of('out'), ...of('in')])
  } finally {
    ended.abort()
    await Promise.all(terminals)
  }
}

async function client(deps: LoadDeps, way: TestMail['way'], figures: LoadFigures): Promise<void> {
  let next = await deps.nextMail(way)
  while (next !== undefined) {
    await deps.whenUp()
    try {
      await using talk = await open(deps, way)
      while (next !== undefined) {
        const reply = await offer(talk, next, figures)
        if (reply.startsWith('250')) next = await deps.nextMail(way)
        else {
          figures.refusals.push(reply)
          if (!reply.startsWith('4')) throw new Refused(`${next.mail.token} was answered ${reply}`)
          await wait(PAUSE_MS)
          if (reply.startsWith('421')) break
        }
      }
    } catch (error) {
      if (error instanceof Refused || error instanceof Silent) throw error
      await wait(PAUSE_MS)
    }
  }
}

/** For good: no client may hear that here. */
class Refused extends Error {}
class Silent extends Error {}

async function open({ host, ports, user }: LoadDeps, way: TestMail['way']): Promise<SmtpTalk> {
  if (way === 'out') return signIn(ports.submission, user.address, user.password, host)
  const talk = await talkSmtp(ports.mx, host === undefined ? {} : { host })
  await talk.say('EHLO sender.example')
  return talk
}

/** The last reply; whatever comes after the final dot counts as an attempt, an answer or none. */
async function offer(talk: SmtpTalk, { mail, from, to, message }: ClientMail, figures: LoadFigures): Promise<string> {
  talk.transcript.length = 0
  for (const [line, wanted] of [
    [`MAIL FROM:<${from}>`, '250'],
    ...to.map((address) => [`RCPT TO:<${address}>`, '25'] as const),
    ['DATA', '354'],
  ] as const) {
    const reply = await soon(talk.say(line))
    if (reply.startsWith(wanted)) continue
    if (!reply.startsWith('421')) await soon(talk.say('RSET'))
    return reply
  }
  mail.offered += 1
  const beganMs = performance.now()
  const reply = await soon(talk.say(message))
  figures.latenciesMs.push(performance.now() - beganMs)
  if (reply.startsWith('250')) mail.accepted += 1
  return reply
}

async function soon<T>(answer: Promise<T>): Promise<T> {
  const silent = new AbortController()
  const tooLong = wait(SILENCE_MAX_MS, undefined, { signal: silent.signal }).then(
    () => Promise.reject(new Silent(`no answer within ${SILENCE_MAX_MS} ms`)),
    () => new Promise<never>(() => undefined),
  )
  try {
    return await Promise.race([answer, tooLong])
  } finally {
    silent.abort()
  }
}

async function terminal({ whenUp, ledger }: LoadDeps, mailbox: Mailbox, ended: AbortSignal): Promise<void> {
  const over = once(ended, 'abort')
  while (!ended.aborted) {
    await Promise.race([whenUp(), over])
    await ledger.collect(mailbox).catch(() => undefined) // the server died, or has trouble with its disk
    await Promise.race([wait(FETCH_EVERY_MS, undefined, { ref: false }), over])
  }
}
