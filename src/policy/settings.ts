/** What a postmaster may decide, with the words of docs/operating/configuration.md; defaults are in config/schema.ts. */
import type {
  EncryptionChoice,
  RevocationRule,
  SigningChoice,
  StandardName,
  WrittenCipher,
} from '../protection/standard.ts'

export type NoKeyPolicy = 'prefer' | 'require'
/** What outgoing mail says of its author's OpenPGP key; `off` leaves what the author's program says. */
export type AutocryptPolicy = 'mutual' | 'nopreference' | 'off'
/**
 * Whether a key that only its owner's mail asks us to use (Autocrypt) is used where no better one is known;
 * `authenticated`: when the domain has vouched for that mail.
 */
export type AutocryptKeys = 'never' | 'authenticated' | 'always'
export type LayeringPolicy = 'auto' | 'encrypt-sign' | 'sign-encrypt' | 'triple'

/** For mail to one recipient domain. */
export interface OutboundPolicy {
  /**
   * Those that may be used, the preferred first: the first that the sender has signs mail that is not encrypted; of equally
   * trusted keys the first's is taken.
   */
  readonly standards: readonly StandardName[]
  /** Recipient without a usable key: `prefer` sends signed only, `require` refuses that recipient. */
  readonly noKey: NoKeyPolicy
  readonly autocryptKeys: AutocryptKeys
  readonly layering: LayeringPolicy
  /** The domain is behind a surrogate: `auto` then means the patent's order. */
  readonly surrogate: boolean
  readonly headerProtection: boolean
  /** `auto` hides it from the wire where the reader's side is known to bring it back. */
  readonly subject: 'auto' | 'hidden' | 'shy' | 'visible'
  /** What is set; what is not is chosen by what the recipients read. */
  readonly encryption: EncryptionChoice
  /** A recipient who does not read this or a stronger one is refused. */
  readonly weakestCipher: WrittenCipher
  readonly recipientKeys: RecipientKeys
  /** As `encryption`. */
  readonly signing: SigningChoice
  readonly revocation: RevocationRule
}

/**
 * Which keys of a recipient who has classical and post-quantum ones: `both`, for we do not know which device reads;
 * `strongest`: the post-quantum one; `post-quantum`: never another, whoever has none is refused.
 */
export type RecipientKeys = 'both' | 'strongest' | 'post-quantum'

/** For mail to one of our own domains. */
export interface InboundPolicy {
  readonly onTampered: 'refuse' | 'discard' | 'quarantine' | 'deliver-marked'
  /** Signed by somebody who is not From. */
  readonly onMismatch: 'refuse' | 'deliver-marked'
  readonly onUnknownKey: 'deliver' | 'refuse'
  readonly onUnsigned: 'deliver' | 'refuse'
  readonly onUnprotected: 'deliver' | 'refuse'
  readonly onNoPrivateKey: 'deliver' | 'refuse'
  /** Neither SPF nor DKIM vouches for it, and the author's domain asks for `p=reject` or `p=quarantine`. */
  readonly onDmarcFail: 'refuse' | 'quarantine' | 'deliver-marked'
  readonly revocation: RevocationRule
}
