/**
 * What happens, said in one place: one function per event (invariant 10, docs/architecture.md). Each publishes on the
 * diagnostics channel, where metrics, audit and the crash test listen, and writes one line of log. Never a secret, never
 * a subject or content; addresses, Message-IDs and reasons are what operators need. What is also kept as the trace of a
 * mail is built by mail-events.ts first, and comes to `say`.
 */
import diagnostics from 'node:diagnostics_channel'
import { foreignText, foreignTexts } from './limits.ts'
import type { Logger, LogLevel } from './log.ts'
import * as mailEvents from './mail-events.ts'

export const EVENT_CHANNEL = 'sealpost:event'

/** The names, as they stand in log and trace. */
export const EVENT = {
  ready: 'ready',
  stopped: 'stopped',
  reloaded: 'reloaded',
  messageReceived: 'message-received',
  verdict: 'verdict',
  queued: 'queued',
  stored: 'stored',
  took: 'took',
  delivered: 'delivered',
  deferred: 'deferred',
  hostFailed: 'host-failed',
  stsPolicyMissing: 'sts-policy-missing',
  tlsReported: 'tls-reported',
  returned: 'returned',
  held: 'held',
  refused: 'refused',
  quarantined: 'quarantined',
  discarded: 'discarded',
  administered: 'administered',
  loginSucceeded: 'login-succeeded',
  loginFailed: 'login-failed',
  fetched: 'fetched',
  sessionEnded: 'session-ended',
  connectionFailed: 'connection-failed',
  workerReplaced: 'worker-replaced',
  overloaded: 'overloaded',
  recovered: 'recovered',
  keyHarvested: 'key-harvested',
  keyRenewed: 'key-renewed',
  fetchFailed: 'fetch-failed',
  keyChanged: 'key-changed',
  keyLookedUp: 'key-looked-up',
  keyAsked: 'key-asked',
  userDisputed: 'user-disputed',
  userSettled: 'user-settled',
  checkFailed: 'check-failed',
  checkPassed: 'check-passed',
  trouble: 'trouble',
} as const

export type EventName = (typeof EVENT)[keyof typeof EVENT]

/** What listeners of the channel get. */
export type SealpostEvent = Readonly<Record<string, unknown>> & { readonly event: EventName }

const channel = diagnostics.channel(EVENT_CHANNEL)
let log: Logger | undefined

/** Where events are written from now on; without it they are only published. */
export function setEventLog(logger: Logger | undefined): void {
  log = logger
}

export interface Listening {
  readonly host: string
  readonly port: number
}

/** Every listener is up (docs/operating: scripts wait for this line). */
export function ready(facts: { readonly listeners: Readonly<Record<string, Listening>> }): void {
  const where = Object.entries(facts.listeners).map(([name, at]) => `${name} on ${at.host}:${at.port}`)
  happened(EVENT.ready, 'info', facts, `ready: ${where.join(', ')}`)
}

export function stopped(facts: { readonly why: string }): void {
  happened(EVENT.stopped, 'info', facts, `stopped: ${facts.why}`)
}

export function reloaded(facts: {
  readonly changed: readonly string[]
  readonly afterRestart: readonly string[]
}): void {
  const changed = facts.changed.length === 0 ? 'nothing else changed' : `${facts.changed.join(', ')} changed`
  const later = facts.afterRestart.length === 0 ? '' : `; ${facts.afterRestart.join(', ')}: after a restart`
  happened(
    EVENT.reloaded,
    facts.afterRestart.length === 0 ? 'info' : 'warn',
    facts,
    `TLS certificates read; ${changed}${later}`,
  )
}

/** What has been built, and, where it is kept, is kept. */
export function say(event: mailEvents.MailEvent): void {
  publish(event.event, mailEvents.levelOf(event), event.facts, () => mailEvents.sentenceOf(event))
}

/** The last byte of a mail has arrived; nothing has been promised yet. */
export function messageReceived(
  facts: mailEvents.MailFacts & {
    /** `local`: from our own queue, for one of our own users. */
    readonly by: 'mx' | 'submission' | 'local'
    readonly mailFrom: string
    readonly rcptTo: readonly string[]
    readonly peerAddress?: string
    readonly sizeBytes: number
  },
): void {
  const text = `${facts.by}: ${facts.sizeBytes} bytes from <${facts.mailFrom}> for ${facts.rcptTo.join(', ')}`
  happened(EVENT.messageReceived, 'info', facts, text)
}

/** The mail is durable in a mailbox, or queued for the mail store behind us. */
export function stored(facts: mailEvents.MailFacts & { readonly recipient: string; readonly sizeBytes: number }): void {
  happened(EVENT.stored, 'info', facts, `stored for ${facts.recipient}`)
}

/**
 * How long the steps of one mail took: `receive` while its bytes come, `plan` until it is known who gets what, `protect`,
 * `open` until it is judged, `commit` until it is durable, `deliver` for one attempt of handing it on.
 */
export function took(
  facts: mailEvents.MailFacts & {
    readonly by: 'mx' | 'submission' | 'local' | 'relay'
    readonly tookMs: StageTimes
  },
): void {
  publish(EVENT.took, 'debug', { ...facts, messageId: foreignText(facts.messageId) }, () =>
    Object.entries(facts.tookMs)
      .map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`)
      .join(', '),
  )
}

export type Stage = 'receive' | 'plan' | 'protect' | 'open' | 'commit' | 'deliver'
export type StageTimes = Readonly<Partial<Record<Stage, number>>>

/** A mail host of the next hop could not be used; others may be tried. */
export function hostFailed(
  facts: mailEvents.MailFacts & {
    readonly host: string
    readonly address: string
    readonly stage: string
    readonly reply: string
  },
): void {
  happened(EVENT.hostFailed, 'warn', facts, `${facts.host} [${facts.address}] failed at ${facts.stage}: ${facts.reply}`)
}

/** A domain announces an MTA-STS policy that cannot be had; one that is kept goes on to count. */
export function stsPolicyMissing(facts: { readonly domain: string; readonly url: string; readonly why: string }): void {
  happened(EVENT.stsPolicyMissing, 'warn', facts, `MTA-STS policy of ${facts.domain} cannot be had: ${facts.why}`)
}

/** A domain that asks for it is told what came of TLS with its mail hosts on one day. */
export function tlsReported(facts: {
  readonly domain: string
  readonly day: string
  readonly to: readonly string[]
}): void {
  happened(EVENT.tlsReported, 'info', facts, `TLS report about ${facts.domain}, ${facts.day}: ${facts.to.join(', ')}`)
}

/** A mail or a command was answered with 4xx or 5xx. */
export function refused(facts: mailEvents.RefusedFacts): void {
  say(mailEvents.refused(facts))
}

export function quarantined(facts: mailEvents.MailFacts & { readonly why: string }): void {
  happened(EVENT.quarantined, 'warn', facts, `held for the postmaster: ${facts.why}`)
}

export interface LoginFacts {
  readonly by: 'submission' | 'pop3'
  /** As typed by the peer. */
  readonly name: string
  readonly peerAddress: string
  readonly session?: string
}

export function loginSucceeded(facts: LoginFacts): void {
  happened(EVENT.loginSucceeded, 'info', facts, `${facts.by}: ${facts.name} logged in`)
}

export function loginFailed(facts: LoginFacts): void {
  happened(EVENT.loginFailed, 'warn', facts, `${facts.by}: login failed for ${facts.name} from ${facts.peerAddress}`)
}

/** A reading session ended, with what it read and deleted. */
export function fetched(facts: {
  readonly address: string
  readonly peerAddress: string
  readonly messages: number
  readonly deleted: number
}): void {
  happened(EVENT.fetched, 'info', facts, `${facts.address} fetched ${facts.messages}, deleted ${facts.deleted}`)
}

/** A session ended otherwise than by its client's wish. */
export function sessionEnded(facts: Omit<LoginFacts, 'by'> & { readonly by: 'pop3'; readonly why: string }): void {
  happened(EVENT.sessionEnded, 'warn', facts, `${facts.by}: session of ${facts.peerAddress} ended: ${facts.why}`)
}

/** A TLS handshake or a socket failed; nothing was lost. Seldom of interest one by one, and anybody can make many: counted. */
export function connectionFailed(facts: { readonly by: 'mx' | 'submission'; readonly why: string }): void {
  happened(EVENT.connectionFailed, 'debug', facts, `${facts.by}: connection failed: ${facts.why}`)
}

/** A worker thread died; `why` is what it said, never what it worked on. */
export function workerReplaced(facts: { readonly pool: string; readonly why: string }): void {
  happened(EVENT.workerReplaced, 'error', facts, `${facts.pool} worker replaced: ${facts.why}`)
}

/** From now on new mail is answered 421, 451 or 452, for want of memory, threads or disk; senders try again. */
export function overloaded(facts: {
  readonly why: 'memory' | 'threads' | 'disk'
  readonly heldBytes: number
  readonly residentBytes: number
}): void {
  happened(EVENT.overloaded, 'warn', facts, `overloaded: not enough ${facts.why} for new mail`)
}

/** There is room for new mail again. */
export function recovered(facts: { readonly heldBytes: number; readonly residentBytes: number }): void {
  happened(EVENT.recovered, 'info', facts, 'there is room for new mail again')
}

/** A certificate came with a mail and was kept: as `chained` it is used from now on, as `candidate` it is not. */
export function keyHarvested(
  facts: mailEvents.MailFacts & {
    readonly address: string
    readonly fingerprint: string
    readonly trust: 'chained' | 'candidate'
  },
): void {
  happened(EVENT.keyHarvested, 'info', facts, `${facts.trust} key of ${facts.address} kept`)
}

/** An OpenPGP certificate of one of our users runs out later now; its fingerprint stays. */
export function keyRenewed(facts: {
  readonly address: string
  readonly fingerprint: string
  readonly until: string
}): void {
  happened(EVENT.keyRenewed, 'info', facts, `${facts.address}: OpenPGP certificate renewed until ${facts.until}`)
}

/** A revocation list, an OCSP response or an issuer's certificate could not be had; it is tried again later. */
export function fetchFailed(facts: { readonly url: string; readonly why: string }): void {
  happened(EVENT.fetchFailed, 'info', facts, `${facts.url}: ${facts.why}`)
}

/** Somebody whose key we knew has another one; `held`: it is not used before an administrator confirms it. */
export function keyChanged(
  facts: Partial<mailEvents.MailFacts> & {
    readonly address: string
    readonly fingerprint: string
    readonly held: boolean
  },
): void {
  const what = facts.held ? 'held until it is confirmed' : 'used from now on'
  happened(EVENT.keyChanged, facts.held ? 'warn' : 'info', facts, `${facts.address} has another key: ${what}`)
}

/** A source on the network was asked for keys of an address; what it had goes into 222 with that source. */
export function keyLookedUp(facts: {
  readonly address: string
  readonly source: string
  readonly outcome: 'found' | 'absent' | 'failed'
  readonly fingerprints: readonly string[]
  readonly why?: string
}): void {
  const why = facts.why === undefined ? '' : `: ${facts.why}`
  const level = facts.outcome === 'absent' ? 'debug' : 'info'
  happened(EVENT.keyLookedUp, level, facts, `keys of ${facts.address} ${facts.outcome} by ${facts.source}${why}`)
}

/** Somebody asked our directory of keys; `address` when it was for one of our users who has a key. */
export function keyAsked(facts: {
  readonly peerAddress: string
  readonly status: number
  readonly address?: string
}): void {
  const whose = facts.address === undefined ? '' : ` for ${facts.address}`
  happened(EVENT.keyAsked, 'debug', facts, `${facts.peerAddress} asked${whose}: ${facts.status}`)
}

export interface UserEntryFacts {
  readonly address: string
  readonly source: string
  /** Which entry of the source our user is. */
  readonly entry: string | null
  /** The one that it has under the address now. */
  readonly otherEntry: string | null
}

/** The directory has another entry under a user's address: no mail and no sign-in until an administrator says whose it is. */
export function userDisputed(facts: UserEntryFacts): void {
  const text = `${facts.address} is another entry's in ${facts.source} now: sealpost user confirm, or user reassign`
  happened(EVENT.userDisputed, 'error', facts, text)
}

/** The directory has the user's own entry under the address again. */
export function userSettled(facts: UserEntryFacts): void {
  happened(EVENT.userSettled, 'info', facts, `${facts.address} is its user's own entry in ${facts.source} again`)
}

/** What must work for mail to be taken does not (any more): said once, until `checkPassed`. */
export function checkFailed(facts: { readonly check: string; readonly why: string }): void {
  happened(EVENT.checkFailed, 'error', facts, `not ready: ${facts.check}: ${facts.why}`)
}

/** What had failed works again. */
export function checkPassed(facts: { readonly check: string }): void {
  happened(EVENT.checkPassed, 'info', facts, `${facts.check} works again`)
}

/** Something of ours failed: a disk, a resolver, a bug. `during` says what was tried. */
export function trouble(
  facts: Partial<mailEvents.MailFacts> & { readonly during: string; readonly error: unknown },
): void {
  const text = facts.error instanceof Error ? facts.error.message : String(facts.error)
  happened(EVENT.trouble, 'error', facts, `${facts.during}: ${text}`)
}

function happened(event: EventName, level: Exclude<LogLevel, 'silent'>, facts: object, text: string): void {
  publish(event, level, foreignTexts(facts), () => text)
}

/** `facts` are of one printable line each. */
function publish(event: EventName, level: Exclude<LogLevel, 'silent'>, facts: object, text: () => string): void {
  const said: SealpostEvent = { event, ...facts }
  if (log?.isLevelEnabled(level) === true) log[level](said, foreignText(text()))
  channel.publish(said)
}
