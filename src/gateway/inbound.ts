/**
 * Figure 4 of the patent on one screen: a protected mail for a registered user comes in (B1), its signature is verified
 * with the sender's public key (B2, B3) before anything is decrypted; untampered, it is decrypted with the recipient's
 * private key and stored (B4); tampered, it is refused while the sender's server still listens (B5).
 */
import { randomUUID } from 'node:crypto'
import { unvouchedPolicy } from '../authentication/results.ts'
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import { peerGroup } from '../base/peer-address.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import type { TrustAnchors } from '../keys/anchors.ts'
import type { Correspondents } from '../keys/correspondents.ts'
import type { KeyFinder } from '../keys/find.ts'
import type { PrivateKeys } from '../keys/private-keys.ts'
import type { PublicKeys } from '../keys/public-keys.ts'
import type { ValidationSource } from '../keys/validation-source.ts'
import { type Address, type Domain, domainOf } from '../message/address.ts'
import type { Part } from '../message/part.ts'
import { type InboundDecision, decideInbound } from '../policy/decide-inbound.ts'
import { explainRefusal } from '../policy/explain.ts'
import type { InboundPolicy } from '../policy/settings.ts'
import { type Findings, type PackedRing, packCertificate, packKey, packKnown } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import type { ContentSource, OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import { type EnhancedCode, type Reply, isPositive, isTransient, reply, replyText } from '../protocol/smtp-reply.ts'
import type { EnvelopeDsn, ForwardPath } from '../protocol/smtp-envelope.ts'
import type { Inbox, ReceivedMail } from '../protocol/smtp-session.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/database.ts'
import type { QueueTaker } from '../store/hand-over.ts'
import type { DsnRequest } from '../store/queue.ts'
import { receivedField } from './annotate.ts'
import { arrive } from './arrived-mail.ts'
import { type SenderRules, authenticateSender } from './authenticate-sender.ts'
import { headerFault } from './header-fault.ts'
import { judgeWithData } from './judge-with-data.ts'
import { openKnowingAuthor } from './open-knowing-author.ts'
import { messageIdOf } from './submitted-header.ts'
import { type ToldRefusals, wasDecrypted } from './told-refusals.ts'
import type { ProtectionPool } from './protect.ts'
import type { RefusalTraces } from './refusal-traces.ts'
import { type Decided, type Incoming, settle } from './settle-inbound.ts'
import { verdictEvent } from './verdict-event.ts'

export interface InboundDeps {
  readonly clock: Clock
  readonly hostname: string
  readonly pool: ProtectionPool
  readonly privateKeys: PrivateKeys
  readonly publicKeys: PublicKeys
  readonly correspondents: Correspondents
  readonly anchors: TrustAnchors
  readonly validation: ValidationSource
  readonly finder: KeyFinder
  readonly store: Store
  /** Whose mailbox takes mail for this address: the user's own, or an alias. A reply when it cannot be told now. */
  accountOf(address: Address): Promise<Account | Reply | undefined>
  policyFor(domain: Domain): InboundPolicy
  /** Algorithms that are too weak today count: for archives and test suites only. */
  readonly allowWeak: boolean
  readonly strictIssuers: boolean
  /** Keep the protected original beside the opened mail. */
  readonly keepEvidence: boolean
  /** Who takes opened mail to the mail store behind us; `undefined`: mailboxes are ours. */
  readonly mailStore: QueueTaker | undefined
  readonly told: ToldRefusals
  readonly senders: SenderRules
  readonly refusals: RefusalTraces
}

export interface Inbound extends Inbox {
  /** For mail of our own users to our own users: the same way in, without the wire. */
  deliver(mail: OutgoingMail, content: ContentSource): Promise<readonly RecipientResult[]>
}

export function createInbound(deps: InboundDeps): Inbound {
  return {
    accept: (mail) => accept(deps, mail),
    deliver: (mail, content) => deliver(deps, mail, content),
  }
}

async function accept(deps: InboundDeps, mail: ReceivedMail): Promise<Reply> {
  const id = randomUUID()
  const nowMs = deps.clock.nowMs()
  const recipients = mail.envelope.rcptTo.map((path) => path.address)
  const [only, ...others] = recipients
  const named = others.length === 0 ? only : undefined
  const trace = receivedField({ session: mail.session, hostname: deps.hostname, id, recipient: named, nowMs })
  const watch = new Stopwatch()
  await using arrived = await arrive(mail.content, deps.store.bytes)
  const { id: session, peerAddress } = mail.session
  const origin = { by: 'mx' as const, session, peerAddress }
  const mailFrom = mail.envelope.mailFrom.address
  const client = mail.session
  const wishes = wishesOf(mail.envelope.rcptTo, mail.envelope.dsn)
  const incoming = { id, origin, client, nowMs, arrived, trace: [trace], mailFrom, recipients, wishes }
  return await process(deps, incoming, watch)
}

async function deliver(
  deps: InboundDeps,
  mail: OutgoingMail,
  content: ContentSource,
): Promise<readonly RecipientResult[]> {
  const { mailFrom } = mail
  const origin = { by: 'local' as const }
  const { ret, envid } = mail
  const wishes = wishesOf(mail.recipients, { ...(ret && { ret }), ...(envid !== undefined && { envid }) })
  const incoming = { id: randomUUID(), origin, nowMs: deps.clock.nowMs(), trace: [], mailFrom, wishes }
  const results: RecipientResult[] = []
  for (const { address } of mail.recipients) {
    const answer = await processOrDefer(deps, { ...incoming, recipients: [address] }, mail.messageId, content)
    const outcome = isPositive(answer) ? 'delivered' : isTransient(answer) ? 'deferred' : 'failed'
    // on the way to the mail store nothing is delivered yet: that row tells of it
    const dsnPassedOn = outcome === 'delivered' && deps.mailStore !== undefined
    results.push({ recipient: address, outcome, reply: answer, dsnPassedOn })
  }
  return results
}

const wishesOf = (paths: readonly ForwardPath[], dsn: EnvelopeDsn): ReadonlyMap<Address, DsnRequest> =>
  new Map(paths.map((path) => [path.address, { ...path.dsn, ...dsn }]))

/** What fails here fails for this recipient: those who have the mail already must not get it again. */
async function processOrDefer(
  deps: InboundDeps,
  incoming: Omit<Incoming, 'arrived'>,
  messageId: string,
  content: ContentSource,
): Promise<Reply> {
  try {
    const watch = new Stopwatch()
    await using arrived = await arrive(content(), deps.store.bytes)
    return await process(deps, { ...incoming, arrived }, watch)
  } catch (error) {
    events.trouble({ messageId, during: `delivering to ${incoming.recipients.join(', ')}`, error })
    return reply(451, '4.3.0', 'Local error, try again later')
  }
}

/** Says what came, and what was answered when that is a refusal. */
async function process(deps: InboundDeps, incoming: Incoming, watch: Stopwatch): Promise<Reply> {
  const receiveMs = watch.stepMs()
  const { origin, arrived, recipients, mailFrom, nowMs } = incoming
  const { message, sizeBytes } = arrived
  const mail = { messageId: messageIdOf(message.fields), ...(origin.session && { session: origin.session }) }
  events.messageReceived({ ...mail, ...origin, mailFrom, rcptTo: recipients, sizeBytes })
  const { answer, verdicts, tookMs } = await receive(deps, incoming, mail, watch)
  events.took({ ...mail, by: origin.by, tookMs: { receive: receiveMs, ...tookMs } })
  if (isPositive(answer)) return answer
  const refused = mailEvents.refused({ ...mail, ...origin, sender: mailFrom, reply: replyText(answer) })
  const { peerAddress } = origin
  const source = peerAddress === undefined ? recipients.join() : peerGroup(peerAddress)
  await deps.refusals.tell([...verdicts, refused], source, nowMs)
  return answer
}

interface Received {
  readonly answer: Reply
  /** Of a mail that was refused for what it was found to be. */
  readonly verdicts: readonly mailEvents.MailEvent[]
  readonly tookMs: events.StageTimes
}

const answered = (answer: Reply): Received => ({ answer, verdicts: [], tookMs: {} })

/** One mail, one answer: what one recipient's policy refuses is refused for all that came with it. */
async function receive(
  deps: InboundDeps,
  incoming: Incoming,
  mail: mailEvents.MailFacts,
  watch: Stopwatch,
): Promise<Received> {
  const { id, nowMs, arrived, recipients } = incoming
  const { message } = arrived
  const fault = headerFault(message, { hostname: deps.hostname, recipients })
  if (fault !== undefined) return answered(fault)

  const accounts = await Promise.all(recipients.map((address) => deps.accountOf(address)))
  const untold = accounts.find((each) => each !== undefined && 'code' in each)
  if (untold !== undefined) return answered(untold)
  const missing = recipients.find((_address, index) => accounts[index] === undefined)
  if (missing !== undefined) return answered(reply(550, '5.1.1', `No such user here: ${missing}`))

  const [opening, authenticating] = await Promise.allSettled([
    openKnowingAuthor(deps, arrived, () => ringsFor(deps, message, accounts as Account[]), nowMs),
    authenticateSender(deps.senders, incoming),
  ])
  if (opening.status === 'rejected') throw opening.reason
  if ('code' in opening.value) return answered(opening.value)
  const { rings } = opening.value
  await using opened = opening.value.opened // what was opened goes, also when the sender could not be judged
  if (authenticating.status === 'rejected') throw authenticating.reason
  const authentication = authenticating.value
  const reports = await judgeWithData(deps, rings, opened.reports, nowMs)
  if ('code' in reports) return answered(reports)
  const decided = recipients.map((address, index) => {
    const report = reports[index] as Findings
    const policy = deps.policyFor(domainOf(address))
    const unvouched = authentication && unvouchedPolicy(authentication, deps.senders.trustedSealers)
    const decision = decideInbound(report.summary, report.sealed, policy, unvouched)
    return { address, account: accounts[index] as Account, report, decision }
  })
  const told = decided.filter(({ decision }) => decision.action === 'refuse').map((each) => mayTell(deps, each, nowMs))
  const refusing = decided.find((each) => each.decision.action === 'refuse')
  const isRefused = refusing !== undefined && told.includes(true)
  const author = authorOf(message)
  const known = 'address' in author ? await deps.publicKeys.known(author.address) : []
  const settled = isRefused ? decided : decided.map(heldWhenRefused)
  const verdicts = settled.map((each) => verdictEvent(mail, each, known, authentication))
  const open = watch.stepMs()
  if (isRefused) return { answer: refusal(refusing.report, refusing.decision), verdicts, tookMs: { open } }
  await settle(deps, { incoming, mail, decided: settled, verdicts, authentication }, opened)
  const tookMs = { open, commit: watch.stepMs() }
  return { ...answered(reply(250, '2.0.0', `Delivered as ${id}`)), tookMs }
}

/** A refusal before any decryption says nothing that its sender does not know. */
function mayTell({ told }: InboundDeps, { address, report }: Decided, nowMs: number): boolean {
  return !wasDecrypted(report) || told.mayTell(address, nowMs)
}

/** A refusal that must not be told: the mail goes to the postmaster, not to the reader. */
function heldWhenRefused(each: Decided): Decided {
  return each.decision.action === 'refuse' ? { ...each, decision: { ...each.decision, action: 'quarantine' } } : each
}

/** Each recipient's own private keys, and what 222 knows of whoever the mail says it is from. */
async function ringsFor(deps: InboundDeps, message: Part, recipients: readonly Account[]): Promise<PackedRing[]> {
  const author = authorOf(message)
  const known = 'address' in author ? await deps.publicKeys.toVerify(author.address, deps.clock.nowMs()) : []
  const anchors = await deps.anchors.certificates()
  return Promise.all(
    recipients.map(async ({ address }) => ({
      decryptionKeys: (await deps.privateKeys.decryptionKeys(address)).map(packKey),
      known: known.map(packKnown),
      anchors: anchors.map(packCertificate),
      allowWeak: deps.allowWeak,
      strictIssuers: deps.strictIssuers,
      revocation: deps.policyFor(domainOf(address)).revocation,
    })),
  )
}

/** RFC 3463 §3.8: X.7.7 when the message was changed, X.7.5 when it cannot be opened, X.7.1 when policy says no. */
function refusal(report: Findings, decision: InboundDecision): Reply {
  const codes: Readonly<Record<InboundDecision['rule'], EnhancedCode>> = {
    tampered: '5.7.7',
    mismatch: '5.7.7',
    'no-private-key': '5.7.5',
    revoked: '5.7.1',
    'unknown-key': '5.7.1',
    'not-trusted': '5.7.1',
    unsigned: '5.7.1',
    unprotected: '5.7.1',
    dmarc: '5.7.26', // RFC 7372
    valid: '5.7.1',
  }
  return reply(550, codes[decision.rule], explainRefusal(report.summary, decision, wasDecrypted(report)))
}
