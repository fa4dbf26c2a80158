/**
 * What happens to one mail, as data: built once, then said (events.ts, `say`) and kept as a row of the mail's trace, in the
 * transaction of what it tells. One function per event; one table says how much each weighs and how people read it. Pure.
 */
import { foreignTexts } from './limits.ts'

/** One mail, as events speak of it: enough to find it again, nothing of what it says. */
export interface MailFacts {
  /** The Message-ID field, with its angle brackets; what `sealpost trace` takes. */
  readonly messageId: string
  /** The SMTP session it came in by, when there was one. */
  readonly session?: string
}

/** A certificate that a copy is encrypted to, or that a signature was verified by, and why it is believed. */
export interface KeyFacts {
  readonly address: string
  readonly fingerprint: string
  /** A word of `TrustLevel` (protection/standard.ts). */
  readonly trust: string
  /** Where it came from; `mail`: the mail itself brought it. */
  readonly source: string
}

/** One protected message, and what it was made of. */
export interface CopyFacts {
  readonly recipients: readonly string[]
  /** `as-is`: it came protected. */
  readonly protection: 'encrypted' | 'signed' | 'as-is'
  readonly standard?: string
  readonly layering?: string
  /** Why these layers, in words of `LayeringReason` (policy/decide-outbound.ts). */
  readonly layeringBy?: readonly string[]
  readonly cipher?: string
  readonly keys?: readonly KeyFacts[]
}

/** A submitted mail is protected, and durable in the queue: from here on it is ours to deliver or to return. */
export interface QueuedFacts extends MailFacts {
  readonly sender: string
  readonly recipients: readonly string[]
  readonly copies: readonly CopyFacts[]
  readonly refused: readonly { readonly address: string; readonly why: string }[]
  /** What the sender's program was told. */
  readonly reply: string
}

/** What one recipient's mail was found to be, and what is done with it for that. */
export interface VerdictFacts extends MailFacts {
  readonly recipient: string
  readonly outcome: string
  /** The row of the policy that decided. */
  readonly rule: string
  readonly signature: string
  readonly encrypted: boolean
  /** Of its layers; `both` where they are of two, `none` where there are none. */
  readonly standard: string
  /** From outside in. */
  readonly layers: readonly { readonly kind: string; readonly algorithm: string | null; readonly verdict: string }[]
  readonly signer?: string
  readonly key?: KeyFacts
  /** What SPF, DKIM, ARC and DMARC say of the way it came. */
  readonly authentication?: string
  readonly why?: string
}

/** One recipient, one try. */
export interface AttemptFacts extends MailFacts, Partial<HopFacts> {
  readonly recipient: string
  /** The next hop that answered, or should have. */
  readonly remote?: string
  readonly reply?: string
}

/** The session with a next hop. */
export interface HopFacts {
  readonly address: string
  /** As node names it: `TLSv1.3`; `none`. */
  readonly tls: string
  /** IANA name. */
  readonly cipher?: string
  /** Who asked for the proof that it is the right host: `none` without TLS, `opportunistic` when nobody did. */
  readonly verified: 'none' | 'opportunistic' | 'dane' | 'mta-sts' | 'operator' | 'sender'
}

export interface DeferredFacts extends AttemptFacts {
  readonly nextAttemptMs: number
  readonly attempts: number
}

/** The sender is told; `delivered` and `relayed` where they asked for it (RFC 3461). */
export interface ReturnedFacts extends AttemptFacts {
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed'
  readonly sender: string
}

/** Answered with 4xx or 5xx. */
export interface RefusedFacts extends Partial<MailFacts> {
  readonly by: 'mx' | 'submission' | 'local' | 'pop3'
  readonly peerAddress?: string
  readonly sender?: string
  readonly reply: string
  readonly why?: string
}

export interface DiscardedFacts extends MailFacts {
  readonly recipient?: string
  readonly why: string
}

/** An administrator has decided what becomes of it. */
export interface AdministeredFacts extends MailFacts {
  /** In the words of the command: `queue remove`. */
  readonly operation: string
  readonly actor: string
  readonly recipient: string
}

type Level = 'info' | 'warn'

interface Row<Facts> {
  level(facts: Facts): Level
  sentence(facts: Facts): string
}

const INFO = (): Level => 'info'
const WARN = (): Level => 'warn'

const MAIL_EVENTS = {
  queued: row<QueuedFacts>(INFO, ({ reply, copies }) => [reply, ...copies.map(copySentence)].join('; ')),
  verdict: row<VerdictFacts>(({ signature }) => (signature === 'invalid' ? 'warn' : 'info'), verdictSentence),
  delivered: row<AttemptFacts>(INFO, (facts) => `delivered to ${facts.recipient}${atRemote(facts)}`),
  deferred: row<DeferredFacts>(WARN, (facts) => `not delivered yet to ${facts.recipient}${atRemote(facts)}`),
  returned: row<ReturnedFacts>(WARN, (facts) => {
    const { sender, action, recipient } = facts
    return `${sender} is told: ${action} for ${recipient}${atRemote(facts)}`
  }),
  held: row<AttemptFacts>(WARN, (facts) => `held in the queue for ${facts.recipient}${atRemote(facts)}`),
  refused: row<RefusedFacts>(WARN, ({ by, reply }) => `${by}: refused with ${reply}`),
  discarded: row<DiscardedFacts>(WARN, ({ why }) => `discarded: ${why}`),
  administered: row<AdministeredFacts>(INFO, ({ operation, actor, recipient }) => {
    return `${operation} by ${actor}, for ${recipient}`
  }),
}

function row<Facts>(level: Row<Facts>['level'], sentence: Row<Facts>['sentence']): Row<Facts> {
  return { level, sentence }
}

export type MailEventName = keyof typeof MAIL_EVENTS

export interface MailEvent {
  readonly event: MailEventName
  readonly facts: Readonly<Record<string, unknown>> & { readonly messageId?: string }
}

type FactsOf<Name extends MailEventName> = Parameters<(typeof MAIL_EVENTS)[Name]['sentence']>[0]

const built = <Name extends MailEventName>(event: Name, facts: FactsOf<Name>): MailEvent => ({
  event,
  facts: foreignTexts(facts),
})

export const queued = (facts: QueuedFacts): MailEvent => built('queued', facts)
export const verdict = (facts: VerdictFacts): MailEvent => built('verdict', facts)
export const delivered = (facts: AttemptFacts): MailEvent => built('delivered', facts)
export const deferred = (facts: DeferredFacts): MailEvent => built('deferred', facts)
export const returned = (facts: ReturnedFacts): MailEvent => built('returned', facts)
/** The mail store refused what has been accepted, and the sender may not be told: it waits for the postmaster. */
export const held = (facts: AttemptFacts): MailEvent => built('held', facts)
export const refused = (facts: RefusedFacts): MailEvent => built('refused', facts)
export const discarded = (facts: DiscardedFacts): MailEvent => built('discarded', facts)

export const administered = (facts: AdministeredFacts): MailEvent => built('administered', facts)

export const levelOf = ({ event, facts }: MailEvent): Level => rowOf(event).level(facts)

/** What happened, for people. */
export const sentenceOf = ({ event, facts }: MailEvent): string => rowOf(event).sentence(facts)

export const isMailEvent = (name: string): name is MailEventName => Object.hasOwn(MAIL_EVENTS, name)

/** The functions above are the only ones that build events: facts and name go together. */
const rowOf = (name: MailEventName): Row<MailEvent['facts']> => MAIL_EVENTS[name] as unknown as Row<MailEvent['facts']>

function copySentence({ recipients, protection, standard, layering, layeringBy = [], cipher, keys = [] }: CopyFacts) {
  const to = listed(recipients)
  if (protection === 'as-is') return `${to}: as it came`
  if (protection === 'signed') return `${to}: ${standard}, signed only`
  const why = layeringBy.length === 0 ? '' : ` (${layeringBy.map((each) => LAYERING_BY[each] ?? each).join('; ')})`
  return `${to}: ${standard}, ${layering}${why}, ${cipher}, for ${listed(keys.map(keyWords))}`
}

const LAYERING_BY: Readonly<Record<string, string>> = {
  policy: 'set by the policy',
  surrogate: 'their provider protects as we do',
  'outer-signature': 'as their own mail was',
  common: 'every program reads it',
}

function verdictSentence(facts: VerdictFacts): string {
  const { recipient, outcome, rule, signature, encrypted, standard, signer, key, why, authentication } = facts
  const ciphers = facts.layers.flatMap(({ kind, algorithm }) => (kind === 'encrypted' && algorithm ? [algorithm] : []))
  const parts = [
    `${outcome} for ${recipient}: rule ${rule}`,
    ...(standard === 'none' ? [] : [standard]),
    encrypted ? ['encrypted', ...ciphers].join(' ') : 'not encrypted',
    `signature ${signature}${signer === undefined ? '' : ` by ${signer}`}`,
    ...(key === undefined ? [] : [keyWords(key)]),
  ]
  return [parts.join(', '), ...[why, authentication].filter((each) => each !== undefined)].join('; ')
}

const keyWords = ({ address, fingerprint, trust, source }: KeyFacts): string =>
  `key ${fingerprint.slice(0, FINGERPRINT_SHOWN)} of ${address} (${trust === source ? trust : `${trust}, ${source}`})`

/** Enough of a fingerprint to find it in a list. */
const FINGERPRINT_SHOWN = 16

function atRemote({ remote, reply, address, tls, verified }: AttemptFacts): string {
  const where = remote === undefined ? '' : ` at ${remote}`
  const hop = address === undefined ? '' : ` [${address}] (${tls === 'none' ? 'no TLS' : `${tls}, ${verified}`})`
  return `${where}${hop}${reply === undefined ? '' : `: ${reply}`}`
}

const LISTED_MAX = 5

function listed(words: readonly string[]): string {
  const more = words.length - LISTED_MAX
  return words.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
