/** The mail's way through the gateway, and the threads that protect it. */
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import type { Desk } from '../admin/desk.ts'
import { cachedDns } from '../base/dns-cache.ts'
import * as events from '../base/events.ts'
import { WorkerPool } from '../base/worker-pool.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Config } from '../config/load.ts'
import { hasMailStore } from '../config/mailboxes-schema.ts'
import { inboundPolicyFor, outboundPolicyFor, standardsOfUsers } from '../config/policy-settings.ts'
import type { SenderRules } from '../gateway/authenticate-sender.ts'
import type { createInbound } from '../gateway/inbound.ts'
import type { createOutbound } from '../gateway/outbound.ts'
import type { ProtectionPool } from '../gateway/protect.ts'
import { RefusalTraces } from '../gateway/refusal-traces.ts'
import { ToldRefusals } from '../gateway/told-refusals.ts'
import type { Network } from '../keys/network.ts'
import { isWithin, networkList } from '../keys/public-address.ts'
import type { Users } from '../keys/user-sources/users.ts'
import type { QueueTaker } from '../store/hand-over.ts'
import { orTryLater } from './ask-user.ts'

const STREAM_TIMEOUT_FACTOR = 20

export function protectionPool({ protection }: Config): ProtectionPool {
  const size = protection.threads === 0 ? availableParallelism() : protection.threads
  return new WorkerPool({
    script: new URL(`../gateway/protection-worker${extname(import.meta.url)}`, import.meta.url),
    size,
    timeoutMs: protection.timeoutSeconds * 1000,
    streamTimeoutMs: protection.timeoutSeconds * 1000 * STREAM_TIMEOUT_FACTOR,
    heapMaxMb: protection.heapMaxMegabytes,
    queueMax: 1000,
    streamsMax: Math.max(2, size),
    name: 'protection',
    onReplaced: (why) => events.workerReplaced({ pool: 'protection', why }),
  })
}

export function outboundDeps(
  desk: Desk,
  live: LiveConfig,
  pool: ProtectionPool,
  network: Network,
  queue: QueueTaker,
): Parameters<typeof createOutbound>[0] {
  return {
    ...desk,
    hostname: desk.config.hostname,
    pool,
    ...network,
    policyFor: (domain) => outboundPolicyFor(live.current, domain),
    rules: () => live.current.policy,
    ourStandards: standardsOfUsers(desk.config),
    queue,
    refusals: new RefusalTraces(desk.store),
  }
}

export function inboundDeps(
  desk: Desk,
  live: LiveConfig,
  pool: ProtectionPool,
  network: Network,
  users: Users,
  queue: QueueTaker,
): Parameters<typeof createInbound>[0] {
  const { config } = desk
  return {
    ...desk,
    accountOf: (address) => orTryLater(() => users.receiving(address)),
    hostname: config.hostname,
    pool,
    ...network,
    policyFor: (domain) => inboundPolicyFor(live.current, domain),
    allowWeak: config.protection.allowWeakAlgorithms,
    strictIssuers: config.protection.strictIssuers,
    get keepEvidence() {
      return live.current.evidence.keepDays > 0
    },
    mailStore: hasMailStore(config.mailboxes) ? queue : undefined,
    told: new ToldRefusals(() => live.current.limits.refusalsAfterDecryptionPerDay),
    senders: senderRules(desk, network),
    refusals: new RefusalTraces(desk.store),
  }
}

/** Whose mail is judged by SPF, DKIM, ARC and DMARC. */
function senderRules({ config, clock }: Desk, { askDns }: Network): SenderRules {
  const { inbound, exemptNetworks, trustedSealers } = config.authentication
  const exempt = networkList(exemptNetworks)
  return {
    ask: cachedDns(askDns, clock),
    isExempt: (peerAddress) => !inbound || isWithin(exempt, peerAddress),
    trustedSealers,
  }
}
