/** What happens to one received mail for one recipient. Facts in, decision out; no I/O. */
import type { Summary } from '../protection/summary.ts'
import type { InboundPolicy } from './settings.ts'

export type InboundAction = 'accept' | 'refuse' | 'discard' | 'quarantine'

export interface InboundDecision {
  readonly action: InboundAction
  /** Which rule decided; a word of docs/operating/configuration.md. */
  readonly rule:
    | 'valid'
    | 'tampered'
    | 'mismatch'
    | 'revoked'
    | 'unknown-key'
    | 'not-trusted'
    | 'unsigned'
    | 'unprotected'
    | 'no-private-key'
    | 'dmarc'
  /** Deliver the mail as it came: there is no opened one, or it must not be shown as opened. */
  readonly asReceived: boolean
  /** Delivered, though the author's domain asks for less: the reader is told. */
  readonly notVouchedFor?: true
}

/**
 * `sealed`: encrypted, and the recipient holds no key for it. `unvouched`: what the author's domain asks for with mail that
 * neither SPF nor DKIM vouches for, when this is such a mail (DMARC).
 */
export function decideInbound(
  summary: Summary,
  sealed: boolean,
  policy: InboundPolicy,
  unvouched: 'none' | 'quarantine' | 'reject' = 'none',
): InboundDecision {
  const decision = decideByProtection(summary, sealed, policy)
  // an author's own valid signature says more than the domain that the mail came from
  if (unvouched === 'none' || decision.action !== 'accept' || summary.signature === 'valid') return decision
  if (policy.onDmarcFail === 'quarantine') return { action: 'quarantine', rule: 'dmarc', asReceived: true }
  if (policy.onDmarcFail === 'refuse' && unvouched === 'reject')
    return { action: 'refuse', rule: 'dmarc', asReceived: true }
  return { ...decision, notVouchedFor: true }
}

function decideByProtection(summary: Summary, sealed: boolean, policy: InboundPolicy): InboundDecision {
  switch (summary.signature) {
    case 'invalid':
      return tampered('tampered', policy)
    case 'revoked':
      return { action: 'refuse', rule: 'revoked', asReceived: true }
    case 'mismatch':
      return policy.onMismatch === 'deliver-marked'
        ? { action: 'accept', rule: 'mismatch', asReceived: true }
        : tampered('mismatch', policy)
    case 'unknown-key':
      return opened(policy.onUnknownKey, 'unknown-key', sealed, policy)
    case 'untrusted':
      return opened(policy.onUnknownKey, 'not-trusted', sealed, policy)
    case 'expired':
      return opened('deliver', 'not-trusted', sealed, policy)
    case 'valid':
      return opened('deliver', 'valid', sealed, policy)
    case 'none':
      return summary.encrypted
        ? opened(policy.onUnsigned, 'unsigned', sealed, policy)
        : opened(policy.onUnprotected, 'unprotected', false, policy)
  }
}

function opened(
  choice: 'deliver' | 'refuse',
  rule: InboundDecision['rule'],
  sealed: boolean,
  policy: InboundPolicy,
): InboundDecision {
  if (choice === 'refuse') return { action: 'refuse', rule, asReceived: false }
  if (!sealed) return { action: 'accept', rule, asReceived: false }
  return { action: policy.onNoPrivateKey === 'refuse' ? 'refuse' : 'accept', rule: 'no-private-key', asReceived: true }
}

function tampered(rule: 'tampered' | 'mismatch', policy: InboundPolicy): InboundDecision {
  switch (policy.onTampered) {
    case 'refuse':
      return { action: 'refuse', rule, asReceived: true }
    case 'discard':
      return { action: 'discard', rule, asReceived: true }
    case 'quarantine':
      return { action: 'quarantine', rule, asReceived: true }
    case 'deliver-marked':
      return { action: 'accept', rule, asReceived: true }
  }
}
