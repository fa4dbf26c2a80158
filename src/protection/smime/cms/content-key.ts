import type { KeyObject } from 'node:crypto'
import type { SharedSecret } from '../../standard.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'

/**
 * What a RecipientInfo gave. `key` is missing when it did not unwrap: that must look to the sender like every other
 * failure (RFC 8017 §7.2.2 note, RFC 3218). That an algorithm is not ours, which anybody can see, is an error instead.
 */
export interface ContentKey {
  readonly key: Uint8Array | undefined
  /** The way it came protects nobody any more, whatever the cipher of the content. */
  readonly weak?: boolean
}

/** One of the recipient's own keys. */
export interface DecryptionKey {
  readonly certificate: SmimeCertificate
  readonly key: KeyObject
}

/** Anything that may open an envelope. */
export type Opener = DecryptionKey | SharedSecret

export const isOwnKey = (opener: Opener): opener is DecryptionKey => 'certificate' in opener
