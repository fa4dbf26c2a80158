/** What happens to one submitted mail: who gets it protected how, and who is refused. Facts in, plan out; no I/O. */
import { type Address, sameAddress } from '../message/address.ts'
import type { HeaderConfidentiality } from '../protection/header-confidentiality.ts'
import type { CopyProtection } from '../protection/jobs.ts'
import type { Certificate, StandardName } from '../protection/standard.ts'
import type { Layering } from '../protection/wrap.ts'
import type { NoKeyPolicy, OutboundPolicy } from './settings.ts'

export interface RecipientFacts {
  readonly address: Address
  /** Usable for encryption at this moment, best first (keys/public-keys.ts). */
  readonly certificates: readonly Certificate[]
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
  /** Standards that the sender has a signing key for. */
  readonly senderStandards: readonly StandardName[]
  /** The sender's own certificate, when copies are encrypted to the sender as well. */
  readonly senderCertificate: Certificate | undefined
}

/** One protected message and who receives it. */
export interface Copy {
  readonly recipients: readonly Address[]
  readonly protection: CopyProtection
}

export interface OutboundPlan {
  readonly copies: readonly Copy[]
  /** Recipients that policy will not write to without encryption. */
  readonly refused: readonly Address[]
}

export function decideOutbound(facts: OutboundFacts): OutboundPlan {
  const everyone = facts.recipients.map((recipient) => recipient.address)
  if (facts.alreadyProtected) return { copies: [{ recipients: everyone, protection: { kind: 'as-is' } }], refused: [] }
  const refused: Address[] = []
  const groups = new Map<string, { recipients: Address[]; protection: CopyProtection }>()
  for (const recipient of facts.recipients) {
    const protection = protectionFor(recipient, facts)
    if (protection === undefined) {
      refused.push(recipient.address)
      continue
    }
    const blind = !facts.named.some((address) => sameAddress(address, recipient.address))
    const key = groupKey(protection, blind ? recipient.address : '')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { recipients: [recipient.address], protection })
    else
      groups.set(key, {
        recipients: [...group.recipients, recipient.address],
        protection: merge(group.protection, protection),
      })
  }
  return { copies: [...groups.values()].map((group) => withSender(group, facts)), refused }
}

/** Why a recipient without a key is refused: the stricter of what the domain demands and what the user asked for. */
export function demandsEncryption(policy: OutboundPolicy, asked: NoKeyPolicy | undefined): boolean {
  return policy.noKey === 'require' || asked === 'require'
}

function protectionFor(recipient: RecipientFacts, facts: OutboundFacts): CopyProtection | undefined {
  const { policy } = recipient
  const certificate = recipient.certificates.find((each) => facts.senderStandards.includes(each.standard))
  const [signingStandard] = facts.senderStandards
  const { signing, encryption, headerProtection } = policy
  const confidentiality = confidentialityOf(policy)
  const legacyDisplay = confidentiality !== 'none' && !policy.surrogate
  const common = { signing, encryption, headerProtection, confidentiality, legacyDisplay }
  if (certificate !== undefined)
    return {
      kind: 'wrapped',
      standard: certificate.standard,
      layering: layeringOf(policy),
      certificates: [certificate],
      ...common,
    }
  if (signingStandard === undefined || demandsEncryption(policy, facts.asked)) return undefined
  return { kind: 'wrapped', standard: signingStandard, layering: 'sign', certificates: [], ...common }
}

function confidentialityOf(policy: OutboundPolicy): HeaderConfidentiality {
  switch (policy.subject) {
    case 'auto':
      return policy.surrogate ? 'baseline' : 'none'
    case 'hidden':
      return 'baseline'
    case 'shy':
      return 'shy'
    case 'visible':
      return 'none'
  }
}

function layeringOf(policy: OutboundPolicy): Layering {
  if (policy.layering !== 'auto') return policy.layering
  return policy.surrogate ? 'encrypt-sign' : 'sign-encrypt'
}

/** Recipients share a copy when nothing but the key differs; a blind one (`alone`) shares with nobody. */
function groupKey(protection: CopyProtection, alone: string): string {
  if (protection.kind === 'as-is') return alone
  const { certificates: _certificates, ...rest } = protection
  return JSON.stringify([alone, rest])
}

function merge(a: CopyProtection, b: CopyProtection): CopyProtection {
  if (a.kind === 'as-is' || b.kind === 'as-is') return a
  return { ...a, certificates: [...a.certificates, ...b.certificates] }
}

/** The sender can open the copy as well, except a blind recipient's: that one names no other key. */
function withSender(copy: Copy, facts: OutboundFacts): Copy {
  const { protection } = copy
  const own = facts.senderCertificate
  if (protection.kind === 'as-is' || protection.layering === 'sign' || own?.standard !== protection.standard)
    return copy
  const named = copy.recipients.some((each) => facts.named.some((address) => sameAddress(address, each)))
  if (!named || protection.certificates.some((each) => each.fingerprint === own.fingerprint)) return copy
  return { ...copy, protection: { ...protection, certificates: [...protection.certificates, own] } }
}
