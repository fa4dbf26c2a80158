/** Counts what is said in base/events.ts: each row of the table is an event and what it adds to. */
import diagnostics from 'node:diagnostics_channel'
import { EVENT, EVENT_CHANNEL, type EventName, type SealpostEvent, type StageTimes } from '../base/events.ts'
import type { CopyFacts } from '../base/mail-events.ts'
import { Counter, Histogram, type Metric } from './registry.ts'

/** A thread's moment, a disk's, a slow peer's. */
const STAGE_BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const makeCounters = () => ({
  received: new Counter('sealpost_messages_received_total', 'Mails whose last byte has come.', ['by']),
  receivedBytes: new Counter('sealpost_received_bytes_total', 'Bytes of these mails.', ['by']),
  protected: new Counter('sealpost_recipients_protected_total', 'Recipients of outbound mail, by what they get.', [
    'protection',
    'standard',
  ]),
  verdicts: new Counter('sealpost_verdicts_total', 'What inbound mail was found to be, for each recipient.', [
    'outcome',
    'rule',
    'signature',
    'encrypted',
    'standard',
  ]),
  queued: new Counter('sealpost_recipients_queued_total', 'Recipients put into the queue.'),
  stored: new Counter('sealpost_messages_stored_total', 'Mails put into mailboxes.'),
  deliveries: new Counter('sealpost_deliveries_total', 'What came of deliveries from the queue, for each recipient.', [
    'outcome',
  ]),
  deliveredOver: new Counter('sealpost_delivered_over_total', 'Recipients whose mail a next hop took, by TLS.', [
    'tls',
    'verified',
  ]),
  stages: new Histogram('sealpost_stage_seconds', 'Time that the steps of a mail took.', STAGE_BOUNDS_SECONDS, [
    'stage',
    'by',
  ]),
  hostsFailed: new Counter('sealpost_hosts_failed_total', 'Mail hosts that could not be used.', ['stage']),
  refused: new Counter('sealpost_refused_total', 'Mails, commands and connections that were refused.', ['by', 'code']),
  connectionsFailed: new Counter(
    'sealpost_connections_failed_total',
    'SMTP connections that ended in an error: a TLS handshake, a socket.',
    ['by'],
  ),
  quarantined: new Counter('sealpost_quarantined_total', 'Mails held for the postmaster.'),
  discarded: new Counter(
    'sealpost_discarded_total',
    'Mails dropped by policy, or failed while nobody wants to be told.',
  ),
  logins: new Counter('sealpost_logins_total', 'Users who signed in, and who could not.', ['by', 'outcome']),
  fetched: new Counter('sealpost_messages_fetched_total', 'Mails fetched by their users.'),
  workers: new Counter('sealpost_workers_replaced_total', 'Threads that died or took too long.', ['pool']),
  lookUps: new Counter('sealpost_key_lookups_total', "Look-ups of correspondents' keys.", ['source', 'outcome']),
  fetches: new Counter('sealpost_fetches_failed_total', 'Revocation lists, OCSP responses and issuers not to be had.'),
  keysAsked: new Counter('sealpost_directory_requests_total', 'Requests to our directory of keys.', ['status']),
  keysChanged: new Counter('sealpost_keys_changed_total', 'Correspondents who have another key.', ['held']),
  usersDisputed: new Counter(
    'sealpost_users_disputed_total',
    'Users whose address the directory had for another entry.',
  ),
  overloads: new Counter('sealpost_overloads_total', 'Times from which on new mail was asked to come again.', ['why']),
  troubles: new Counter('sealpost_troubles_total', 'Something of ours failed: the log says what.'),
})

type Count = (counters: ReturnType<typeof makeCounters>, event: SealpostEvent) => void

const COUNTS: Readonly<Partial<Record<EventName, Count>>> = {
  [EVENT.messageReceived]: (counters, { by, sizeBytes }) => {
    counters.received.add([word(by)])
    counters.receivedBytes.add([word(by)], Number(sizeBytes))
  },
  [EVENT.verdict]: (counters, { outcome, rule, signature, encrypted, standard }) =>
    counters.verdicts.add([
      word(outcome),
      word(rule),
      word(signature),
      encrypted === true ? 'yes' : 'no',
      word(standard),
    ]),
  [EVENT.queued]: (counters, { recipients, copies }) => {
    counters.queued.add([], lengthOf(recipients))
    for (const { protection, standard = 'none', recipients: readers } of copies as readonly CopyFacts[])
      counters.protected.add([protection, standard], readers.length)
  },
  [EVENT.stored]: (counters) => counters.stored.add(),
  [EVENT.delivered]: (counters, { tls, verified }) => {
    counters.deliveries.add(['delivered'])
    if (tls !== undefined) counters.deliveredOver.add([word(tls), word(verified)])
  },
  [EVENT.took]: (counters, { by, tookMs }) => {
    for (const [stage, ms] of Object.entries(tookMs as StageTimes))
      counters.stages.observe(ms / 1000, [stage, word(by)])
  },
  [EVENT.deferred]: (counters) => counters.deliveries.add(['deferred']),
  [EVENT.returned]: (counters, { action }) => {
    if (action === 'delayed') counters.deliveries.add(['delay-told'])
    if (action === 'failed') counters.deliveries.add(['returned'])
  },
  [EVENT.held]: (counters) => counters.deliveries.add(['held']),
  [EVENT.hostFailed]: (counters, { stage }) => counters.hostsFailed.add([word(stage)]),
  [EVENT.refused]: (counters, { by, reply }) => counters.refused.add([word(by), replyCode(reply)]),
  [EVENT.quarantined]: (counters) => counters.quarantined.add(),
  [EVENT.discarded]: (counters) => counters.discarded.add(),
  [EVENT.loginSucceeded]: (counters, { by }) => counters.logins.add([word(by), 'succeeded']),
  [EVENT.loginFailed]: (counters, { by }) => counters.logins.add([word(by), 'failed']),
  [EVENT.connectionFailed]: (counters, { by }) => counters.connectionsFailed.add([word(by)]),
  [EVENT.fetched]: (counters, { messages }) => counters.fetched.add([], Number(messages)),
  [EVENT.workerReplaced]: (counters, { pool }) => counters.workers.add([word(pool)]),
  [EVENT.keyLookedUp]: (counters, { source, outcome }) => counters.lookUps.add([word(source), word(outcome)]),
  [EVENT.fetchFailed]: (counters) => counters.fetches.add(),
  [EVENT.keyAsked]: (counters, { status }) => counters.keysAsked.add([String(status)]),
  [EVENT.keyChanged]: (counters, { held }) => counters.keysChanged.add([held === true ? 'yes' : 'no']),
  [EVENT.userDisputed]: (counters) => counters.usersDisputed.add(),
  [EVENT.overloaded]: (counters, { why }) => counters.overloads.add([word(why)]),
  [EVENT.trouble]: (counters) => counters.troubles.add(),
}

/** Counts from now on, until `stop` is called. */
export function countEvents(): { readonly metrics: readonly Metric[]; stop(): void } {
  const counters = makeCounters()
  const count = (message: unknown): void => {
    const event = message as SealpostEvent
    COUNTS[event.event]?.(counters, event)
  }
  diagnostics.subscribe(EVENT_CHANNEL, count)
  return { metrics: Object.values(counters), stop: () => void diagnostics.unsubscribe(EVENT_CHANNEL, count) }
}

const word = (value: unknown): string => (typeof value === 'string' ? value : '')

const lengthOf = (value: unknown): number => (Array.isArray(value) ? value.length : 0)

/** `550` of `550 5.7.7 …`; POP3 has no codes. */
const replyCode = (reply: unknown): string => /^\d{3}/.exec(word(reply))?.[0] ?? 'none'
