/** Once a day, tells domains that ask for it what came of TLS with their mail hosts (RFC 8460 §5). */
import { randomBytes } from 'node:crypto'
import { type DkimSigner, signWithDkim } from '../../authentication/dkim-sign.ts'
import type { Clock } from '../../base/clock.ts'
import type { DnsAsk } from '../../base/dns-client.ts'
import * as events from '../../base/events.ts'
import type { DkimKeys } from '../../keys/dkim-keys.ts'
import type { Fetch } from '../../keys/http-fetch.ts'
import { type Address, type Domain, domainOf } from '../../message/address.ts'
import { newBoundary } from '../../message/build.ts'
import { formatMessageId } from '../../message/date.ts'
import type { Store } from '../../store/database.ts'
import { enqueue } from '../../store/queue.ts'
import { removeTlsResults, tlsReportsDue, tlsResultsOf } from '../../store/tls-results.ts'
import type { StsPolicy } from '../mta-sts.ts'
import { dayOf } from './counts.ts'
import { type ReportPlace, readReportRecord } from './record.ts'
import { type ReportFacts, packReport, reportMail, tlsReport } from './report.ts'

const DAY_MS = 24 * 60 * 60_000
/** As long as the name server is in trouble, a report waits; then nobody wants it any more. */
const KEPT_MS = 3 * DAY_MS
/** A report that no place takes is tried again for a day (RFC 8460 §5.5), which follows the day that it is about. */
const TRIED_MS = 2 * DAY_MS
const ANSWER_MAX_BYTES = 64 * 1024

export interface ReportDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ask: DnsAsk
  readonly fetch: Fetch
  readonly dkimKeys: DkimKeys
  /** Who reports; it signs the mails, and without a key of it none is sent (RFC 8460 §3). */
  readonly submitter: Domain
  readonly postmaster: Address
  readonly stsPolicy: (domain: string) => Promise<StsPolicy | undefined>
  wakeQueue(): void
}

/** All that are due. Rejects when the store fails; what was not sent is due still. */
export async function sendTlsReports(deps: ReportDeps): Promise<void> {
  const nowMs = deps.clock.nowMs()
  for (const { day, domain } of await tlsReportsDue(deps.store.db, dayOf(nowMs))) {
    const answer = await deps.ask(`_smtp._tls.${domain}`, 'TXT')
    if (answer.kind === 'trouble' && day > dayOf(nowMs - KEPT_MS)) continue
    const places = answer.kind === 'records' ? readReportRecord(answer.records) : []
    if (places.length === 0) await deps.store.commit((tx) => removeTlsResults(tx, day, domain))
    else await report(deps, day, domain, places)
  }
}

async function report(deps: ReportDeps, day: string, domain: string, places: readonly ReportPlace[]): Promise<void> {
  const { store, submitter, postmaster } = deps
  const rows = await tlsResultsOf(store.db, day, domain)
  const sts = await deps.stsPolicy(domain)
  const facts: ReportFacts = {
    domain,
    day,
    rows,
    ...(sts !== undefined && { sts: { strings: policyLines(sts), mx: sts.mx } }),
    organization: submitter,
    contact: postmaster,
    // the same when it is sent again: who has it knows it
    reportId: `${day}_${domain}@${submitter}`,
  }
  const packed = packReport(tlsReport(facts))
  const signers = await deps.dkimKeys.signersOf(submitter)
  const mails = signers.length === 0 ? [] : places.filter((place) => place.kind === 'mail')
  const posted = await postReport(deps, packed, places)
  const to = [...mails.map((place) => place.to), ...posted]
  const mayTryAgain = places.some(({ kind }) => kind === 'https') && day > dayOf(deps.clock.nowMs() - TRIED_MS)
  if (to.length === 0 && mayTryAgain) return
  await queueReports(deps, { facts, packed, signers }, mails)
  if (mails.length > 0) deps.wakeQueue()
  if (to.length > 0) events.tlsReported({ domain, day, to })
}

/** Who has taken it (RFC 8460 §5.4). */
async function postReport(
  { fetch }: ReportDeps,
  packed: Uint8Array,
  places: readonly ReportPlace[],
): Promise<string[]> {
  const body = { type: 'application/tlsrpt+gzip', bytes: packed }
  const taken: string[] = []
  for (const { url } of places.filter((place) => place.kind === 'https')) {
    const wanted = { url, body, sizeMaxBytes: ANSWER_MAX_BYTES, httpsOnly: true }
    const answer = await fetch(wanted, new AbortController().signal)
    if (answer.ok) taken.push(url)
    else events.fetchFailed({ url, why: answer.error })
  }
  return taken
}

interface MadeReport {
  readonly facts: ReportFacts
  readonly packed: Uint8Array
  readonly signers: readonly DkimSigner[]
}

/** In the transaction that forgets the counts: so it is sent once, whatever dies. */
async function queueReports(
  { store, clock, submitter, postmaster }: ReportDeps,
  { facts, packed, signers }: MadeReport,
  places: readonly Extract<ReportPlace, { kind: 'mail' }>[],
): Promise<void> {
  const nowMs = clock.nowMs()
  const mails = await Promise.all(
    places.map(async ({ to }) => {
      const messageId = formatMessageId(randomBytes(16), submitter)
      const boundary = newBoundary(randomBytes(16))
      const mail = reportMail({ facts, packed, submitter, from: postmaster, to, nowMs, messageId, boundary })
      return { to, messageId, sealed: await store.bytes.seal(signWithDkim(signers, nowMs, mail)) }
    }),
  )
  await store.commit(async (tx) => {
    await removeTlsResults(tx, facts.day, facts.domain)
    for (const { to, messageId, sealed } of mails)
      await enqueue(tx, [
        {
          bytesId: await store.bytes.insert(tx, sealed),
          mailFrom: '', // a report that cannot be delivered is reported to nobody
          recipient: to,
          domain: domainOf(to),
          queuedMs: nowMs,
          messageId,
          dsn: { notify: 'NEVER' },
          tls: 'unimportant', // RFC 8460 §3: the very fault that it tells of must not hold it up
          smtpUtf8: false,
          eightBit: false,
          bodyKind: 'plain',
        },
      ])
  })
}

const policyLines = ({ mode, mx, maxAgeMs }: StsPolicy): readonly string[] => [
  'version: STSv1',
  `mode: ${mode}`,
  ...mx.map((host) => `mx: ${host}`),
  `max_age: ${maxAgeMs / 1000}`,
]
