/** Stores what was decided about an incoming mail: mailbox, quarantine, evidence, and what was learned about keys. */
import { type Authentication } from '../authentication/authenticate.ts'
import { authenticationWords } from '../authentication/results.ts'
import * as events from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import type { Correspondents } from '../keys/correspondents.ts'
import type { PublicKeys } from '../keys/public-keys.ts'
import { type Address, sameAddress } from '../message/address.ts'
import { parseDate } from '../message/date.ts'
import { fieldBody, firstField, isField, makeField, writeFields } from '../message/header-field.ts'
import { messageIdIn } from '../message/message-ids.ts'
import type { HeaderField, Part } from '../message/part.ts'
import type { InboundDecision } from '../policy/decide-inbound.ts'
import { type Findings, type PackedCertificate, standardNamed, unpackCertificate } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import type { Certificate } from '../protection/standard.ts'
import { learnFrom } from '../protection/learn.ts'
import type { SessionFacts } from '../protocol/smtp-session.ts'
import type { Account } from '../store/accounts.ts'
import type { FinishedBytes } from '../store/bytes/bytes-writer.ts'
import type { Store } from '../store/database.ts'
import { addToMailbox } from '../store/mailboxes.ts'
import { enqueueFor, type HandedOver, type QueueTaker } from '../store/hand-over.ts'
import { addToQuarantine } from '../store/quarantine.ts'
import type { DsnRequest } from '../store/queue.ts'
import type { BytesId, Tx } from '../store/schema.ts'
import { addTrace, entriesOf } from '../store/trace.ts'
import { changedKeyNotices } from './changed-key.ts'
import { authenticationResults, statusField, withoutForged } from './annotate.ts'
import type { ArrivedMail, MakeHead, OpenedMail } from './arrived-mail.ts'
import { rememberReceived } from './confidential-answers.ts'
import { type Notice, queueNotice } from './notice.ts'
import { mailStoreItem } from './to-mail-store.ts'

export interface Incoming {
  readonly id: string
  readonly origin: { readonly by: 'mx' | 'local'; readonly session?: string; readonly peerAddress?: string }
  /** Who brought it, when it came from outside. */
  readonly client?: Pick<SessionFacts, 'peerAddress' | 'helo'>
  readonly nowMs: number
  readonly arrived: ArrivedMail
  /** Fields that our border adds in front. */
  readonly trace: readonly HeaderField[]
  readonly mailFrom: Address | ''
  readonly recipients: readonly Address[]
  /** What the sender wants to hear of each of them (RFC 3461). */
  readonly wishes?: ReadonlyMap<Address, DsnRequest>
}

export interface Decided {
  readonly address: Address
  readonly account: Account
  readonly report: Findings
  readonly decision: InboundDecision
}

export interface Settling {
  readonly incoming: Incoming
  readonly mail: mailEvents.MailFacts
  readonly decided: readonly Decided[]
  /** What is said of each of them. */
  readonly verdicts: readonly mailEvents.MailEvent[]
  /** Of mail that came in from outside, where it was asked for. */
  readonly authentication: Authentication | undefined
}

interface SettleDeps {
  readonly hostname: string
  readonly store: Store
  readonly publicKeys: PublicKeys
  readonly correspondents: Correspondents
  readonly keepEvidence: boolean
  /** Who takes opened mail to the mail store behind us; `undefined`: mailboxes are ours. */
  readonly mailStore: QueueTaker | undefined
}

/** Durable when it resolves; all of it happens or nothing. */
export async function settle(deps: SettleDeps, settling: Settling, opened: OpenedMail): Promise<void> {
  const { incoming, decided } = settling
  const { arrived } = incoming
  const { bytes } = deps.store
  const kept = decided.filter((each) => each.decision.action === 'accept')
  const held = decided.filter((each) => each.decision.action === 'quarantine')
  const shownIds = new Map<Decided, string | undefined>()
  const sealed = await Promise.all(
    kept.map((each) => {
      const makeHead: MakeHead = (shown) => {
        shownIds.set(each, messageIdIn(shown.fields))
        return readersHead(deps, settling, each, shown)
      }
      return each.decision.asReceived ? arrived.seal(makeHead) : opened.seal(decided.indexOf(each), makeHead)
    }),
  )
  const evident = deps.mailStore === undefined && deps.keepEvidence
  const wantsOriginal = held.length > 0 || (evident && kept.some((each) => each.report.layers.length > 0))
  const original = wantsOriginal ? await arrived.sealOriginal() : undefined
  const keys = await keysOfAuthor(deps, settling)
  const { harvested, handedOver } = await deps.store.commit(async (tx) => {
    const originalId = original === undefined ? undefined : await bytes.insert(tx, original)
    const forStore: HandedOver[] = []
    for (const [index, each] of kept.entries()) {
      const finished = sealed[index] as FinishedBytes
      const bytesId = await bytes.insert(tx, finished)
      if (deps.mailStore === undefined) await keepInMailbox(tx, settling, each, { finished, bytesId, originalId })
      else
        forStore.push(
          await enqueueFor(deps.mailStore, tx, [mailStoreItem(settling, each, finished, bytesId)], finished),
        )
    }
    // what stayed on this machine was hidden from nobody
    if (incoming.origin.by === 'mx')
      for (const each of kept)
        await rememberReceived(tx, each.account.address, {
          fields: each.report.summary.fields,
          messageId: shownIds.get(each),
          atMs: incoming.nowMs,
        })
    if (held.length > 0) await quarantine(tx, settling, held, originalId as BytesId)
    await addTrace(tx, entriesOf(settling.verdicts, incoming.nowMs))
    return { harvested: await harvest(deps, tx, settling, keys), handedOver: forStore }
  })
  for (const mail of handedOver) deps.mailStore?.take(mail)
  for (const event of settling.verdicts) events.say(event)
  for (const { changed, held, ...each } of harvested) {
    events.keyHarvested({ ...settling.mail, ...each })
    if (changed) events.keyChanged({ ...settling.mail, address: each.address, fingerprint: each.fingerprint, held })
  }
  for (const [index, each] of kept.entries())
    events.stored({ ...settling.mail, recipient: each.address, sizeBytes: (sealed[index] as FinishedBytes).sizeBytes })
  for (const { decision, report } of decided) {
    const facts = { ...settling.mail, why: whyNot(report, decision) }
    if (decision.action === 'discard') events.say(mailEvents.discarded(facts))
    if (decision.action === 'quarantine') events.quarantined(facts)
  }
}

function keepInMailbox(
  tx: Tx,
  { incoming }: Settling,
  { account, report }: Decided,
  kept: { readonly finished: FinishedBytes; readonly bytesId: BytesId; readonly originalId: BytesId | undefined },
): Promise<number> {
  const { finished, bytesId, originalId } = kept
  return addToMailbox(tx, {
    accountId: account.id,
    bytesId,
    sizeBytes: finished.sizeBytes,
    receivedMs: incoming.nowMs,
    ...(originalId === undefined || report.layers.length === 0 ? {} : { evidenceBytesId: originalId }),
  })
}

/** What the terminal will fetch before the body: our fields in front, forged ones out, everything else byte for byte. */
function readersHead(
  { hostname, mailStore }: SettleDeps,
  { incoming, authentication }: Settling,
  { report, decision }: Decided,
  shown: Part,
): readonly Uint8Array[] {
  // RFC 5321 §4.4: whoever makes the final delivery adds it, once
  const returnPath = mailStore === undefined ? [makeField('Return-Path', `<${incoming.mailFrom}>`)] : []
  const others = authentication === undefined ? [] : authenticationWords(authentication)
  const ours = [
    authenticationResults(hostname, report.summary, report.layers, others),
    statusField(report.summary, decision),
  ]
  const authors = withoutForged(shown.fields, hostname).filter((field) => !isField(field, 'Return-Path'))
  const fields = [...returnPath, ...ours, ...incoming.trace, ...authors]
  const separator = shown.raw.length > shown.bodyOffset || endsInEmptyLine(shown) ? CRLF : EMPTY
  return [writeFields(fields), separator]
}

async function quarantine(
  tx: Tx,
  { incoming, mail }: Settling,
  held: readonly Decided[],
  bytesId: BytesId,
): Promise<void> {
  const reasons = new Set(held.map(({ report, decision }) => whyNot(report, decision)))
  await addToQuarantine(tx, {
    bytesId,
    mailFrom: incoming.mailFrom,
    recipients: held.map(({ account }) => account.address), // an alias may be none when it is released
    reason: [...reasons].join('; '),
    atMs: incoming.nowMs,
    messageId: mail.messageId,
  })
}

const whyNot = ({ summary }: Findings, { rule }: InboundDecision): string =>
  rule === 'dmarc' ? 'the domain in From does not vouch for it (DMARC)' : (summary.reason ?? rule)

type Harvested = Omit<Parameters<typeof events.keyHarvested>[0], keyof mailEvents.MailFacts> & {
  readonly address: Address
  /** The author had another key before, and whether this one is not used because of it. */
  readonly changed: boolean
  readonly held: boolean
}

/** A key in the author's name, and what the postmasters are told should it be held. */
interface AuthorsKey {
  readonly address: Address
  readonly certificate: Certificate
  readonly trust: 'chained' | 'candidate'
  readonly notices: readonly Notice[]
}

/** Of the author's address only: of further ones that a certificate names the mail says nothing, and there may be thousands. */
async function keysOfAuthor(deps: SettleDeps, { incoming, decided }: Settling): Promise<readonly AuthorsKey[]> {
  const author = authorOf(incoming.arrived.message)
  const [first] = decided
  if ('problem' in author || first === undefined) return []
  const known = await deps.publicKeys.known(author.address)
  const mail = { nowMs: incoming.nowMs, readers: decided.map(({ address }) => address) }
  const keys: AuthorsKey[] = []
  for (const [packed, isBelieved] of keysIn(first.report)) {
    const certificate = unpackCertificate(packed)
    const address = certificate.addresses.find((each) => sameAddress(each, author.address))
    if (address === undefined) continue
    const trust = isBelieved && standardNamed(certificate.standard).isIssued(certificate) ? 'chained' : 'candidate'
    if (await deps.publicKeys.hasSeen({ address, certificate, trust, source: 'harvested', nowMs: incoming.nowMs }))
      continue
    const { fingerprint } = certificate
    const isNews = !known.some((each) => each.trust !== 'candidate' && each.certificate.fingerprint === fingerprint)
    const mayBeHeld = trust === 'chained' && isNews && known.length > 0
    const notices = mayBeHeld ? await changedKeyNotices(deps.store, { address, fingerprint }, mail) : []
    keys.push({ address, certificate, trust, notices })
  }
  return keys
}

/** Those of signatures that hold, and those that the mail brings along for whoever wants to answer. */
function keysIn({ signers, brought }: Findings): readonly (readonly [key: PackedCertificate, isBelieved: boolean])[] {
  const signing = signers.filter(({ verdict }) => !['mismatch', 'revoked', 'invalid'].includes(verdict))
  return [
    ...signing.map((signer) => [signer, signer.verdict === 'valid'] as const),
    ...brought.map((key) => [key, false] as const),
  ]
}

/** A certificate that an anchor vouches for goes into 222; any other waits there as a candidate. Returns what is new. */
async function harvest(
  deps: SettleDeps,
  tx: Tx,
  settling: Settling,
  keys: readonly AuthorsKey[],
): Promise<readonly Harvested[]> {
  const { nowMs, arrived } = settling.incoming
  const harvested: Harvested[] = []
  for (const { notices, ...key } of keys) {
    const { address, certificate, trust } = key
    const { kept, changed, held } = await deps.publicKeys.add(tx, { ...key, source: 'harvested', nowMs })
    if (kept !== 'seen') harvested.push({ address, fingerprint: certificate.fingerprint, trust, changed, held })
    if (held) for (const notice of notices) await queueNotice(deps.store, tx, notice, nowMs)
  }
  const author = authorOf(arrived.message)
  if (!('problem' in author)) await learn(deps, tx, author.address, settling)
  return harvested
}

/** How the author wants to be answered. Mail that was not accepted does not say. */
async function noteAutocrypt(
  deps: SettleDeps,
  tx: Tx,
  author: Address,
  { incoming, decided, authentication }: Settling,
): Promise<void> {
  const accepted = decided.find(({ decision }) => decision.action === 'accept' && !decision.asReceived)
  if (accepted === undefined) return
  const { nowMs, arrived } = incoming
  const written = firstField(arrived.message, 'Date')
  const writtenMs = (written && parseDate(fieldBody(written).trim())) ?? nowMs
  const said = accepted.report.brought.flatMap(({ preferEncrypt, ...key }) => {
    const { standard, fingerprint } = unpackCertificate(key)
    return preferEncrypt === undefined ? [] : [{ standard, fingerprint, preferEncrypt }]
  })
  const authenticated = authentication?.dmarc.result === 'pass'
  await deps.correspondents.noteAutocrypt(tx, author, said[0], { writtenMs, nowMs, authenticated })
}

/** Each recipient's keys may have shown more of it. Of our own users' programs there is nothing to learn: they are ours. */
async function learn(deps: SettleDeps, tx: Tx, author: Address, settling: Settling): Promise<void> {
  const { incoming, decided } = settling
  if (incoming.origin.by === 'local') return
  await noteAutocrypt(deps, tx, author, settling)
  for (const { report } of decided) {
    const learned = learnFrom(report.summary, report.layers, report.headerProtection)
    if (learned !== undefined) await deps.correspondents.learn(tx, author, learned, incoming.nowMs)
  }
}

const endsInEmptyLine = (part: Part): boolean => part.raw.subarray(-4).join(' ') === '13 10 13 10'
const CRLF = Uint8Array.of(0x0d, 0x0a)
const EMPTY = new Uint8Array(0)
