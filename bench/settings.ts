/** Settings of nodes, database and bucket that are compared in turns: rates, and whose CPU a mail takes. */
import { availableParallelism } from 'node:os'
import type { PostgresServer } from '../test/support/postgres.ts'
import type { Provider } from '../test/support/provider.ts'
import type { S3Server } from '../test/support/s3-server.ts'
import { percentiles } from './measure.ts'
import { cpuMsOfTree } from './process-figures.ts'
import type { Effort, Row } from './row.ts'
import type { Side } from './versus.bench.ts'

export const ROUNDS = 3

/** One of those that are compared. */
export interface Setting {
  readonly name: string
  readonly side: Side
  readonly nodes: readonly Provider[]
  readonly server: PostgresServer | undefined
  readonly bucket?: S3Server
}

export interface Measured {
  readonly setting: Setting
  /** Of the best round. */
  perSecond: number
  /** A mail, of the round in which all took least together. */
  spent: Spent
  readonly times: number[]
}

/** CPU in ms, and the write-ahead log of the database in kB. */
interface Spent {
  readonly nodes: number
  readonly database: number
  readonly bucket: number
  readonly clients: number
  readonly logKb: number
}

export async function inTurns(settings: readonly Setting[], { smoke }: Effort, mails: number): Promise<Measured[]> {
  const nothing = { nodes: Infinity, database: 0, bucket: 0, clients: 0, logKb: 0 }
  const measured = settings.map((one): Measured => ({ setting: one, perSecond: 0, spent: nothing, times: [] }))
  for (let round = smoke ? ROUNDS : 0; round <= ROUNDS; round++)
    for (const each of measured) {
      let before = nothing
      let startMs = 0
      const onConnected = async (): Promise<void> => {
        before = await spentSoFar(each.setting)
        startMs = performance.now()
      }
      const took = await each.setting.side.run(mails, { onConnected })
      const seconds = (performance.now() - startMs) / 1000
      const spent = perMail(before, await spentSoFar(each.setting), mails)
      if (round === 0) continue // warms it up
      each.perSecond = Math.max(each.perSecond, mails / seconds)
      if (allOf(spent) < allOf(each.spent)) each.spent = spent
      each.times.push(...took)
    }
  return measured
}

async function spentSoFar({ nodes, server, bucket }: Setting): Promise<Spent> {
  const { user, system } = process.cpuUsage()
  const cpuMsOf = async (pids: readonly number[]): Promise<number> =>
    (await Promise.all(pids.map(cpuMsOfTree))).reduce((sum, ms) => sum + ms, 0)
  return {
    nodes: await cpuMsOf(nodes.map((node) => node.process?.pid ?? 0)),
    bucket: await cpuMsOf(bucket?.pids ?? []),
    clients: (user + system) / 1000,
    database: server === undefined ? 0 : await cpuMsOfTree(server.pid),
    logKb: server === undefined ? 0 : await logKbOf(server),
  }
}

async function logKbOf(server: PostgresServer): Promise<number> {
  const [row] = await server.query(server.url, "SELECT (pg_current_wal_lsn() - '0/0')::float8 / 1000 AS kb")
  return Number(row?.['kb'])
}

function perMail(before: Spent, after: Spent, mails: number): Spent {
  const of = (name: keyof Spent): number => (after[name] - before[name]) / mails
  return {
    nodes: of('nodes'),
    database: of('database'),
    bucket: of('bucket'),
    clients: of('clients'),
    logKb: of('logKb'),
  }
}

const allOf = ({ nodes, database, bucket }: Spent): number => nodes + database + bucket

export function printed(
  { setting: { name, server, bucket }, perSecond, spent, times }: Measured,
  size: string,
  against: Row['against'],
): Row[] {
  const cores = `${availableParallelism()} cores`
  const cpu = (whose: string, value: number): Row => ({ case: `${name}: CPU a mail, ${whose}`, value, unit: 'ms' })
  return [
    { case: `${name}: ${size}, ${cores}`, value: perSecond, unit: '/s', ...percentiles(times), against: against ?? [] },
    cpu('nodes', spent.nodes),
    ...(server === undefined
      ? []
      : [
          cpu('database', spent.database),
          { case: `${name}: log a mail`, value: spent.logKb, unit: 'kB' } satisfies Row,
        ]),
    ...(bucket === undefined ? [] : [cpu('bucket', spent.bucket)]),
    cpu('clients and next hop', spent.clients),
  ]
}
