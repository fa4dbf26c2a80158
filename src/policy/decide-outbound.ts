/** What happens to one submitted mail: who gets it protected how, and who is refused. Facts in, plan out; no I/O. */
import { type Address, sameAddress } from '../message/address.ts'
import type { HeaderConfidentiality } from '../protection/header/header-confidentiality.ts'
import { type CopyProtection, standardNamed } from '../protection/jobs.ts'
import type { Abilities, Certificate, StandardName } from '../protection/standard.ts'
import type { Layering } from '../protection/wrap.ts'
import { chooseEncryption, chooseSigning } from './choose-algorithms.ts'
import { keysFor } from './recipient-keys.ts'
import type { NoKeyPolicy, OutboundPolicy } from './settings.ts'

export interface RecipientFacts {
  readonly address: Address
  /** Usable for encryption at this moment, best first (keys/public-keys.ts). */
  readonly certificates: readonly Certificate[]
  /** The keys that their own mail asked to be answered with, where there are no certificates. Nobody vouches for them. */
  readonly claimed?: { readonly byMail?: Certificate; readonly byAuthenticatedMail?: Certificate }
  /** There are certificates, and none may be used because nobody says whether it was revoked. */
  readonly statusUnknown?: boolean
  /** There are none yet: the first of them begins later than now, or the clock is wrong. */
  readonly notYetValid?: boolean
  /** What is known of the recipient's program, by standard (keys/correspondents.ts). */
  readonly abilities: Readonly<Partial<Record<StandardName, Abilities>>>
  readonly policy: OutboundPolicy
}

export interface OutboundFacts {
  readonly recipients: readonly RecipientFacts[]
  /** Addresses in To and Cc; whoever else is in the SmtpEnvelope is a blind recipient. */
  readonly named: readonly Address[]
  /** The `X-Sealpost` field of the mail, when the provider lets users ask. */
  readonly asked: NoKeyPolicy | undefined
  /** The client has protected the mail itself. */
  readonly alreadyProtected: boolean
  /** What the mails that this one answers have hidden on the wire (RFC 9788 §6.1). */
  readonly answers: HeaderConfidentiality
  /** Standards that the sender has a signing key for. */
  readonly senderStandards: readonly StandardName[]
  /** Those that every user of ours is to have a key for. */
  readonly ourStandards: readonly StandardName[]
  /** When it is sent. */
  readonly atMs: number
  /** The sender's own, one of each standard, when copies are encrypted to the sender as well. */
  readonly senderCertificates: readonly Certificate[]
}

/** One protected message and who receives it. */
export interface Copy {
  readonly recipients: readonly Address[]
  readonly protection: CopyProtection
}

export interface OutboundPlan {
  readonly copies: readonly Copy[]
  /** Recipients that policy will not write to without encryption, or without better encryption. */
  readonly refused: readonly RefusedRecipient[]
  /** Recipients whose copy is encrypted to a key that only their own mail vouches for. */
  readonly onTheirWord: readonly Address[]
}

export interface RefusedRecipient {
  readonly address: Address
  readonly why: RefusalReason
}

/** `no-key`: none that is usable. `not-yet-valid`: those that there are begin later. `no-signing-key`: the sender has none of its standard. `classical-key`: none of the kind that is asked for. `weak-cipher`: no strong one is read.
 * `confidential-answer`: no key, and it would tell what another mail had hidden. */
export type RefusalReason =
  | 'no-key'
  | 'status-unknown'
  | 'not-yet-valid'
  | 'no-signing-key'
  | 'classical-key'
  | 'weak-cipher'
  | 'confidential-answer'

export function decideOutbound(facts: OutboundFacts): OutboundPlan {
  const everyone = facts.recipients.map((recipient) => recipient.address)
  if (facts.alreadyProtected)
    return { copies: [{ recipients: everyone, protection: { kind: 'as-is' } }], refused: [], onTheirWord: [] }
  const refused: RefusedRecipient[] = []
  const onTheirWord: Address[] = []
  const groups: Group[] = []
  for (const recipient of facts.recipients) {
    const wanted = protectionFor(recipient, facts)
    if (typeof wanted === 'string') refused.push({ address: recipient.address, why: wanted })
    else {
      if (wanted.certificates.some((each) => each === claimedBy(recipient))) onTheirWord.push(recipient.address)
      join(groups, recipient, wanted, facts)
    }
  }
  const copies = groups.map(({ recipients, protection }) => withSender({ recipients, protection }, facts))
  return { copies, refused, onTheirWord }
}

/** Why this recipient would be refused whatever the rest of the mail is; `undefined` when not. */
export function refusalOf(
  recipient: RecipientFacts,
  standards: readonly StandardName[],
  atMs: number,
): RefusalReason | undefined {
  const circumstances = { senderStandards: standards, ourStandards: standards, atMs }
  const wanted = protectionFor(recipient, { asked: undefined, answers: 'none', ...circumstances })
  return typeof wanted === 'string' ? wanted : undefined
}

/** The stricter of what the domain demands and what the user asked for. */
function demandsEncryption({ noKey, recipientKeys }: OutboundPolicy, asked: NoKeyPolicy | undefined): boolean {
  return noKey === 'require' || recipientKeys === 'post-quantum' || asked === 'require'
}

type Wrapped = Extract<CopyProtection, { readonly kind: 'wrapped' }>

type Circumstances = Pick<OutboundFacts, 'senderStandards' | 'ourStandards' | 'asked' | 'answers' | 'atMs'>

/** The standard of the best key, as long as it gives what the policy asks for; else the other one. */
function protectionFor(recipient: RecipientFacts, facts: Circumstances): Wrapped | RefusalReason {
  const { certificates, policy } = recipient
  const usable = policy.standards.filter((each) => facts.senderStandards.includes(each))
  const ofKeys = [...new Set(certificates.map((each) => each.standard))].filter((each) => usable.includes(each))
  const tried = ofKeys.map((standard) => encryptedIn(standard, recipient, facts))
  const [first] = tried
  if (first !== undefined) return tried.find((each) => typeof each !== 'string') ?? first
  // never in the clear because the sender's own key has run out
  const missing = facts.ourStandards.filter((each) => policy.standards.includes(each) && !usable.includes(each))
  if (certificates.some((each) => missing.includes(each.standard))) return 'no-signing-key'
  // nor because an authority is out of reach, or is kept out of reach
  if (recipient.statusUnknown === true) return 'status-unknown'
  // nor because a clock is wrong
  if (recipient.notYetValid === true) return 'not-yet-valid'
  const [standard] = usable
  if (standard === undefined || demandsEncryption(policy, facts.asked)) return 'no-key'
  const claimed = encryptedAsAsked(recipient, usable, facts)
  if (claimed !== undefined) return claimed
  if (facts.answers !== 'none') return 'confidential-answer'
  return { ...commonIn(standard, recipient, facts), layering: 'sign', certificates: [], encryption: {} }
}

/** To a key that nobody vouches for: better than in the clear, and no more than that. */
function encryptedAsAsked(
  recipient: RecipientFacts,
  usable: readonly StandardName[],
  facts: Circumstances,
): Wrapped | undefined {
  const claimed = claimedBy(recipient)
  if (claimed === undefined || !usable.includes(claimed.standard)) return undefined
  const wanted = encryptedIn(claimed.standard, { ...recipient, certificates: [claimed] }, facts)
  return typeof wanted === 'string' ? undefined : wanted
}

function claimedBy({ claimed, policy }: RecipientFacts): Certificate | undefined {
  switch (policy.autocryptKeys) {
    case 'never':
      return undefined
    case 'authenticated':
      return claimed?.byAuthenticatedMail
    case 'always':
      return claimed?.byMail
  }
}

function encryptedIn(
  standard: StandardName,
  recipient: RecipientFacts,
  facts: Circumstances,
): Wrapped | 'classical-key' | 'weak-cipher' {
  const { abilities, policy } = recipient
  const known = abilities[standard]
  const ofStandard = recipient.certificates.filter((each) => each.standard === standard)
  const certificates = keysFor(policy.recipientKeys, ofStandard, facts.atMs)
  if (certificates.length === 0) return 'classical-key'
  const encryption = chooseEncryption(policy, standardNamed(standard), [known])
  if (encryption === undefined) return 'weak-cipher'
  return {
    ...commonIn(standard, recipient, facts),
    layering: layeringOf(recipient, standard),
    certificates,
    encryption,
  }
}

/** What does not depend on whether it is encrypted. */
function commonIn(
  standard: StandardName,
  { abilities, policy }: RecipientFacts,
  { answers }: Circumstances,
): Omit<Wrapped, 'layering' | 'certificates' | 'encryption'> {
  const known = abilities[standard]
  const bringsBack = policy.surrogate || known?.headerProtection === true
  const confidentiality = stricter(confidentialityOf(policy, bringsBack), answers)
  return {
    kind: 'wrapped',
    standard,
    signing: chooseSigning(policy, [known]),
    headerProtection: policy.headerProtection || answers !== 'none',
    confidentiality,
    legacyDisplay: confidentiality !== 'none' && !bringsBack,
  }
}

/** `bringsBack`: the reader's side is known to show the header that is inside. */
function confidentialityOf({ subject }: OutboundPolicy, bringsBack: boolean): HeaderConfidentiality {
  switch (subject) {
    case 'auto':
      return bringsBack ? 'baseline' : 'none'
    case 'hidden':
      return 'baseline'
    case 'shy':
      return 'shy'
    case 'visible':
      return 'none'
  }
}

function stricter(one: HeaderConfidentiality, other: HeaderConfidentiality): HeaderConfidentiality {
  return one === 'shy' || other === 'none' ? one : other
}

/** Set by the operator; the other side is a gateway as we are, or has signed outside as one does; or nothing is known. */
export type LayeringReason = 'policy' | 'surrogate' | 'outer-signature' | 'common'

export function layeringReason({ policy, abilities }: RecipientFacts, standard: StandardName): LayeringReason {
  if (policy.layering !== 'auto') return 'policy'
  if (policy.surrogate) return 'surrogate'
  return abilities[standard]?.outerSignature === true ? 'outer-signature' : 'common'
}

function layeringOf(recipient: RecipientFacts, standard: StandardName): Layering {
  const { layering } = recipient.policy
  if (layering !== 'auto') return layering
  return layeringReason(recipient, standard) === 'common' ? 'sign-encrypt' : 'encrypt-sign'
}

/** Those who share a copy. */
interface Group {
  readonly key: string
  readonly recipients: Address[]
  readonly readers: (Abilities | undefined)[]
  protection: Wrapped
}

/**
 * Recipients share a copy when policy and layers are the same and there is a cipher that all of them read; it is as strong
 * as the weakest of them allows (decision 0029). A blind recipient shares with nobody.
 */
function join(
  groups: Group[],
  { address, abilities, policy }: RecipientFacts,
  wanted: Wrapped,
  facts: OutboundFacts,
): void {
  const blind = !facts.named.some((each) => sameAddress(each, address))
  const { certificates, encryption: _chosen, signing: _too, ...layers } = wanted
  const { encryption, signing, weakestCipher } = policy
  const { standard, layering } = layers
  const key = JSON.stringify([blind ? address : '', layers, encryption, signing, weakestCipher])
  const known = abilities[standard]
  for (const group of groups) {
    const readers = [...group.readers, known]
    const common = layering === 'sign' ? {} : chooseEncryption(policy, standardNamed(standard), readers)
    if (group.key !== key || common === undefined) continue
    group.recipients.push(address)
    group.readers.push(known)
    group.protection = {
      ...group.protection,
      certificates: [...group.protection.certificates, ...certificates],
      encryption: common,
      signing: chooseSigning(policy, readers),
    }
    return
  }
  groups.push({ key, recipients: [address], readers: [known], protection: wanted })
}

/** The sender can open the copy as well, except a blind recipient's: that one names no other key. */
function withSender(copy: Copy, facts: OutboundFacts): Copy {
  const { protection } = copy
  if (protection.kind === 'as-is' || protection.layering === 'sign') return copy
  const own = facts.senderCertificates.find((each) => each.standard === protection.standard)
  if (own === undefined) return copy
  const named = copy.recipients.some((each) => facts.named.some((address) => sameAddress(address, each)))
  if (!named || protection.certificates.some((each) => each.fingerprint === own.fingerprint)) return copy
  return { ...copy, protection: { ...protection, certificates: [...protection.certificates, own] } }
}
