/** Verdicts and decisions in one sentence, for the reader of a mail, the SMTP reply and the log. */
import type { Address } from '../message/address.ts'
import type { Summary } from '../protection/summary.ts'
import type { InboundDecision } from './decide-inbound.ts'
import type { RefusalReason, RefusedRecipient } from './decide-outbound.ts'

/** What `X-Sealpost-Status` says to the reader. */
export function explainToReader(summary: Summary, decision: InboundDecision): string {
  const forged = decision.notVouchedFor === true ? ['Warning: the domain in From does not vouch for this mail.'] : []
  return [verdictToReader(summary, decision), ...forged, ...summary.notes].join(' ')
}

function verdictToReader(summary: Summary, decision: InboundDecision): string {
  if (decision.rule === 'no-private-key') return 'Still encrypted: it was not encrypted for any key of yours.'
  const secrecy = summary.encrypted ? 'Encrypted on the way' : 'Not encrypted on the way'
  const because = summary.reason === null ? '' : ` (${summary.reason})`
  switch (summary.signature) {
    case 'valid':
      return `${secrecy}. Signature valid: written by ${summary.signer ?? 'the sender'}, not changed since${because}.`
    case 'none':
      return summary.encrypted
        ? 'Encrypted on the way, not signed: nobody vouches for the sender.'
        : `Not protected${because}.`
    case 'expired':
      return `${secrecy}. Signed with a certificate that is out of date${because}.`
    case 'untrusted':
      return `${secrecy}. Signed by a key that nobody we trust vouches for${because}.`
    case 'unknown-key':
      return `${secrecy}. Signed by an unknown key${because}.`
    case 'mismatch':
      return `Warning: ${summary.reason ?? 'the signer is not the sender'}. Shown as it came.`
    case 'revoked':
      return `Warning: signed with a revoked key${because}. Shown as it came.`
    case 'invalid':
      return `Warning: changed on the way${because}. Shown as it came.`
  }
}

/**
 * What the SMTP reply of a refusal says. `decrypted`: the recipient's key was used; then the reply tells nothing of what
 * was found, neither which step failed nor a word of the content.
 */
export function explainRefusal(summary: Summary, decision: InboundDecision, decrypted: boolean): string {
  const reason = decrypted ? null : summary.reason
  switch (decision.rule) {
    case 'tampered':
      return 'Message integrity failure: the message was changed after it was protected'
    case 'mismatch':
      return `Message integrity failure: ${reason ?? 'the signer is not the author in From'}`
    case 'revoked':
      return 'The signing certificate is revoked'
    case 'unknown-key':
      return "The signer's key is not known here; ask the recipient's postmaster to add it"
    case 'not-trusted':
      return `The signer's certificate is not trusted here: ${reason ?? 'no trust anchor'}`
    case 'unsigned':
      return 'This recipient takes signed mail only'
    case 'unprotected':
      return 'This recipient takes encrypted or signed mail only'
    case 'no-private-key':
      return 'The message is not encrypted for a key of this recipient'
    case 'dmarc':
      return 'The domain in From asks to refuse mail in its name that neither SPF nor DKIM vouches for (DMARC)'
    case 'valid':
      return 'Refused'
  }
}

/** The end of the "250": who got it how, so that the sender can see it in the log of any client. */
export function explainQueued(
  sealed: number,
  signedOnly: readonly Address[],
  onTheirWord: readonly Address[],
  refused: readonly RefusedRecipient[],
): string {
  const parts = [
    ...(sealed > 0 ? [`encrypted and signed for ${sealed}`] : []),
    ...(onTheirWord.length > 0 ? [`for ${listed(onTheirWord)} with a key that nobody vouches for`] : []),
    ...(signedOnly.length > 0 ? [`only signed for ${listed(signedOnly)} (no key known)`] : []),
    ...byReason(refused).map(([why, addresses]) => `not sent to ${listed(addresses)} (${REFUSALS[why].briefly})`),
  ]
  return parts.length === 0 ? 'Queued as it came: already protected' : `Queued: ${parts.join('; ')}`
}

/** Why nothing was sent to them, and what to do about it. */
export function explainRefused(refused: readonly RefusedRecipient[]): string {
  return byReason(refused)
    .map(([why, addresses]) => REFUSALS[why].atLength(listed(addresses)))
    .join('. ')
}

const REFUSALS: Readonly<Record<RefusalReason, { briefly: string; atLength(names: string): string }>> = {
  'no-key': {
    briefly: 'no key known, encryption required',
    atLength: (names) =>
      `Encryption is required, and no key is known for ${names}; ask them for their certificate, or the postmaster to import it`,
  },
  'no-signing-key': {
    briefly: 'you have no key that signs in the standard of theirs',
    atLength: (names) =>
      `Your address has no key that signs in the standard of the key of ${names}; tell your postmaster`,
  },
  'status-unknown': {
    briefly: 'nobody says whether their key was revoked',
    atLength: (names) =>
      `It is not known whether the key of ${names} was revoked, for its authority gives no answer; try again later, or ask the postmaster`,
  },
  'not-yet-valid': {
    briefly: 'their key is not valid yet',
    atLength: (names) =>
      `The key of ${names} is not valid yet; try again later, or ask the postmaster whether the clock of this server is right`,
  },
  'confidential-answer': {
    briefly: 'no key known, and it answers a mail whose subject was hidden on its way',
    atLength: (names) =>
      `The mail that you answer had hidden its subject on its way; the answer would tell it, for no key is known for ${names}; begin a new mail, or ask them for their certificate`,
  },
  'classical-key': {
    briefly: 'no post-quantum key known, and one is required',
    atLength: (names) =>
      `A post-quantum key is required, and none is known for ${names}; ask them for a certificate with an ML-KEM key`,
  },
  'weak-cipher': {
    briefly: 'no cipher that is strong enough is known to be read there',
    atLength: (names) =>
      `The required cipher is not known to be read by ${names}; ask them for a signed mail from a newer program, or the postmaster to allow a weaker one`,
  },
}

function byReason(refused: readonly RefusedRecipient[]): [RefusalReason, Address[]][] {
  const reasons = [...new Set(refused.map(({ why }) => why))]
  return reasons.map((why) => [why, refused.filter((each) => each.why === why).map(({ address }) => address)])
}

const LISTED_MAX = 5

function listed(addresses: readonly Address[]): string {
  const more = addresses.length - LISTED_MAX
  return addresses.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
