/** An OpenPGP certificate as plain data: what was read and verified once (`read.ts`), to be asked about any time (`state.ts`). */
import type { Address } from '../../../message/address.ts'
import type { Certificate } from '../../standard.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import type { Binding, Revocation } from './self-signatures.ts'

/** The primary key or a subkey. */
export interface Component {
  readonly packet: KeyPacket
  readonly primary: boolean
  /**
   * Newest first. Of the primary key: what the owner has signed of the key itself, and of the user ids that are not
   * revoked; of a subkey: what binds it.
   */
  readonly bindings: readonly Binding[]
  /** Newest first. */
  readonly revocations: readonly Revocation[]
  /** Why nobody should rely on it any more: its own kind and size, or the primary key's. */
  readonly weak?: string
}

export interface UserId {
  readonly body: Uint8Array
  /** For display. */
  readonly text: string
  /** Missing where the text is no address, or could be read as several. */
  readonly address?: Address
  /** Newest first. */
  readonly certifications: readonly Binding[]
  /** Newest first; a newer certification takes them back. */
  readonly revocations: readonly Revocation[]
}

export interface OpenpgpCertificate extends Certificate {
  readonly standard: 'openpgp'
  /** 4 or 6. */
  readonly version: number
  /** The primary key first; then the subkeys that the owner has bound or revoked. */
  readonly components: readonly Component[]
  /** Those that the owner has certified or revoked, in the order they came. */
  readonly userIds: readonly UserId[]
  /** What the owner has signed of the primary key itself, newest first. */
  readonly directBindings: readonly Binding[]
}

export const isOpenpgpCertificate = (certificate: Certificate): certificate is OpenpgpCertificate =>
  certificate.standard === 'openpgp'

/** Whether its last word is a revocation. */
export const isTakenBack = ({ certifications, revocations }: UserId): boolean =>
  (revocations[0]?.createdMs ?? -1) >= (certifications[0]?.createdMs ?? 0)
