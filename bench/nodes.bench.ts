/**
 * One node on SQLite against one, two and three nodes on one PostgreSQL, all of them durable, in turns: rates, and whose CPU a
 * mail takes. Nodes, database, clients and next hop share the cores of one machine, so more nodes are no more cores.
 */
import { type PostgresServer, needsPostgres, startPostgres } from '../test/support/postgres.ts'
import { type Provider, makeNode } from '../test/support/provider.ts'
import { bucketRows } from './bucket.bench.ts'
import type { Effort, Row } from './row.ts'
import { type Setting, inTurns, printed } from './settings.ts'
import { type SmtpDrain, startDrain } from './smtp-drain.ts'
import { type Kind, type Pair, KINDS, build, inboundSide, mustHaveVerified, outboundSide } from './versus.bench.ts'

const NODES_MAX = 3
const MAILS = 600
const SIZE = '5 kB'

export async function nodeRows(effort: Effort): Promise<Row[]> {
  const { skip } = needsPostgres()
  if (skip !== false) {
    process.stderr.write(`nodes: ${skip}\n`)
    return []
  }
  await using drain = await startDrain()
  await using server = await startPostgres({ durable: true })
  const rows: Row[] = []
  for (const kind of KINDS.slice(0, effort.smoke ? 1 : undefined))
    rows.push(...(await rowsOf(kind, drain, server, effort)))
  if (!effort.smoke) rows.push(...(await bucketRows(drain, server, effort))) // half a minute to start all of it
  return rows
}

async function rowsOf(kind: Kind, drain: SmtpDrain, server: PostgresServer, effort: Effort): Promise<Row[]> {
  await using stack = new AsyncDisposableStack()
  const alone = stack.use(await build(kind, drain))
  const shared = stack.use(await build(kind, drain, { store: () => server.newDatabase() }))
  const sending = [shared.sending]
  const receiving = [shared.receiving]
  const reference = await setting('SQLite', alone, drain, [alone.sending], [alone.receiving])
  const rows: Row[] = []
  const first = new Map<Way, number>()
  for (let nodes = 1; nodes <= (effort.smoke ? 2 : NODES_MAX); nodes++) {
    if (nodes > 1) for (const group of [sending, receiving]) group.push(stack.use(await oneMore(group[0] as Provider)))
    const name = `PostgreSQL, ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`
    const grown = await setting(name, shared, drain, sending, receiving, server)
    for (const way of WAYS) {
      const [sqlite, postgres] = await inTurns([reference[way], grown[way]], effort, effort.smoke ? 40 : MAILS)
      if (sqlite === undefined || postgres === undefined) continue
      const ratio = postgres.perSecond / sqlite.perSecond
      if (nodes === 1) rows.push(...printed(sqlite, SIZE, []))
      first.set(way, first.get(way) ?? ratio)
      // by way of SQLite, measured beside each: the machine is not as fast as it was when there was one node
      const grownBy = { reference: 'one node', ratio: ratio / (first.get(way) ?? 1) }
      rows.push(...printed(postgres, SIZE, [{ reference: 'SQLite', ratio }, ...(nodes === 1 ? [] : [grownBy])]))
    }
  }
  for (const node of [alone.receiving, ...receiving]) mustHaveVerified(node)
  return rows
}

async function oneMore(first: Provider): Promise<Provider> {
  const node = await makeNode(first)
  await node.start()
  return node
}

const WAYS = ['out', 'in'] as const
type Way = (typeof WAYS)[number]

async function setting(
  name: string,
  pair: Pair,
  drain: SmtpDrain,
  sending: readonly Provider[],
  receiving: readonly Provider[],
  server?: PostgresServer,
): Promise<Record<Way, Setting>> {
  return {
    out: {
      name: `${name}: out, ${pair.kind}`,
      side: outboundSide(pair, drain, sending),
      nodes: [...sending],
      server,
    },
    in: {
      name: `${name}: in, ${pair.kind}`,
      side: await inboundSide(pair, drain, receiving),
      nodes: [...receiving],
      server,
    },
  }
}
