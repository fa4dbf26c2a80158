/** What those who watch the server are told: whether it can take mail, and its numbers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { Overload } from '../base/overload.ts'
import type { ProtectionPool } from '../gateway/protect.ts'
import type { Network } from '../keys/network.ts'
import * as checks from '../observe/checks.ts'
import { countEvents } from '../observe/event-metrics.ts'
import { startObserving } from '../observe/http-listener.ts'
import { watchProcess } from '../observe/process-metrics.ts'
import { type Check, Readiness } from '../observe/readiness.ts'
import { type Metric, counterOf, gauge, printMetrics } from '../observe/registry.ts'
import type { QueueWorker } from '../queue/worker.ts'
import { BYTES_FOLDER } from '../store/database.ts'
import { pulse } from '../store/pulse.ts'
import { queueDepth } from '../store/queue.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'

/** The queue is looked at every few seconds; so long without a look, something is wrong. */
const QUEUE_STALLED_MAX_MS = 30_000
/** Of watchers: a few, on this machine or in this house. */
const CONNECTIONS_MAX = 20

export interface Observed {
  readonly pool: ProtectionPool
  readonly network: Network
  readonly load: Overload
  /** Missing where this process does not work on the queue. */
  readonly worker: QueueWorker | undefined
  /** Listeners, also those that are added later. */
  readonly parts: readonly Part[]
}

/** `undefined` when it is turned off, or when the port is taken. */
export async function startObserve(desk: Desk, observed: Observed): Promise<Part | undefined> {
  const { http } = desk.config.listeners
  if (http === null) return undefined
  const counted = countEvents()
  const watched = watchProcess(versionOfProgram())
  const readiness = new Readiness({
    checks: checksOf(desk, observed),
    failed: (check, why) => events.checkFailed({ check, why }),
    works: (check) => events.checkPassed({ check }),
  })
  const failed = (error: unknown): void => events.trouble({ during: 'answering who watches', error })
  const metrics = [...counted.metrics, ...watched.metrics, ...storeMetrics(desk), ...listenerMetrics(observed)]
  const end = (): void => [readiness, counted, watched].forEach((each) => each.stop())
  try {
    const listener = await startObserving(
      { ...http, connectionsMax: CONNECTIONS_MAX, connectionsPerPeerMax: CONNECTIONS_MAX },
      { findings: () => readiness.look(), metrics: () => printMetrics(metrics, failed), failed },
    )
    return {
      listening: ['http', listener.address],
      setTls: () => undefined,
      connections: () => listener.connections(),
      async stop() {
        end()
        await listener.stop(STOP_GRACE_MS)
      },
    }
  } catch (error) {
    // a mail server that does not start because a port for its numbers is taken helps nobody
    end()
    events.trouble({ during: `listening for who watches, on ${http.host}:${http.port}; mail goes on without`, error })
    return undefined
  }
}

function checksOf({ config, store, domains }: Desk, { pool, network, worker, load }: Observed): Check[] {
  const { bucket } = store
  const bytesFolder = join(config.dataDir, BYTES_FOLDER)
  const [domain = config.hostname] = domains
  const needsNames = config.relay.routes['*'] === undefined
  return [
    checks.databaseCheck(() => pulse(store)),
    checks.roomCheck(() => load.shortage()),
    checks.folderCheck(bytesFolder),
    ...(bucket === undefined ? [] : [checks.bucketCheck(() => bucket.reach())]),
    checks.threadsCheck(() => tryThreads(pool)),
    ...(worker === undefined ? [] : [checks.queueCheck(() => worker.stalledMs, QUEUE_STALLED_MAX_MS)]),
    ...(needsNames ? [checks.resolverCheck(network.askDns, domain)] : []),
    checks.clockCheck(Date.now, () => performance.now()),
  ]
}

/** A job without work. */
async function tryThreads(pool: ProtectionPool): Promise<string | undefined> {
  const outcome = await pool.run({ kind: 'judge', atMs: 0, mails: [] })
  return outcome.kind === 'done' ? undefined : outcome.kind
}

function storeMetrics({ store, clock }: Desk): Metric[] {
  return [
    gauge('sealpost_queue_recipients', 'Recipients that wait in the queue.', async () =>
      (await queueDepth(store.db)).map(({ state, count }) => ({ labels: { state }, value: count })),
    ),
    gauge('sealpost_queue_oldest_seconds', 'Age of the oldest of them.', async () =>
      (await queueDepth(store.db)).map(({ state, oldestMs }) => ({
        labels: { state },
        value: oldestMs === undefined ? 0 : Math.max(0, clock.nowMs() - oldestMs) / 1000,
      })),
    ),
    counterOf('sealpost_commits_total', 'Transactions that were made durable.', () => [
      { labels: {}, value: store.commits.groups },
    ]),
    counterOf('sealpost_committed_changes_total', 'Changes in them: several mails share one transaction.', () => [
      { labels: {}, value: store.commits.works },
    ]),
    counterOf('sealpost_commit_seconds_total', 'Time that they took.', () => [
      { labels: {}, value: store.commits.tookMs / 1000 },
    ]),
  ]
}

const listenerMetrics = ({ parts, load }: Observed): Metric[] => [
  gauge('sealpost_connections', 'Open connections, by listener.', () =>
    parts.map(({ listening: [listener], connections }) => ({ labels: { listener }, value: connections() })),
  ),
  gauge('sealpost_mail_memory_bytes', 'What mails in work hold.', () => [{ labels: {}, value: load.heldBytes }]),
]

function versionOfProgram(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
