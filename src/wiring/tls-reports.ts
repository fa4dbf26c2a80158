/** What the relay finds of TLS with others' mail hosts, counted, and reported to them once a day. */
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Network } from '../keys/network.ts'
import { StsPolicies } from '../relay/sts-policies.ts'
import { TlsCounts } from '../relay/tls-reports/counts.ts'
import type { HopTried } from '../relay/tls-reports/result.ts'
import { sendTlsReports } from '../relay/tls-reports/send.ts'
import { postmasterOf } from './postmaster.ts'

const WRITE_EVERY_MS = 60_000

export interface TlsReports {
  onHopTried(hop: HopTried): void
  /** Sends what is due. */
  send(wakeQueue: () => void): Promise<void>
  /** Writes down what was counted. */
  stop(): Promise<void>
}

export function tlsReports(desk: Desk, live: LiveConfig, { askDns: ask, fetch }: Network): TlsReports {
  const { store, clock, dkimKeys } = desk
  const counts = new TlsCounts(store, clock)
  const sts = new StsPolicies({ store, clock, ask, fetch })
  const isWanted = (): boolean => live.current.relay.tlsReports
  const write = (): Promise<void> =>
    counts.write().catch((error: unknown) => events.trouble({ during: 'counting TLS results', error }))
  const timer = setInterval(() => void write(), WRITE_EVERY_MS)
  timer.unref()
  return {
    onHopTried: (hop) => void (isWanted() && counts.add(hop)),
    async send(wakeQueue) {
      const [submitter] = desk.domains
      if (!isWanted() || submitter === undefined) return
      await write()
      const stsPolicy = (domain: string) => sts.policyOf(domain)
      const postmaster = postmasterOf(desk)
      await sendTlsReports({ store, clock, dkimKeys, ask, fetch, submitter, postmaster, stsPolicy, wakeQueue })
    },
    async stop() {
      clearInterval(timer)
      await write()
    },
  }
}
