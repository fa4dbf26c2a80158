/** What was made of a submitted mail, for log and trace: each copy, its layers and why, its keys and why they are believed. */
import type { CopyFacts, KeyFacts } from '../base/mail-events.ts'
import type { StoredCertificate } from '../keys/public-keys.ts'
import { addressKey } from '../message/address.ts'
import { type Copy, type RecipientFacts, layeringReason } from '../policy/decide-outbound.ts'
import type { Certificate } from '../protection/standard.ts'

/** What was known of a recipient when it was decided. */
export interface KnownRecipient extends RecipientFacts {
  /** All that 222 holds for the address. */
  readonly known: readonly StoredCertificate[]
}

/** Of one copy; a list of distribution is no reason for a line without end. */
const KEYS_TOLD_MAX = 50

/** `senders`: what 222 holds for the sender, who can open most copies as well. */
export function copiesMade(
  copies: readonly Copy[],
  recipients: readonly KnownRecipient[],
  senders: readonly StoredCertificate[],
): CopyFacts[] {
  const byAddress = new Map(recipients.map((each) => [addressKey(each.address), each]))
  return copies.map(({ recipients: addresses, protection }) => {
    if (protection.kind === 'as-is') return { recipients: addresses, protection: 'as-is' }
    const { standard, layering, certificates, encryption } = protection
    if (layering === 'sign') return { recipients: addresses, protection: 'signed', standard }
    const readers = addresses.flatMap((address) => byAddress.get(addressKey(address)) ?? [])
    const known = [...readers.flatMap((each) => each.known), ...senders]
    return {
      recipients: addresses,
      protection: 'encrypted',
      standard,
      layering,
      layeringBy: [...new Set(readers.map((each) => layeringReason(each, standard)))],
      ...(encryption.cipher !== undefined && { cipher: encryption.cipher }),
      keys: certificates.slice(0, KEYS_TOLD_MAX).map((each) => keyFacts(each, known)),
    }
  })
}

/** As 222 knows it among `known`; one that it does not know came with the mail. */
export function keyFacts({ fingerprint, addresses }: Certificate, known: readonly StoredCertificate[]): KeyFacts {
  const stored = known.find(({ certificate }) => certificate.fingerprint === fingerprint)
  const { address, trust, source } = stored ?? { address: addresses[0] ?? '', trust: 'chained', source: 'mail' }
  return { address, fingerprint, trust, source }
}
