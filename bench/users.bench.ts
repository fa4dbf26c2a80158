/** A node on a PostgreSQL with a million users and two million keys, beside the same node with a thousand. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Desk } from '../src/admin/desk.ts'
import { configOf, openDesk } from '../src/cli/desk-of.ts'
import { PrivateKeys } from '../src/keys/private-keys.ts'
import { PublicKeys } from '../src/keys/public-keys.ts'
import { signIn } from '../src/keys/sign-in.ts'
import { Users } from '../src/keys/user-sources/users.ts'
import { type Address, domainOf, localPart } from '../src/message/address.ts'
import { wkdHash } from '../src/protocol/wkd.ts'
import { publishedUser } from '../src/publish/published-users.ts'
import { setAccountStatus } from '../src/store/accounts.ts'
import type { Store } from '../src/store/database.ts'
import type { Tx } from '../src/store/schema.ts'
import { needsPostgres, startPostgres } from '../test/support/postgres.ts'
import { type Provider, makeProvider } from '../test/support/provider.ts'
import { type UserBase, growTo, makeUsers } from './load-users.ts'
import { percentiles } from './measure.ts'
import { cpuMsOfTree, memoryOf } from './process-figures.ts'
import type { Effort, Row } from './row.ts'
import { sampleMail, wholeMail } from './sample-mail.ts'
import { handIn } from './smtp-load.ts'

const DOMAIN = 'biglobe.ne.jp'
const PASSWORD = 'correct horse battery staple'
const CONNECTIONS = 20
const MAIL_BYTES = 5_000
const ROUNDS = 3
/** Whatever is asked for: nothing may take the longer the more users there are. */
const LOOK_UP_AIM = { atMost: 20 }

export async function userRows(effort: Effort): Promise<Row[]> {
  const { skip } = needsPostgres()
  if (skip !== false) {
    process.stderr.write(`users: ${skip}\n`)
    return []
  }
  const { smoke } = effort
  const [few, many, made] = smoke ? [10, 50, 5] : [1_000, 1_000_000, 300]
  await using server = await startPostgres({ durable: true })
  const url = await server.newDatabase()
  const keys = { algorithm: 'ec-p256' }
  const config = { keys, submission: { allowPlainAuthOnLoopback: true }, limits: { connectionsPerAddressMax: 1_000 } }
  await using node = await makeProvider({ domains: [DOMAIN], store: url, config })
  const desk = await openDesk(await configOf(node.configFile))
  try {
    const base: UserBase = { server, url, desk, domain: DOMAIN, password: PASSWORD }
    const beganMs = performance.now()
    const real = await makeUsers(base, 0, made)
    const makingMs = performance.now() - beganMs
    const rows: Row[] = [{ case: 'users made, with their keys', value: (made / makingMs) * 1000, unit: '/s' }]
    await growTo(base, { users: few, made: 0, progress: () => undefined })
    const first = await measured(`${few} users`, node, base, real, effort)
    rows.push(...first.rows)
    const loadMs = performance.now()
    const progress = (users: number): void => void (smoke || process.stderr.write(`users: ${users} of ${many}\r`))
    real.push(...(await growTo(base, { users: many, made, progress })))
    rows.push({ case: `loading ${many} users`, value: performance.now() - loadMs, unit: 'ms' })
    const second = await measured(`${many} users`, node, base, real, effort, first.perSecond)
    return [...rows, ...second.rows]
  } finally {
    await desk.store.close()
  }
}

async function measured(
  what: string,
  node: Provider,
  base: UserBase,
  real: readonly Address[],
  effort: Effort,
  before?: number,
): Promise<{ readonly rows: readonly Row[]; readonly perSecond: number }> {
  const { server, desk } = base
  const rows: Row[] = [{ case: `database: ${what}`, value: await databaseMb(base), unit: 'MB' }]
  rows.push({ case: `start to ready: ${what}`, value: await node.start(), unit: 'ms' })
  const pid = node.process?.pid ?? 0
  rows.push({ case: `node, started: ${what}`, value: (await memoryOf(pid)).rssMb, unit: 'MB' })
  const mails = effort.smoke ? 40 : 1_000
  let perSecond = 0
  let cpuMs = Infinity
  let databaseMs = Infinity
  const times: number[] = []
  for (let round = effort.smoke ? ROUNDS : 0; round <= ROUNDS; round++) {
    const [startMs, nodeMs, serverMs] = [performance.now(), await cpuMsOfTree(pid), await cpuMsOfTree(server.pid)]
    const took = await amongUsers(node, desk, real, mails)
    const seconds = (performance.now() - startMs) / 1000
    if (round === 0) continue // warms it up
    perSecond = Math.max(perSecond, mails / seconds)
    cpuMs = Math.min(cpuMs, ((await cpuMsOfTree(pid)) - nodeMs) / mails)
    databaseMs = Math.min(databaseMs, ((await cpuMsOfTree(server.pid)) - serverMs) / mails)
    times.push(...took)
  }
  const against =
    before === undefined ? [] : [{ reference: 'before', ratio: perSecond / before, aim: { atLeast: 0.8 } }]
  rows.push({
    case: `mails among users, out and in: ${what}`,
    value: perSecond,
    unit: '/s',
    ...percentiles(times),
    against,
  })
  rows.push({ case: `CPU a mail, node: ${what}`, value: cpuMs, unit: 'ms' })
  rows.push({ case: `CPU a mail, database: ${what}`, value: databaseMs, unit: 'ms' })
  rows.push({ case: `node, after that: ${what}`, value: (await memoryOf(pid)).rssMb, unit: 'MB' })
  await node.stop()
  return { rows: [...rows, ...(await lookUps(what, desk, real, effort))], perSecond }
}

async function databaseMb({ server, url }: UserBase): Promise<number> {
  const [row] = await server.query(url, 'SELECT pg_database_size(current_database())::float8 / 1e6 AS mb')
  return Number(row?.['mb'])
}

/** Each from one of them to another, until the last is in its mailbox. */
async function amongUsers(node: Provider, desk: Desk, real: readonly Address[], mails: number): Promise<number[]> {
  const user = (): Address => real[Math.floor(Math.random() * real.length)] as Address
  const sender = user()
  const recipients = Array.from({ length: mails }, user)
  const took = await handIn({
    ports: [node.ports.submission],
    signIn: { user: sender, password: PASSWORD },
    from: sender,
    to: (index) => recipients[index] ?? sender,
    connections: CONNECTIONS,
    mails,
    mail: (index) => wholeMail(sampleMail(MAIL_BYTES, sender, recipients[index] ?? sender)),
  })
  const waiting = desk.store.db.selectFrom('queue').select('id').limit(1)
  while ((await waiting.executeTakeFirst()) !== undefined) await pause(20)
  return took
}

/** One after the other, each of somebody else, by the product's own functions in this process. */
async function lookUps(what: string, desk: Desk, real: readonly Address[], { smoke }: Effort): Promise<Row[]> {
  const { store, clock } = desk
  const spread = real.toSorted(() => Math.random() - 0.5).slice(0, smoke ? 10 : 500)
  const { algorithm: algorithms, openpgp, certificateValidityDays: validityDays } = desk.config.keys
  const users = new Users({ ...desk, sources: [], newKeys: { algorithms, openpgp, validityDays } })
  const hashed = (address: Address): Promise<unknown> =>
    publishedUser(store.db, domainOf(address), wkdHash(localPart(address)), undefined)
  // caches of their own: nothing was asked for before
  const own = new PrivateKeys(store, clock)
  const known = new PublicKeys(store)
  const [changed] = real as [Address]
  return [
    await looked(`account at RCPT: ${what}`, spread, (address) => users.receiving(address)),
    await looked(`sign-in, by a password that was right before: ${what}`, spread.slice(0, 50), async (address) => {
      const answer = await signIn({ users }, address, PASSWORD)
      return typeof answer === 'string' ? undefined : answer
    }),
    await looked(`a sender's own keys, opened: ${what}`, spread, async (address) => own.signingKeys(address)),
    await looked(`a recipient's certificates: ${what}`, spread, (address) =>
      known.encryptionCertificates(address, clock.nowMs()),
    ),
    await looked(`address by the hash of WKD: ${what}`, spread, hashed),
    await looked(`the same, after a user has changed: ${what}`, spread.slice(0, 5), async (address) => {
      await store.commit((tx) => setAccountStatus(tx, changed, 'active'))
      return hashed(address)
    }),
    await looked(`a key is retired: ${what}`, spread.slice(0, 5), async (address) => {
      const [key] = await own.keysOf(address)
      return undone(store, (tx) => desk.privateKeys.retire(tx, key?.certificate.fingerprint ?? '', clock.nowMs()))
    }),
  ]
}

/** It was done, and is not kept. */
async function undone<T>(store: Store, work: (tx: Tx) => Promise<T>): Promise<T> {
  let result: [T] | undefined
  const enough = new Error('enough')
  try {
    await store.commit(async (tx) => {
      result = [await work(tx)]
      throw enough
    })
  } catch (error) {
    if (error !== enough || result === undefined) throw error
  }
  return result?.[0] as T
}

/** The median of them. Throws where nothing is found. */
async function looked(
  name: string,
  addresses: readonly Address[],
  look: (address: Address) => Promise<unknown>,
): Promise<Row> {
  const times: number[] = []
  for (const address of addresses) {
    const startMs = performance.now()
    const found = await look(address)
    times.push(performance.now() - startMs)
    if (found === undefined || found === 0 || (Array.isArray(found) && found.length === 0))
      throw new Error(`${name}: nothing was found for ${address}`)
  }
  const { p50Ms, p99Ms } = percentiles(times)
  return { case: name, value: p50Ms, unit: 'ms', p50Ms, p99Ms, aim: LOOK_UP_AIM }
}
