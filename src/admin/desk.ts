/** What the operations of the administration work with; main.ts and the commands lay it out. */
import type { Clock } from '../base/clock.ts'
import type { Config } from '../config/load.ts'
import type { TrustAnchors } from '../keys/anchors.ts'
import type { Correspondents } from '../keys/correspondents.ts'
import type { DkimKeys } from '../keys/dkim-keys.ts'
import type { EnrolDeps } from '../keys/enrol.ts'
import type { Passwords } from '../keys/password.ts'
import type { PrivateKeys } from '../keys/private-keys.ts'
import type { PublicKeys } from '../keys/public-keys.ts'
import { type Address, type Domain, parseAddress } from '../message/address.ts'
import type { Store } from '../store/database.ts'

export interface Desk extends EnrolDeps {
  readonly config: Config
  readonly clock: Clock
  /** Who does it, for the audit row. */
  readonly actor: string
  readonly store: Store
  readonly privateKeys: PrivateKeys
  readonly dkimKeys: DkimKeys
  readonly publicKeys: PublicKeys
  readonly correspondents: Correspondents
  readonly anchors: TrustAnchors
  readonly passwords: Passwords
  readonly domains: readonly Domain[]
}

/** What was asked for cannot be done; the message says why, and what to do instead. */
export class OperationRefused extends Error {
  override readonly name = 'OperationRefused'
}

export function needAddress(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new OperationRefused(`"${text}" is not an e-mail address`)
  return address
}
