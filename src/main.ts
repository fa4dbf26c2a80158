/**
 * Wires configuration → stores → agents → listeners, part by part (wiring/); with these the only files that know
 * everybody. The agents meet in rows of the store and in the functions that are handed to them here.
 */
import type { Desk } from './admin/desk.ts'
import * as events from './base/events.ts'
import { LiveConfig } from './config/live.ts'
import type { Config } from './config/load.ts'
import { changedKeyAlarm } from './gateway/changed-key.ts'
import { createInbound } from './gateway/inbound.ts'
import { createOutbound } from './gateway/outbound.ts'
import { createNetwork } from './keys/network.ts'
import { NOBODY } from './store/hand-over.ts'
import { startAccess } from './wiring/access.ts'
import { startDirectory } from './wiring/directory.ts'
import { inboundDeps, outboundDeps, protectionPool } from './wiring/gateway.ts'
import { startKeeping } from './wiring/housekeeping.ts'
import { startObserve } from './wiring/observe.ts'
import { type Part, STOP_GRACE_MS } from './wiring/part.ts'
import { sharedGuards } from './wiring/guards.ts'
import { postmasterOf } from './wiring/postmaster.ts'
import { mailStoreOf } from './wiring/mail-store.ts'
import { queueWorker, relayOf } from './wiring/queue.ts'
import { startReceive } from './wiring/receive.ts'
import { takerOf } from './wiring/taker.ts'
import { tlsReports } from './wiring/tls-reports.ts'
import { readTls } from './wiring/tls-files.ts'
import { usersOf } from './wiring/users.ts'

/**
 * `receive`: SMTP in. `relay`: works the queue. `access`: POP3, and the directory of our users' keys. `admin`: what is done
 * now and then. Every process says how it is over HTTP.
 */
export const ROLES = ['receive', 'relay', 'access', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Running {
  readonly listeners: Readonly<Record<string, events.Listening>>
  /** Takes over TLS certificates and what `LiveConfig` replaces (config/live.ts); the rest counts from the next start. */
  reload(next: Config): Promise<void>
  /** Accepts nothing more, finishes what is under way, closes the store. */
  stop(): Promise<void>
}

/** Starts the roles on the desk; says "ready" when every listener is up. */
export async function startServer(desk: Desk, roles: readonly Role[]): Promise<Running> {
  const { config } = desk
  const users = await usersOf(desk)
  const live = new LiveConfig(config)
  const pool = protectionPool(config)
  const network = createNetwork({
    ...desk,
    prepareAlarm: (key) =>
      changedKeyAlarm(desk.store, key, { readers: [postmasterOf(desk)], nowMs: desk.clock.nowMs() }),
  })
  const reports = tlsReports(desk, live, network)
  const relay = relayOf(desk, live, network, reports.onHopTried)
  const mailStore = mailStoreOf(desk, network)
  const workQueue = roles.includes('relay')
  // who works the queue off delivers to our own users by the way in, and takes up what comes out of it
  const taker = workQueue ? takerOf(() => worker) : NOBODY
  const inbound = createInbound(inboundDeps(desk, live, pool, network, users, taker))
  const worker = queueWorker(desk, live, { relay, mailStore, deliverLocally: inbound.deliver })
  const outbound = createOutbound(outboundDeps(desk, live, pool, network, taker))
  const guards = sharedGuards(desk, live, pool, users)
  const parts: Part[] = []
  let endHousekeeping = (): Promise<void> => Promise.resolve()
  const stop = async (): Promise<void> => {
    // side by side, for all of them may take the whole grace; what comes in meanwhile stays in the queue
    await Promise.all([...parts.map((part) => part.stop()), worker.stop(STOP_GRACE_MS)])
    relay.close()
    mailStore?.close()
    await reports.stop()
    await endHousekeeping()
    guards.stop()
    users.close()
    network.close()
    await pool.close()
    await desk.store.close()
  }
  try {
    const tls = await readTls(config)
    if (roles.includes('receive')) await startReceive(desk, live, tls, guards, { inbound, outbound, users }, parts)
    if (roles.includes('access')) await startAccess(desk, live, tls, guards, parts)
    if (roles.includes('access')) await startDirectory(desk, live, tls, parts)
    if (workQueue) await worker.start()
    const watched = { pool, network, parts, load: guards.load, worker: workQueue ? worker : undefined }
    const observe = await startObserve(desk, watched)
    if (observe !== undefined) parts.push(observe)
  } catch (error) {
    await stop()
    throw error
  }
  if (roles.includes('admin')) endHousekeeping = startKeeping(desk, live, () => reports.send(() => worker.notify()))
  const listeners = Object.fromEntries(parts.map((part) => part.listening))
  events.ready({ listeners })
  return {
    listeners,
    async reload(next) {
      const fresh = await readTls(next)
      for (const part of parts) part.setTls(fresh)
      const replaced = live.replace(next)
      for (const part of parts) part.setLimits?.(next.limits)
      events.reloaded(replaced)
    },
    stop,
  }
}
