/**
 * What a provider would choose between: Sealpost, which protects, against Postfix, which relays the same mail as it is, and
 * against Postfix with openssl as a content filter. In turns, with the same clients, the same next hop and the same disk;
 * nobody has TLS here.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { Postfix } from '../test/support/postfix.ts'
import { needsPostfix } from '../test/support/postfix.ts'
import { type Provider, makeProvider } from '../test/support/provider.ts'
import { smimeIdentity } from '../test/support/smime-identity.ts'
import { mailFloor } from './floor.ts'
import { measureInTurns, percentiles } from './measure.ts'
import { startPipedPostfix, startPlainPostfix } from './postfix-sides.ts'
import { cpuMsOfTree } from './process-figures.ts'
import type { Comparison, Effort, Row } from './row.ts'
import { sampleMail, wholeMail } from './sample-mail.ts'
import { type SmtpDrain, startDrain } from './smtp-drain.ts'
import { type Load, handIn } from './smtp-load.ts'

export const SENDER = 't-azuma@biglobe.ne.jp'
const RECIPIENT = 'u-suzuki@abc.com'
const DOMAIN = 'abc.com'
const MAIL_BYTES = 5_000
const CONNECTIONS = 20
const ROUNDS = 3
const PATIENCE_MS = 300_000
export const KINDS = ['rsa-2048', 'ec-p256'] as const
export type Kind = (typeof KINDS)[number]
const AIMS: Readonly<Record<Kind, number>> = { 'rsa-2048': 1.5, 'ec-p256': 2 }

/** One of those that are compared. */
export interface Side {
  readonly name: string
  /** The mails of one round, as a part of what the others get: the slow ones get fewer. */
  readonly share: number
  readonly pid: number
  /** Resolves when the last of `mails` has arrived where it was to go; how long each took to be accepted. */
  run(mails: number, pace?: Pace): Promise<number[]>
}

/** Other connections or mails than usual, mails that come at a rate of their own, and when they begin. */
export type Pace = Partial<Pick<Load, 'connections' | 'perSecond' | 'onConnected' | 'mail'>>

export async function versusRows(effort: Effort): Promise<Row[]> {
  const { skip } = needsPostfix()
  if (skip !== false) {
    process.stderr.write(`versus: ${skip}\n`)
    return []
  }
  const kinds = KINDS.slice(0, effort.smoke ? 1 : undefined)
  await using stack = new AsyncDisposableStack()
  const drain = stack.use(await startDrain())
  const own = await Promise.all(kinds.map(async (kind) => stack.use(await build(kind, drain))))
  const plain = stack.use(await startPlainPostfix(drain.port, DOMAIN))
  const piped = stack.use(await startPipedPostfix(drain.port, DOMAIN))
  const inbound: Side[] = []
  for (const pair of own) inbound.push(await inboundSide(pair, drain)) // one after the other: they share the drain
  const sides = [
    postfixSide('Postfix, unprotected', plain, drain, 1),
    ...own.map((pair) => outboundSide(pair, drain)),
    ...inbound,
    postfixSide('Postfix, openssl as its filter', piped, drain, 0.05),
  ]
  for (const side of sides) if (side !== sides[0]) await mustProtect(side, drain)
  const measured = await inTurns(sides, effort)
  for (const { receiving } of own) mustHaveVerified(receiving)
  return [...(await rowsFrom(measured, effort))]
}

export interface Pair extends AsyncDisposable {
  readonly kind: Kind
  readonly sending: Provider
  readonly receiving: Provider
  readonly password: string
}

interface PairOptions {
  /** More for the one that sends. */
  readonly env?: Record<string, string>
  /** A new PostgreSQL database for each of them, in place of SQLite. */
  readonly store?: () => Promise<string>
}

/** Both run. */
export async function build(kind: Kind, drain: SmtpDrain, { env = {}, store }: PairOptions = {}): Promise<Pair> {
  const keys = { algorithm: kind, openpgp: 'off' }
  const limits = { connectionsPerAddressMax: 1_000 }
  const stored = async (): Promise<{ store?: string }> => (store === undefined ? {} : { store: await store() })
  const sending = await makeProvider({
    ...(await stored()),
    domains: ['biglobe.ne.jp'],
    config: {
      keys,
      limits,
      peers: [DOMAIN],
      relay: { routes: { [DOMAIN]: `127.0.0.1:${drain.port}` } },
      submission: { allowPlainAuthOnLoopback: true },
    },
  })
  const receiving = await makeProvider({
    ...(await stored()),
    domains: [DOMAIN],
    config: { keys, limits, peers: ['biglobe.ne.jp'] },
  })
  const [user] = await sending.cli(['user', 'add', SENDER])
  await receiving.cli(['user', 'add', RECIPIENT])
  await sending.cli(['key', 'import', '-'], await pemOf(receiving, RECIPIENT))
  await receiving.cli(['key', 'import', '-'], await pemOf(sending, SENDER))
  await sending.start(env)
  await receiving.start()
  return {
    kind,
    sending,
    receiving,
    password: String(user?.['password']),
    async [Symbol.asyncDispose]() {
      await Promise.all([sending[Symbol.asyncDispose](), receiving[Symbol.asyncDispose]()])
    },
  }
}

const pemOf = async (provider: Provider, address: string): Promise<string> =>
  String((await provider.cli(['key', 'export', address, '--standard', 'smime']))[0]?.['pem'])

export const freshMail = (bytes = MAIL_BYTES): Buffer => wholeMail(sampleMail(bytes, SENDER, RECIPIENT))
const USUAL = { from: SENDER, to: RECIPIENT, connections: CONNECTIONS, mail: () => freshMail() } as const

const pidOf = ({ process: running }: Provider): number => running?.pid ?? 0

/** `nodes` of the one that sends take the mail in. */
export function outboundSide(
  { kind, sending, password }: Pair,
  drain: SmtpDrain,
  nodes: readonly Provider[] = [sending],
): Side {
  return {
    name: `Sealpost, out, ${kind}`,
    share: 1,
    pid: pidOf(sending),
    run: (mails, pace) =>
      throughTo(drain, mails, {
        ports: nodes.map(({ ports }) => ports.submission),
        signIn: { user: SENDER, password },
        ...USUAL,
        mails,
        ...pace,
      }),
  }
}

export function postfixSide(name: string, { pid, port }: Postfix, drain: SmtpDrain, share: number): Side {
  return {
    name,
    share,
    pid,
    run: (mails, pace) =>
      throughTo(drain, mails, {
        ports: [port],
        ...USUAL,
        mails,
        ...pace,
      }),
  }
}

async function throughTo(drain: SmtpDrain, mails: number, load: Load): Promise<number[]> {
  const before = drain.taken.messages
  const took = await handIn(load)
  await Promise.race([drain.whenTaken(before + mails), late()])
  return took
}

async function late(): Promise<never> {
  await pause(PATIENCE_MS, undefined, { ref: false })
  throw new Error('not all mails have arrived')
}

/** `kept` mails that the other half of the pair has sent, each several times; one is in the mailbox when it is accepted. */
export async function inboundSide(
  pair: Pair,
  drain: SmtpDrain,
  nodes: readonly Provider[] = [pair.receiving],
  { kept = 64, ...sent }: Pace & { readonly kept?: number } = {},
): Promise<Side> {
  drain.kept.length = 0
  drain.keepMax = kept
  await outboundSide(pair, drain).run(drain.keepMax, sent)
  drain.keepMax = 0
  const mails = drain.kept.splice(0)
  const { kind, receiving } = pair
  if (mails.length === 0) throw new Error('nothing was kept')
  return {
    name: `Sealpost, in, ${kind}`,
    share: 1,
    pid: pidOf(receiving),
    run: (count, pace) =>
      handIn({
        ports: nodes.map(({ ports }) => ports.mx),
        from: SENDER,
        to: RECIPIENT,
        connections: CONNECTIONS,
        mails: count,
        mail: (index) => mails[index % mails.length] ?? Buffer.alloc(0),
        ...pace,
      }),
  }
}

export function mustHaveVerified({ log }: Provider): void {
  const verdicts = log.filter(({ event }) => event === 'verdict')
  const wrong = verdicts.find((each) => each['signature'] !== 'valid' || each['encrypted'] !== true)
  if (verdicts.length === 0 || wrong !== undefined) throw new Error(`not verified: ${JSON.stringify(wrong)}`)
}

/** What does not protect would be compared for nothing. */
async function mustProtect(side: Side, drain: SmtpDrain): Promise<void> {
  drain.keepMax = 1
  await side.run(1)
  drain.keepMax = 0
  const crossed = drain.kept.splice(0)[0]?.toString('latin1')
  if (crossed !== undefined && !/^Content-Type: (?:multipart\/signed|application\/(?:x-)?pkcs7-mime)/im.test(crossed))
    throw new Error(`${side.name} does not protect: ${crossed.slice(0, 2_000)}`)
}

interface MeasuredSide {
  readonly side: Side
  /** Of the best round. */
  perSecond: number
  cpuMs: number
  readonly times: number[]
}

async function inTurns(sides: readonly Side[], { smoke }: Effort): Promise<MeasuredSide[]> {
  const mails = smoke ? 40 : 3_000
  const measured = sides.map((side): MeasuredSide => ({ side, perSecond: 0, cpuMs: Infinity, times: [] }))
  for (let round = smoke ? ROUNDS : 0; round <= ROUNDS; round++)
    for (const each of measured) {
      const count = Math.max(4, Math.round(mails * each.side.share))
      let [startMs, startCpuMs] = [0, 0]
      const onConnected = async (): Promise<void> => {
        startCpuMs = await cpuMsOfTree(each.side.pid)
        startMs = performance.now()
      }
      const took = await each.side.run(count, { onConnected })
      const seconds = (performance.now() - startMs) / 1000
      if (round === 0) continue // warms it up
      each.perSecond = Math.max(each.perSecond, count / seconds)
      each.cpuMs = Math.min(each.cpuMs, ((await cpuMsOfTree(each.side.pid)) - startCpuMs) / count)
      each.times.push(...took)
    }
  return measured
}

async function rowsFrom(measured: readonly MeasuredSide[], effort: Effort): Promise<Row[]> {
  const [plain] = measured
  const piped = measured.at(-1)
  if (plain === undefined || piped === undefined) throw new Error('nothing was measured')
  const limits = new Map<Kind, number>()
  for (const kind of KINDS) limits.set(kind, await limitOf(kind, effort))
  return measured.flatMap(({ side, perSecond, cpuMs, times }) => {
    const kind = KINDS.find((each) => side.name.endsWith(each))
    const limit = kind && limits.get(kind)
    const against: Comparison[] =
      kind === undefined || limit === undefined
        ? []
        : [
            { reference: 'Postfix', ratio: perSecond / plain.perSecond, aim: { atLeast: AIMS[kind] } },
            { reference: 'openssl pipe', ratio: perSecond / piped.perSecond, aim: { atLeast: 30 } },
            ...(side.name.includes('out')
              ? [{ reference: 'limit', ratio: perSecond / limit, aim: { atLeast: 0.4 } }]
              : []),
          ]
    return [
      {
        case: `${side.name}: 5 kB, ${CONNECTIONS} connections`,
        value: perSecond,
        unit: '/s',
        ...percentiles(times),
        against,
      },
      { case: `${side.name}: CPU a mail`, value: cpuMs, unit: 'ms' },
    ] satisfies Row[]
  })
}

/** What all cores could do if nothing but the cryptography of a mail on its way out cost anything. */
async function limitOf(kind: Kind, { msPerOperation }: Effort): Promise<number> {
  const name = kind === 'ec-p256' ? 'p256' : kind
  const [signer, reader] = [smimeIdentity(name, SENDER), smimeIdentity(name, RECIPIENT)]
  const floor = mailFloor(signer, [reader, signer], { cipher: 'aes-256-cbc' }, freshMail())
  const [measured] = await measureInTurns(msPerOperation, [floor.seal])
  return (measured?.perSecond ?? 0) * availableParallelism()
}
