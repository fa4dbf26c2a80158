/**
 * Certificates cut down to one address: what is handed out for it, and what is kept of what others hand out. Other User
 * IDs, photographs and what belongs to them are nobody's business who asked for this one.
 */
import type { Result } from '../../../base/result.ts'
import { type Address, sameAddress } from '../../../message/address.ts'
import { attempt } from '../../malformed.ts'
import { PACKET, readPackets } from '../packets/packet.ts'
import { type Signed, groupPackets, writeStructure } from './structure.ts'
import { userIdAddress } from './user-id.ts'

/** Of one file or answer; what comes behind is left. */
const CERTIFICATES_MAX = 32

/**
 * The transferable public keys (RFC 9580 §10.1) among the packets that have a User ID with this address, each with that
 * alone: primary key, this User ID and the subkeys, with their signatures. Nothing is verified.
 */
export function certificatesForAddress(packets: Uint8Array, address: Address): Result<readonly Uint8Array[]> {
  const isOfAddress = ({ type, body }: Signed): boolean => {
    const named = type === PACKET.USER_ID ? userIdAddress(body) : undefined
    return named !== undefined && sameAddress(named, address)
  }
  return attempt(() =>
    groupPackets(readPackets(packets))
      .slice(0, CERTIFICATES_MAX)
      .map((structure) => ({ ...structure, users: structure.users.filter(isOfAddress) }))
      .filter(({ users }) => users.length > 0)
      .map(writeStructure),
  )
}
