/** What is done to a cluster under load: nodes and database are killed in turn; nodes are cut off, stand still, are slow. */
import { setTimeout as wait } from 'node:timers/promises'
import { LEASE_MS } from '../../src/queue/lease-keeper.ts'
import { Cluster, type Node } from './cluster.ts'
import { seededRandom } from './points.ts'
import type { CrashRun } from './under-load.ts'

export interface ClusterOptions {
  readonly nodes: number
  readonly kills: number
  /** Each node is also cut off, and stands still, for longer than its leases last, and is slow; PostgreSQL is away as long. */
  readonly long: boolean
  readonly seed: number
}

export interface ClusterRun extends CrashRun {
  /** Answers 4yz. */
  readonly putOff: number
}

/** Between two kills, at most. */
const LIFE_MAX_MS = 1_500
/** What was killed is gone so long at most. */
const GONE_MAX_MS = 1_000
/** One kill in so many is the database's. */
const ONE_IN_DATABASE = 3
/** Mails that must be accepted after each fault. */
const MAILS_BETWEEN = 8
/** What a node had leased is somebody else's by then. */
const LONGER_THAN_LEASE_MS = LEASE_MS + 15_000
const SLOW = { pulses: 60, standsMs: 150, goesMs: 50 }

export async function crashCluster(
  { nodes, kills, long, seed }: ClusterOptions,
  say: (line: string) => void,
): Promise<ClusterRun> {
  const random = seededRandom(seed)
  await using cluster = await Cluster.make({ nodes, random })
  cluster.beginLoad()
  await cluster.flows(MAILS_BETWEEN)
  say(`${nodes} nodes, seed ${seed}`)
  for (let done = 0; done < kills; done++) {
    await wait(random() * LIFE_MAX_MS)
    const node = cluster.nodes[done % nodes] as Node
    const isDatabase = done % ONE_IN_DATABASE === ONE_IN_DATABASE - 1
    await (isDatabase ? cluster.killDatabase() : cluster.killNode(node))
    if (!isDatabase) await cluster.flows(1) // through the others
    await wait(random() * GONE_MAX_MS)
    await (isDatabase ? cluster.startDatabase() : node.provider.start())
    await cluster.flows(MAILS_BETWEEN)
    say(`${done + 1} kills, ${cluster.ledger.accepted} accepted`)
  }
  if (long) {
    for (const node of cluster.nodes) await mistreat(cluster, node, say)
    await cluster.killDatabase()
    await wait(LONGER_THAN_LEASE_MS)
    await cluster.startDatabase()
    await cluster.flows(MAILS_BETWEEN)
    say(`PostgreSQL was away: ${cluster.ledger.accepted} accepted`)
  }
  await cluster.finish()
  const { ledger, figures } = cluster
  return { ...ledger.verdict(), kills, accepted: ledger.accepted, putOff: figures.refusals.length }
}

async function mistreat(cluster: Cluster, node: Node, say: (line: string) => void): Promise<void> {
  const told = (what: string): void => say(`${node.name} ${what}: ${cluster.ledger.accepted} accepted`)
  for (const [what, begin, end] of [
    ['was cut off', cluster.cutOff, cluster.reconnect],
    ['stood still', cluster.freeze, cluster.thaw],
  ] as const) {
    begin.call(cluster, node)
    await wait(LONGER_THAN_LEASE_MS)
    await cluster.flows(MAILS_BETWEEN)
    end.call(cluster, node)
    await cluster.flows(MAILS_BETWEEN)
    told(what)
  }
  for (let pulse = 0; pulse < SLOW.pulses; pulse++) {
    node.provider.process?.kill('SIGSTOP')
    await wait(SLOW.standsMs)
    node.provider.process?.kill('SIGCONT')
    await wait(SLOW.goesMs)
  }
  await cluster.flows(MAILS_BETWEEN)
  told('was slow')
}
