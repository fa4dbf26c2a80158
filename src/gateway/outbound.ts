/**
 * Figure 3 of the patent on one screen: a registered user's plaintext mail comes in (A1), is encrypted with each
 * recipient's public key (A2), signed with the sender's private key (A3), and queued for the Internet (A4). The reply to
 * the end of the data is given when everything is durable; the plaintext is never written anywhere.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { isAscii } from 'node:buffer'
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import type { DkimKeys } from '../keys/dkim-keys.ts'
import type { KeyFinder } from '../keys/find.ts'
import type { PrivateKeys } from '../keys/private-keys.ts'
import { type Address, type Domain, domainOf } from '../message/address.ts'
import { writeFields } from '../message/header-field.ts'
import { namedRecipients } from '../message/recipients.ts'
import {
  type Copy,
  type OutboundPlan,
  type RefusedRecipient,
  decideOutbound,
  refusalOf,
} from '../policy/decide-outbound.ts'
import { explainQueued, explainRefused } from '../policy/explain.ts'
import type { AutocryptPolicy } from '../policy/settings.ts'
import { carriesHeader } from '../protection/header/header-protection.ts'
import { STANDARDS, packCopy } from '../protection/jobs.ts'
import type { OwnKey, StandardName } from '../protection/standard.ts'
import type { SmtpEnvelope, TlsWish } from '../protocol/smtp-envelope.ts'
import { type Reply, isPositive, reply, replyText } from '../protocol/smtp-reply.ts'
import type { Inbox, ReceivedMail } from '../protocol/smtp-session.ts'
import type { Store } from '../store/database.ts'
import { type HandedOver, type QueueTaker, enqueueFor } from '../store/hand-over.ts'
import type { NewQueueItem } from '../store/queue.ts'
import type { Tx } from '../store/schema.ts'
import { addTrace, entriesOf } from '../store/trace.ts'
import { receivedField } from './annotate.ts'
import { hiddenFromOthers, hiddenInAnswered, rememberSent } from './confidential-answers.ts'
import { type KnownRecipient, copiesMade } from './copies-made.ts'
import { headerFault } from './header-fault.ts'
import { KnownRecipients, type KnownRecipientsDeps } from './known-recipients.ts'
import { queueNotice, refusalNotice } from './notice.ts'
import { type ProtectedCopy, type ProtectionPool, protectCopies } from './protect.ts'
import type { RefusalTraces } from './refusal-traces.ts'
import { NOT_PROVEN, provesOrigin, withoutSecrets } from './secret-header.ts'
import {
  type Head,
  askedFor,
  checkAuthor,
  introducing,
  messageIdOf,
  outgoingFields,
  readHead,
  tlsWishOf,
} from './submitted-header.ts'

export interface OutboundDeps extends KnownRecipientsDeps {
  readonly clock: Clock
  readonly hostname: string
  readonly pool: ProtectionPool
  readonly privateKeys: PrivateKeys
  readonly dkimKeys: DkimKeys
  readonly finder: KeyFinder
  readonly store: Store
  readonly domains: readonly Domain[]
  rules(): OutboundRules
  /** Those that every user of ours is to have a key for. */
  readonly ourStandards: readonly StandardName[]
  readonly queue: QueueTaker
  readonly refusals: RefusalTraces
}

/** Settings that hold for every mail alike. */
export interface OutboundRules {
  /** Users may write `X-Sealpost: require` into a mail. */
  readonly usersMayAsk: boolean
  readonly encryptToSender: boolean
  readonly autocrypt: AutocryptPolicy
  readonly alreadyProtected: 'pass' | 'refuse'
}

export interface Outbound extends Inbox {
  /** The refusal of a recipient whose domain demands encryption while no key of theirs is known; heard at RCPT. */
  refuseRecipient(recipient: Address): Promise<Reply | undefined>
}

interface Deps extends OutboundDeps {
  readonly recipients: KnownRecipients
}

export function createOutbound(options: OutboundDeps): Outbound {
  const deps: Deps = { ...options, recipients: new KnownRecipients(options) }
  return {
    accept: (mail) => accept(deps, mail),
    refuseRecipient: (recipient) => refuseRecipient(deps, recipient),
  }
}

async function refuseRecipient(deps: Deps, recipient: Address): Promise<Reply | undefined> {
  const nowMs = deps.clock.nowMs()
  const lookedUp = deps.finder.prepare(recipient, nowMs)
  // who is not refused for want of a key need not wait for it yet: while the mail comes, it may
  if (deps.policyFor(domainOf(recipient)).noKey === 'require') await lookedUp
  const facts = await deps.recipients.of(recipient, nowMs)
  const standards = STANDARDS.map(({ name }) => name)
  const why = refusalOf(facts, standards, nowMs)
  return why === undefined ? undefined : refusalReply([{ address: recipient, why }])
}

/** Permanent, unless waiting helps all of them. */
function refusalReply(refused: readonly RefusedRecipient[]): Reply {
  const text = explainRefused(refused)
  return refused.every(({ why }) => why === 'not-yet-valid') ? reply(451, '4.3.5', text) : reply(554, '5.7.5', text)
}

async function accept(deps: Deps, mail: ReceivedMail): Promise<Reply> {
  const { login, id: session, peerAddress } = mail.session
  assert(login !== undefined, 'submission takes mail from signed-in users only')
  const nowMs = deps.clock.nowMs()
  const watch = new Stopwatch()
  const head = await readHead(mail.content)
  const answer = 'code' in head ? head : await admit(deps, { mail, login, nowMs, watch }, head)
  if (isPositive(answer)) return answer
  const messageId = 'code' in head ? '' : messageIdOf(head.part.fields)
  const facts = { by: 'submission', messageId, session, peerAddress, sender: login } as const
  await deps.refusals.tell([mailEvents.refused({ ...facts, reply: replyText(answer) })], login, nowMs)
  return answer
}

function admit(deps: Deps, submission: Submission, head: Head): Promise<Reply> | Reply {
  const { mustCarry = [] } = submission.mail.session
  if (mustCarry.length === 0) return submit(deps, submission, head)
  if (!provesOrigin(head.part, mustCarry)) return NOT_PROVEN
  return submit(deps, submission, { ...head, part: withoutSecrets(head.part, mustCarry) })
}

interface Submission {
  readonly mail: ReceivedMail
  readonly login: Address
  readonly nowMs: number
  readonly watch: Stopwatch
}

async function submit(deps: Deps, { mail, login, nowMs, watch }: Submission, head: Head): Promise<Reply> {
  const headMs = watch.stepMs()
  const id = randomUUID()
  const recipients = mail.envelope.rcptTo.map(({ address }) => address)
  const wrong = headerFault(head.part, { hostname: deps.hostname, recipients }) ?? checkAuthor(head.part, login)
  if (wrong !== undefined) return wrong
  const fields = outgoingFields(head.part, login, nowMs, id)
  const messageId = messageIdOf(fields)

  // by the time that recipients are judged by: a clock that jumps back meanwhile must not leave only them without a key
  const signers = await deps.privateKeys.signingKeys(login, nowMs)
  if (signers.length === 0) return reply(451, '4.3.5', 'No signing key for your address; tell your postmaster')
  const plan = await planFor(deps, head, mail.envelope, { address: login, signers }, nowMs)
  if ('code' in plan) return plan
  if (plan.copies.length === 0) return refusalReply(plan.refused)
  if (plan.copies.some(hidesHeader) && !carriesHeader(fields)) return HEADER_NOT_CARRIED

  const isWrapped = plan.copies.some(({ protection }) => protection.kind === 'wrapped')
  const { header, introduction } = isWrapped
    ? introducing(fields, login, signers, deps.rules().autocrypt)
    : { header: fields, introduction: [] }
  const received = receivedField({ session: mail.session, hostname: deps.hostname, id, recipient: undefined, nowMs })
  const dkim = await deps.dkimKeys.signersOf(domainOf(login))
  const job = {
    kind: 'wrap' as const,
    header: writeFields(header),
    trace: writeFields([received, ...introduction]),
    signingTimeMs: nowMs,
    copies: plan.copies.map((copy) => packCopy(copy.protection, signers)),
    // what stays here is not asked for where it came from
    dkim: plan.copies.map((copy) =>
      copy.recipients.every((each) => deps.domains.includes(domainOf(each))) ? [] : dkim,
    ),
  }
  const body = new Counted(head.rest)
  const planMs = watch.stepMs()
  const copies = await protectCopies(deps.pool, deps.store.bytes, job, body)
  if ('code' in copies) return copies
  const protectMs = watch.stepMs() - body.waitedMs
  const facts = { messageId, session: mail.session.id }
  events.messageReceived({ ...facts, ...receivedFacts(mail, login, job.header.length + body.sizeBytes) })
  const queued = mailEvents.queued({ ...facts, ...(await queuedFacts(deps, plan, login)) })
  const { refused } = plan
  const { hostname, store } = deps
  const notice =
    refused.length === 0
      ? undefined
      : await refusalNotice(store, { sender: login, refused, header: job.header, nowMs, hostname })
  const same = {
    mail,
    messageId,
    nowMs,
    utf8Header: !isAscii(job.header),
    tls: tlsWishOf(mail.envelope.requireTls, head.part),
  }
  const handedOver = await deps.store.commit(async (tx) => {
    const handed = await queueCopies(deps, tx, plan.copies, copies, same)
    if (notice !== undefined) await queueNotice(deps.store, tx, notice, nowMs)
    await rememberSent(tx, login, { fields, hidden: hiddenFromOthers(plan.copies, deps.domains), atMs: nowMs })
    await addTrace(tx, entriesOf([queued], nowMs))
    return notice === undefined ? handed : { ...handed, more: true }
  })
  events.say(queued)
  const tookMs = { receive: headMs + body.waitedMs, plan: planMs, protect: protectMs, commit: watch.stepMs() }
  events.took({ ...facts, by: 'submission', tookMs })
  deps.queue.take(handedOver)
  return reply(250, '2.0.0', queuedText(plan))
}

const HEADER_NOT_CARRIED = reply(
  554,
  '5.6.0',
  'The Content-Type cannot be read; so the header cannot be protected and the Subject not hidden',
)

interface Plan extends OutboundPlan {
  readonly recipients: readonly KnownRecipient[]
}

async function planFor(
  deps: Deps,
  { part, preview }: Head,
  envelope: SmtpEnvelope,
  { address: sender, signers }: { address: Address; signers: readonly OwnKey[] },
  nowMs: number,
): Promise<Plan | Reply> {
  const rules = deps.rules()
  const certificates = signers.map(({ certificate }) => certificate)
  const recipients = await Promise.all(
    envelope.rcptTo.map(async ({ address }) => {
      await deps.finder.prepare(address, nowMs)
      return deps.recipients.of(address, nowMs)
    }),
  )
  const isEncrypted = (by: 'label' | 'content'): boolean =>
    STANDARDS.some((standard) => standard.recognise(preview, by) === 'encrypted')
  const alreadyProtected = isEncrypted('content')
  if (!alreadyProtected && isEncrypted('label'))
    return reply(
      554,
      '5.6.0',
      'The message says that it is encrypted, and is not; send it in plain, the server protects it',
    )
  if (alreadyProtected && rules.alreadyProtected === 'refuse')
    return reply(550, '5.7.1', 'The message is protected already; send it in plain, the server protects it')
  const plan = decideOutbound({
    recipients,
    named: namedRecipients(part),
    asked: rules.usersMayAsk ? askedFor(part) : undefined,
    alreadyProtected,
    answers: await hiddenInAnswered(deps.store, sender, part.fields),
    senderStandards: [...new Set(certificates.map(({ standard }) => standard))],
    ourStandards: deps.ourStandards,
    atMs: nowMs,
    senderCertificates: rules.encryptToSender
      ? await deps.publicKeys.certificatesOfSender(certificates, sender, nowMs)
      : [],
  })
  return { ...plan, recipients }
}

interface CopyToQueue {
  readonly mail: ReceivedMail
  readonly copy: Copy
  readonly made: ProtectedCopy
  readonly messageId: string
  readonly nowMs: number
  readonly utf8Header: boolean
  readonly tls: TlsWish
}

async function queueCopies(
  deps: Deps,
  tx: Tx,
  copies: readonly Copy[],
  made: readonly ProtectedCopy[],
  same: Omit<CopyToQueue, 'copy' | 'made'>,
): Promise<HandedOver> {
  const queued: HandedOver[] = []
  for (const [index, copy] of copies.entries())
    queued.push(await queueCopy(deps, tx, { ...same, copy, made: made[index] as ProtectedCopy }))
  return { batches: queued.flatMap(({ batches }) => batches), more: queued.some(({ more }) => more) }
}

async function queueCopy(
  deps: Deps,
  tx: Tx,
  { mail, copy, made, messageId, nowMs, utf8Header, tls }: CopyToQueue,
): Promise<HandedOver> {
  const { envelope } = mail
  const bytesId = await deps.store.bytes.insert(tx, made.bytes)
  const sealed = copy.protection.kind === 'wrapped' && copy.protection.layering !== 'sign'
  const items = copy.recipients.map((recipient): NewQueueItem => {
    const dsn = envelope.rcptTo.find((path) => path.address === recipient)?.dsn ?? {}
    return {
      bytesId,
      mailFrom: envelope.mailFrom.address,
      recipient,
      domain: domainOf(recipient),
      queuedMs: nowMs,
      nextAttemptMs: nowMs,
      messageId,
      dsn: { ...envelope.dsn, ...dsn },
      tls,
      // octets above 127 in a header that nobody declared (old programs) need 8BITMIME only, as they always did
      smtpUtf8: envelope.smtpUtf8 && (utf8Header || !isAscii(Buffer.from(recipient + envelope.mailFrom.address))),
      eightBit: made.eightBit,
      bodyKind: sealed ? 'sealed' : 'plain',
    }
  })
  return enqueueFor(deps.queue, tx, items, made.bytes)
}

function hidesHeader({ protection }: Copy): boolean {
  const { kind } = protection
  return kind === 'wrapped' && protection.layering !== 'sign' && (protection.confidentiality ?? 'none') !== 'none'
}

function queuedText({ copies, onTheirWord, refused }: OutboundPlan): string {
  let sealed = 0
  const signedOnlyFor: Address[] = []
  for (const { protection, recipients } of copies)
    if (protection.kind === 'wrapped')
      if (protection.layering === 'sign') signedOnlyFor.push(...recipients)
      else sealed += recipients.length
  return explainQueued(sealed, signedOnlyFor, onTheirWord, refused)
}

async function queuedFacts(
  { publicKeys }: Deps,
  plan: Plan,
  sender: Address,
): Promise<Omit<mailEvents.QueuedFacts, 'messageId'>> {
  const { copies, recipients, refused } = plan
  return {
    sender,
    recipients: copies.flatMap((copy) => copy.recipients),
    copies: copiesMade(copies, recipients, await publicKeys.known(sender)),
    refused,
    reply: queuedText(plan),
  }
}

function receivedFacts(mail: ReceivedMail, mailFrom: string, sizeBytes: number) {
  const rcptTo = mail.envelope.rcptTo.map((path) => path.address)
  return { by: 'submission' as const, mailFrom, rcptTo, peerAddress: mail.session.peerAddress, sizeBytes }
}

/** Counts what goes through it, and how long it had to be waited for. */
class Counted implements AsyncIterable<Uint8Array> {
  sizeBytes = 0
  waitedMs = 0
  readonly #chunks: AsyncIterable<Uint8Array>

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const watch = new Stopwatch()
    for await (const chunk of this.#chunks) {
      this.waitedMs += watch.stepMs()
      this.sizeBytes += chunk.length
      yield chunk
      watch.stepMs()
    }
    this.waitedMs += watch.stepMs()
  }
}
