/** Named sets of what protects mail to a domain; each value can be set by itself as well. */
import type { WrittenCipher, WrittenKeyTransport, WrittenSignature, SigningChoice } from '../protection/standard.ts'
import type { NoKeyPolicy, RecipientKeys } from './settings.ts'

export const PROFILE_NAMES = ['default', 'modern', 'bdew', 'pq'] as const
export type ProfileName = (typeof PROFILE_NAMES)[number]

/** What is missing is chosen by what the recipients read. */
export interface Profile {
  readonly noKey: NoKeyPolicy
  readonly recipientKeys: RecipientKeys
  readonly cipher?: WrittenCipher
  readonly weakestCipher: WrittenCipher
  readonly keyTransport?: WrittenKeyTransport
  readonly signature?: WrittenSignature
  readonly digest?: NonNullable<SigningChoice['digest']>
}

/**
 * `bdew`: the German energy market, whose rules (BDEW, EDI@Energy "Regelungen zum Übertragungsweg", 5.5.3) allow only
 * RSASSA-PSS and RSAES-OAEP, and no mail that is not encrypted (decision 0030).
 */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  default: { noKey: 'prefer', recipientKeys: 'both', weakestCipher: 'aes-128-cbc' },
  modern: {
    noKey: 'prefer',
    recipientKeys: 'both',
    cipher: 'aes-256-gcm',
    weakestCipher: 'aes-256-gcm',
    keyTransport: 'rsa-oaep',
    signature: 'rsa-pss',
  },
  bdew: {
    noKey: 'require',
    recipientKeys: 'both',
    cipher: 'aes-256-cbc',
    weakestCipher: 'aes-128-cbc',
    keyTransport: 'rsa-oaep',
    signature: 'rsa-pss',
    digest: 'sha256',
  },
  pq: { noKey: 'require', recipientKeys: 'post-quantum', cipher: 'aes-256-gcm', weakestCipher: 'aes-256-cbc' },
}
